"""The spend limits: a campaign's own and the month's. Nothing is claimed that they have no room for.

What a message costs is put aside in the transaction that claims it, while nobody else may add to the same limit, so
that no number of workers ever crosses it. The answers that people get to what they wrote are counted and never held up.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed, NotFound, Unavailable
from router.core.model import AskKind
from router.core.sms import count_segments
from router.launch import pause_campaign
from router.letters import Claim, Letter, Writer
from router.runtime import Runtime
from router.store.campaigns import CampaignRow
from router.store.notices import notify
from router.store.spendings import Booked, lock_limit, micros, month_of, read_spent
from router.store.tallies import Moves

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Afforded:
    """What a claim may send, and, where there is money for none of it, a sentence that says so."""

    letters: list[Letter]
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """One limit with what is spent of it, in millionths."""

    amount: int
    spent: int
    campaign: int
    currency: str
    month: int
    """0 where it is the campaign's own."""

    @property
    def sentence(self) -> str:
        """Whose limit it is, what is spent, and who can lift it, and how."""
        amount, spent = (f"{one / 1_000_000:,.2f} {self.currency}" for one in (self.amount, self.spent))
        resume = f"an organizer can resume it: outreach resume {self.campaign}"
        if not self.month:
            return (
                f"it has cost {spent}, and the next message would pass its spend_limit of {amount}; whoever may write"
                f" campaigns can raise that (PUT /api/v1/campaigns/{self.campaign}/ask), then {resume}"
            )
        return (
            f"all campaigns have cost {spent} in {self.month // 100}-{self.month % 100:02d}, and the next message would"
            f" pass the month's limit of {amount}; the operator can raise {self.currency} under [spend] month in"
            f" config/policy.toml and restart, then, or next month, {resume}"
        )


async def afford(
    runtime: Runtime,
    connection: AsyncConnection,
    campaign: CampaignRow,
    claim: Claim,
    writer: Writer,
    letters: Sequence[Letter],
    moves: Moves,
    *,
    now: datetime,
) -> Afforded:
    """Put aside what these cost, as far as the limits have room, in the order of the letters.

    Comes after all row locks of the claim and before its counters.
    """
    claim.booked = None
    channel = claim.batch.channel
    currency, price = runtime.rules_of(channel).currency, _dearest(runtime, channel)
    if not letters or not price:
        return Afforded(list(letters))
    booked = claim.booked = Booked(month_of(now), currency, price)
    kept = list(letters)
    refusal = ""
    if campaign.kind is not AskKind.REPLY and _has_limit(runtime, writer, currency):
        if runtime.specs[channel].counts_segments:
            booked.units = _segments(writer, letters, now)
        limits = await _limits(runtime, connection, campaign.id, writer, booked, moves)
        tightest = min(limits, key=lambda limit: limit.amount - limit.spent)
        kept = _within(letters, booked, tightest.amount - tightest.spent)
        refusal = "" if kept else tightest.sentence
    moves.spend(booked.month, campaign.id, currency, sum(booked.of(letter.ref.id) for letter in kept))
    return Afforded(kept, refusal)


def _dearest(runtime: Runtime, channel: str) -> int:
    """Millionths for one unit by the dearest of a channel's accounts: which one sends is decided after the claim."""
    rules = runtime.rules_of(channel)
    if not rules.accounts:
        return micros(rules.price)
    return max(micros(rules.of_account(account).price) for account in runtime.channels[channel])


def _has_limit(runtime: Runtime, writer: Writer, currency: str) -> bool:
    own = writer.ask.spend_limit
    return currency in runtime.policy.spend.month or (own is not None and own.currency == currency)


def _segments(writer: Writer, letters: Sequence[Letter], now: datetime) -> dict[int, int]:
    """Delivery number → segments, where it is more than one. Words that cannot be put together cost nothing later."""
    units = {}
    for letter in letters:
        with contextlib.suppress(Exception):
            count = count_segments(writer.write(letter, now).text).segments
            if count > 1:
                units[letter.ref.id] = count
    return units


async def _limits(
    runtime: Runtime, connection: AsyncConnection, campaign_id: int, writer: Writer, booked: Booked, moves: Moves
) -> list[_Limit]:
    """The limits that bind this campaign, held against others until the transaction ends: its own, then the month's."""
    currency, month = booked.currency, booked.month
    own, of_month = writer.ask.spend_limit, runtime.policy.spend.month.get(currency)
    found: list[_Limit] = []
    if own is not None and own.currency == currency:
        await lock_limit(connection, f"campaign {campaign_id} {currency}")
        spent = await read_spent(connection, currency, campaign=campaign_id)
        spent += moves.pending(currency, campaign=campaign_id)
        found.append(_Limit(amount=micros(own.amount), spent=spent, campaign=campaign_id, currency=currency, month=0))
    if of_month is not None:
        await lock_limit(connection, f"month {month} {currency}")
        spent = await read_spent(connection, currency, month=month) + moves.pending(currency, month=month)
        found.append(_Limit(amount=micros(of_month), spent=spent, campaign=campaign_id, currency=currency, month=month))
    return found


def _within(letters: Sequence[Letter], booked: Booked, room: int) -> list[Letter]:
    """The first of these that so many millionths pay for."""
    kept = []
    for letter in letters:
        room -= booked.of(letter.ref.id)
        if room < 0:
            break
        kept.append(letter)
    return kept


async def pause_for_money(runtime: Runtime, campaign_id: int, refusal: str, *, now: datetime) -> None:
    """Pause a campaign that has no money left, and tell all staff. What was paid for and claimed already may leave.

    Where the database is gone just now, the next claim comes here again.
    """
    with contextlib.suppress(NotAllowed, NotFound, Unavailable):
        await pause_campaign(runtime, campaign_id, by="router", reason=refusal, now=now, at_once=False)
        log.error("campaign %s is paused: %s", campaign_id, refusal)
        sentence = f"Campaign {campaign_id} is paused: {refusal}"
        await runtime.store.transact(
            lambda connection: notify(connection, "campaign", str(campaign_id), sentence, now=now)
        )
