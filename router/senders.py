"""The senders of a channel and which of them sends what: pools, weights, sticky choice, fail-over.

A *sender* is what the provider counts and blames: an account, or one number of an account's pool. Those that may
stand in for one another form a `Pool`: all accounts of a channel, or, where an address belongs to the account it was
learnt by, the senders of that account alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from router.core.channel import Channel, ChannelSpec
from router.core.rates import ChannelRules, Daily
from router.core.standing import Standing, State
from router.core.standing_hosts import HostStandings
from router.limits import Bucket
from router.runtime import Runtime


@dataclass(slots=True, eq=False)
class Sender:
    """One account of a channel, or one number or name of its pool."""

    channel: str
    account: str
    name: str
    """"" where the account has only one."""
    adapter: Channel
    rules: ChannelRules
    standing: Standing
    slow_until: float = 0.0
    """Monotonic seconds until which its people go to others of the pool, because its answers took too long."""
    bucket: Bucket = field(init=False)
    hosts: HostStandings | None = None
    """The hosts that its addresses name, where strangers gave us those."""
    label: str = field(init=False)
    """``main``, or ``main/+12025550100``: as attempts and the operator know it."""

    def __post_init__(self) -> None:
        self.label = f"{self.account}/{self.name}" if self.name else self.account
        self.bucket = Bucket(f"{self.channel}/{self.label}", self.rules.rate, self.rules.burst)

    @property
    def spare(self) -> int:
        """Tokens that a blast leaves to answers; never all of them."""
        return max(0, min(self.rules.spare, int(self.rules.burst) - 1))


class Pool:
    """Senders that may stand in for one another."""

    def __init__(self, spec: ChannelSpec, account: str, senders: Sequence[Sender]) -> None:
        self.spec = spec
        self.account = account
        """The only account, where addresses are bound to theirs; "" for all."""
        self.senders = tuple(senders)
        self.rules = senders[0].rules

    @property
    def name(self) -> str:
        """``sms``, or ``telegram/main``."""
        return f"{self.spec.name}/{self.account}" if self.account else self.spec.name

    def place_of(self, address: str) -> Bucket | None:
        """What limits how often the chat or host of this address is written to; None where nothing does."""
        if self.spec.limit_key is None:
            return None
        kind, name = self.spec.limit_key(address)
        pace = self.rules.each.get(kind)
        return None if pace is None else Bucket(f"{self.name}/{kind}/{name}", pace.rate, pace.burst)

    def alive(self, now: datetime) -> list[Sender]:
        """Those whose breaker lets something through now."""
        return [sender for sender in self.senders if sender.standing.may_send(1, now)]


def choose(senders: Sequence[Sender], address_hash: str, tries: int = 1) -> Sender:
    """Who of these sends to this address: by weight, and always the same while nothing changes.

    Weighted rendezvous hashing: when one drops out or loses weight, only those of its own change to another. A further
    try goes to the next in the order, so that it does not meet the same fault again.
    """
    if len(senders) == 1:
        return senders[0]
    order = sorted(senders, key=lambda sender: _score(sender, address_hash), reverse=True)
    return order[(tries - 1) % len(order)]


def _score(sender: Sender, address_hash: str) -> float:
    digest = blake2b(f"{address_hash} {sender.label}".encode(), digest_size=8).digest()
    drawn = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -sender.standing.weight / math.log(drawn)


class Grants:
    """Tokens in hand, by sender."""

    def __init__(self) -> None:
        self._left: dict[Sender, int] = {}

    def add(self, sender: Sender, tokens: int) -> None:
        """So many more, of a sender that is well."""
        self._left[sender] = self._left.get(sender, 0) + tokens

    @property
    def total(self) -> int:
        """How many rows may be claimed with them."""
        return sum(self._left.values())

    def spend(self, address_hash: str, tries: int) -> Sender | None:
        """Take one for a message to this address; None where its sender has none left now."""
        sender = choose(list(self._left), address_hash, tries)
        if not self._left[sender]:
            return None
        self._left[sender] -= 1
        return sender

    def rest(self) -> Mapping[Sender, int]:
        """What was not spent; nothing is left afterwards."""
        rest, self._left = {sender: left for sender, left in self._left.items() if left}, {}
        return rest


def pools_of(runtime: Runtime) -> list[Pool]:
    """The pools of all channels that are set up, each sender with a clean standing."""
    pools = []
    for channel, accounts in runtime.channels.items():
        spec = runtime.specs[channel]
        by_account: dict[str, list[Sender]] = {}
        for account, adapter in accounts.items():
            rules = runtime.rules_of(channel).of_account(account)
            by_account[account] = [
                Sender(
                    channel, account, name, adapter, rules,
                    Standing(runtime.policy.breaker, weight=rules.weight / len(adapter.senders)),
                    hosts=HostStandings(runtime.policy.breaker) if spec.strangers else None,
                )
                for name in adapter.senders
            ]  # fmt: skip
        if spec.bound:
            pools += [Pool(spec, account, senders) for account, senders in by_account.items()]
        else:
            pools.append(Pool(spec, "", [sender for senders in by_account.values() for sender in senders]))
    return pools


def is_open(sender: Sender) -> bool:
    """Whether its breaker is open."""
    return sender.standing.state is State.OPEN


def day_of(daily: Daily, now: datetime) -> str:
    """The day, where the allowance begins anew at midnight, as a key: ``2026-11-22``."""
    return now.astimezone(ZoneInfo(daily.zone)).date().isoformat()


def next_day(daily: Daily, now: datetime) -> datetime:
    """When the next allowance begins."""
    zone = ZoneInfo(daily.zone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), zone).astimezone(now.tzinfo)
