"""How a decision came about: a short text beside each delivery, written while routing and read when somebody asks why.

``1764000000000a sms:17=gap email:18>`` says: decided at that moment (ms since 1970 UTC), in the order of who answered
where; address 17 by SMS was too soon after another ask, so address 18 by email got it, at once. After ``>`` stands a
later moment with the letters of what it waited for; ``+`` goes out as well, ``!`` marks a channel that was full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from router.core.attention import Refusal
from router.core.model import Address, Reason
from router.core.purse import from_ms, to_ms


class Basis(StrEnum):
    """What put the first address that was tried before the next one. The value is its letter in the text."""

    ONLY = ""
    """There was one address, or nothing that told them apart."""
    OWN = "o"
    """The member likes it better."""
    WATERFALL = "w"
    """The ask names its channel earlier."""
    ANSWERS = "a"
    """More answers came by it."""
    REACH = "r"
    """It failed less often of late."""
    COST = "c"
    """It costs less."""
    FULL = "f"
    """The other one's channel could not have taken it in time."""
    ALERT = "x"
    """All addresses whose owner agreed to alerts, at once."""


class Wait(StrEnum):
    """What a message waits for. The value is its letter in the text."""

    LOCAL_START = "l"
    """The hour at which the ask begins on the member's own clock."""
    QUIET_HOURS = "q"
    BUDGET = "b"
    """Room in the contact budget."""
    GROUP = "g"
    """Answers in a group of theirs, which is asked first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one address. With neither reason nor moment it was passed over because its channel was full."""

    channel: str
    address_id: int
    reason: Reason | Refusal | None = None
    """Why it may not be written to: a `Refusal` where the contact budget said so."""
    at: datetime | None = None
    """When it is written to."""
    waits: tuple[Wait, ...] = ()
    full: bool = False
    """Its channel cannot take one more in time."""
    also: bool = False
    """It gets an alert together with the one that was chosen."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A decision. `decided_at` is None where the text is not one of ours or says nothing."""

    decided_at: datetime | None = None
    basis: Basis = Basis.ONLY
    verdicts: tuple[Verdict, ...] = ()
    """In the order in which the addresses were tried."""


@lru_cache(maxsize=1024)
def stamp(moment: datetime) -> str:
    """Milliseconds since 1970 UTC. Most members of a range share their moments."""
    return str(to_ms(moment))


def head(now: datetime, basis: Basis = Basis.ONLY) -> str:
    """The beginning of a trace, which is all of it where no address was looked at; the others are added to it."""
    return stamp(now) + basis._value_


def taken(address: Address, at: datetime, now: datetime, waits: str, *, full: bool = False) -> str:
    """This address is written to; `waits` are the letters of what it waits for."""
    if at <= now and not full:
        return f" {address.channel}:{address.id}>{waits}"
    return f" {address.channel}:{address.id}{'!>' if full else '>'}{stamp(at) if at > now else ''}{waits}"


def refused(address: Address, reason: Reason | Refusal) -> str:
    """This one may not be written to."""
    return f" {address.channel}:{address.id}={reason._value_}"


def passed_over(address: Address) -> str:
    """This one's channel is full, and another one was found."""
    return f" {address.channel}:{address.id}!"


def joined(address: Address) -> str:
    """This one gets the alert as well."""
    return f" {address.channel}:{address.id}+"


_HEAD = re.compile(r"(?:^|\s)(?P<moment>[0-9]{1,14})(?P<basis>[a-z]?)(?P<verdicts>(?:\s.*)?)$")
_VERDICT = re.compile(
    r"(?P<channel>[^\s:]+):(?P<id>[0-9]+)(?P<full>!)?"
    r"(?:=(?P<reason>[a-z_]+)|>(?P<moment>[0-9]{0,14})(?P<waits>[a-z]*)|(?P<also>\+))?"
)
_BASES = {basis.value: basis for basis in Basis}
_WAITS = {wait.value: wait for wait in Wait}
_REASONS: dict[str, Reason | Refusal] = {**{reason.value: reason for reason in Reason}, **{r.value: r for r in Refusal}}
"""A word that both have (``cap``) is the budget's."""


def read_trace(text: str) -> Trace:
    """Read what routing wrote. Never raises: what an older or newer program wrote differently is left out."""
    found = _HEAD.search(text)
    if found is None:
        return Trace()
    decided_at = from_ms(int(found["moment"]))
    verdicts = tuple(
        _verdict(one, decided_at) for part in found["verdicts"].split() if (one := _VERDICT.fullmatch(part)) is not None
    )
    return Trace(decided_at, _BASES.get(found["basis"], Basis.ONLY), verdicts)


def _verdict(found: re.Match[str], decided_at: datetime) -> Verdict:
    moment = found["moment"]
    return Verdict(
        channel=found["channel"],
        address_id=int(found["id"]),
        reason=_REASONS.get(found["reason"] or ""),
        at=None if moment is None else from_ms(int(moment)) if moment else decided_at,
        waits=tuple(_WAITS[letter] for letter in found["waits"] or "" if letter in _WAITS),
        full=found["full"] is not None,
        also=found["also"] is not None,
    )
