"""Preview: what a launch would do now, asked of the very function that decides it then. Nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import consent, purse
from router.core.address import address_hash, mask, normalise
from router.core.ask import Ask
from router.core.consent import Allow
from router.core.content import sample_member
from router.core.errors import NotAllowed, NotFound
from router.core.model import Address, ConsentState, DeliveryRef, Member, Reason
from router.core.purse import EMPTY, Purse
from router.core.routing import Deliver, route
from router.core.sms import count_segments
from router.core.tone import ToneFinding, find_tone
from router.fanout import RANGE
from router.launch import expiry_of
from router.letters import Letter, Writer
from router.plans import house_of, plan_of, thread_of
from router.runtime import Runtime
from router.store.audience import audience_of
from router.store.bulk import in_numbers, numbers
from router.store.campaigns import lock_campaign, read_ask
from router.store.people import read_members


class Preview(BaseModel):
    """What a launch would do now, by the very function that decides it then."""

    model_config = ConfigDict(frozen=True)

    members: int
    """How many the audience has."""
    by_channel: dict[str, int]
    by_reason: dict[str, int]
    """Held back, by `Reason`."""
    by_locale: dict[str, int]
    """How many would read it in each locale."""
    default_text: int
    """How many get the default locale's text because theirs is missing."""
    deferred: int
    """How many wait for their quiet hours to end."""
    segments: int
    """SMS segments in all."""
    cost: dict[str, float]
    """currency → price of it all."""
    seconds: float
    """How long the sending takes at the present rates, quiet hours apart."""
    finishes_at: datetime
    samples: dict[str, str]
    """channel → the message as a first member would read it."""
    tone: list[ToneFinding]
    """Words that its author should look at again. It advises; nothing is held back for it."""


async def preview_campaign(runtime: Runtime, campaign_id: int, *, now: datetime) -> Preview:
    """A dry run of a campaign. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        if await lock_campaign(connection, campaign_id) is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        ask = await read_ask(connection, campaign_id)
    return await preview_ask(runtime, ask, now=now)


async def preview_ask(runtime: Runtime, ask: Ask, *, now: datetime) -> Preview:
    """A dry run of an ask that need not be saved."""
    starts_at = max(now, ask.starts_at or now)
    async with runtime.store.read() as connection:
        thread = await thread_of(connection, ask)
    plan = plan_of(runtime, ask, 0, earliest=starts_at, expires_at=expiry_of(runtime, ask, starts_at), thread=thread)
    where = audience_of(ask, dialect=runtime.store.dialect)
    house = house_of(runtime)
    count = _Count(runtime, ask, now)
    async with runtime.store.read() as connection:
        first, last = (await connection.execute(text("SELECT min(id), max(id) FROM member"))).one()
        for low in range(first or 0, (last or -1) + 1, RANGE):
            members = await read_members(connection, where, first=low, last=low + RANGE - 1)
            purses = await _purses(connection, members) if not plan.kind.is_service else {}
            for person in members:
                known = replace(person, purse=purses.get(person.household_id or person.id, EMPTY))
                verdict = route(known, plan, house, now=now)
                if isinstance(verdict, Deliver):
                    count.deliver(person, verdict)
                else:
                    count.hold(verdict.reason)
    return count.result()


async def _purses(connection: AsyncConnection, members: list[Member]) -> dict[int, Purse]:
    rows = await connection.execute(
        text(f"SELECT holder, slots FROM contact_budget WHERE holder {in_numbers(connection, 'ids')}"),
        {"ids": numbers(connection, {person.household_id or person.id for person in members})},
    )
    return {holder: purse.decode(slots) for holder, slots in rows}


@dataclass(slots=True)
class _Count:
    """Adds up the decisions of a preview."""

    runtime: Runtime
    ask: Ask
    now: datetime
    by_channel: Counter[str] = field(default_factory=Counter)
    by_reason: Counter[str] = field(default_factory=Counter)
    by_locale: Counter[str] = field(default_factory=Counter)
    default_text: int = 0
    deferred: int = 0
    segments: int = 0
    units: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    writers: dict[str, Writer] = field(default_factory=dict)

    def hold(self, reason: Reason) -> None:
        self.by_reason[reason.value] += 1

    def deliver(self, person: Member, verdict: Deliver) -> None:
        address = verdict.address
        if address.hash in self.taken:
            self.hold(Reason.DUPLICATE)
            return
        self.taken.add(address.hash)
        channel = address.channel
        self.by_channel[channel] += 1
        self.deferred += verdict.not_before > self.now
        found = self.ask.words(person.locale, channel)
        locale = found[0] if found else self.ask.default_locale
        self.by_locale[locale] += 1
        language = person.locale.partition("-")[0]
        self.default_text += bool(language) and language != locale.partition("-")[0]
        units = 1
        if self.runtime.specs[channel].counts_segments:
            units = count_segments(self._text(person, address)).segments
            self.segments += units
        elif channel not in self.samples:
            self._text(person, address)
        self.units[channel] += units

    def _text(self, person: Member, address: Address) -> str:
        if address.channel not in self.writers:
            spec = self.runtime.specs[address.channel]
            self.writers[address.channel] = Writer(self.runtime, self.ask, spec, campaign_id=0)
        allow = consent.check(address)
        assert isinstance(allow, Allow), "routing allowed it a moment ago"
        message = self.writers[address.channel].write(_letter(self.now, person, allow), self.now)
        self.samples.setdefault(address.channel, message.text)
        return message.text

    def result(self) -> Preview:
        cost: Counter[str] = Counter()
        seconds = 0.0
        for channel, units in self.units.items():
            rules = self.runtime.rules_of(channel)
            cost[rules.currency] += units * rules.price  # type: ignore[assignment]
            if rules.rate:
                seconds = max(seconds, units / rules.rate)
        return Preview(
            members=sum(self.by_channel.values()) + sum(self.by_reason.values()),
            by_channel=dict(self.by_channel),
            by_reason=dict(self.by_reason),
            by_locale=dict(self.by_locale),
            default_text=self.default_text,
            deferred=self.deferred,
            segments=self.segments,
            cost={currency: round(amount, 4) for currency, amount in cost.items()},
            seconds=round(seconds, 1),
            finishes_at=self.now + timedelta(seconds=seconds),
            samples=self.samples,
            tone=tone_of(self.runtime, self.ask),
        )


def tone_of(runtime: Runtime, ask: Ask) -> list[ToneFinding]:
    """What in an ask's words may cost the house its good name."""
    return find_tone(
        ask, runtime.tone, runtime.specs, organization=runtime.settings.organization, from_names=runtime.from_names
    )


def _letter(now: datetime, person: Member, allow: Allow) -> Letter:
    """A letter that is never sent; its number is as long as a real one, so that its link is too."""
    return Letter(
        ref=DeliveryRef(now.year * 100 + now.month, 10_000_000),
        member=person,
        allow=allow,
        attempts=1,
        hop=0,
        costs=False,
        valid_seconds=1,
        expires_at=None,
    )


async def send_test(runtime: Runtime, ask: Ask, *, to: str, now: datetime) -> str:
    """Send the real rendering to an address of one's own; returns a sentence that says what went where.

    `to` is a mailbox or a phone number, or names its channel: ``telegram:42``, ``whatsapp:+12025550123``.

    Raises `BadInput` for an address that cannot be, `NotAllowed` where it said STOP, `SendError` from the provider.
    """
    channel, colon, rest = to.partition(":")
    if colon and channel in runtime.specs:
        to = rest
    else:
        channel = "email" if "@" in to else "sms"
    accounts = runtime.channels.get(channel)
    if not accounts:
        raise NotAllowed(f"the channel {channel} is not set up; see README, Channels")
    spec = runtime.specs[channel]
    value = normalise(spec.address_kind, to, runtime.settings.default_region)
    hash_ = address_hash(runtime.key, spec.address_kind, value)
    async with runtime.store.read() as connection:
        stopped = await connection.scalar(
            text("SELECT 1 FROM suppression WHERE address_hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": channel},
        )
    address = Address(
        id=0, channel=channel, value=value, hash=hash_, consent=ConsentState.GRANTED, suppressed=bool(stopped)
    )
    allow = consent.check_self_test(address)
    if not isinstance(allow, Allow):
        raise NotAllowed("that address said STOP; send START from it first")
    writer = Writer(runtime, ask, spec, campaign_id=0)
    message = writer.write(_letter(now, sample_member(ask), allow), now)
    account, adapter = next(iter(accounts.items()))
    await adapter.send(message)
    return f"Sent by {channel} ({account}) to {mask(value)}: {len(message.text)} characters"
