"""Preview: what a launch would do now, asked of the very function that decides it then. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from router.community.debts import debt_warning
from router.core import consent
from router.core.address import address_hash, mask, normalise
from router.core.ask import Ask
from router.core.consent import Allow
from router.core.content import sample_member
from router.core.errors import NotAllowed, NotFound
from router.core.model import Address, ConsentState, Reason
from router.core.surge import Pipe
from router.core.tone import ToneFinding, find_tone
from router.headcount import Headcount
from router.launch import expiry_of
from router.letters import Writer
from router.outlook import Surge, surge_of
from router.pipes import read_pipes, weights_of
from router.plans import asked_groups, house_of, lane_of, owed_by, plan_of, thread_of
from router.runtime import Runtime
from router.smoothing import forecast_pace
from router.store.audience import audience_of
from router.store.campaigns import lock_campaign, read_ask
from router.store.tables import to_ms
from router.weighing import unsent_letter


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
    group_first: int
    """How many wait because it is posted in a group that they are in: only who does not answer there gets it."""
    segments: int
    """SMS segments in all."""
    cost: dict[str, float]
    """currency → price of it all."""
    seconds: float
    """How long the sending takes at the present rates, quiet hours apart."""
    pace: str
    """Where it goes out only as fast as the inbox can bear: how fast that is; "" otherwise."""
    finishes_at: datetime
    samples: dict[str, str]
    """channel → the message as a first member would read it."""
    debt: str
    """Where people are left out because they are owed a report-back: by what, and what to do; "" otherwise."""
    surge: Surge | None
    """Whether it can be done before the ask's deadline; None where it has none."""
    tone: list[ToneFinding]
    """Words that its author should look at again. It advises; nothing is held back for it."""


async def preview_campaign(runtime: Runtime, campaign_id: int, *, now: datetime) -> Preview:
    """A dry run of a campaign. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        if await lock_campaign(connection, campaign_id) is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        ask = await read_ask(connection, campaign_id)
    return await preview_ask(runtime, ask, campaign_id=campaign_id, now=now)


async def preview_ask(runtime: Runtime, ask: Ask, *, campaign_id: int = 0, now: datetime) -> Preview:
    """A dry run of an ask that need not be saved; `campaign_id` where it is."""
    starts_at = max(now, ask.starts_at or now)
    async with runtime.store.read() as connection:
        thread = await thread_of(connection, ask)
        owed = await owed_by(connection, ask, campaign_id, now=now)
    # A transaction of its own: the followed campaign's row is not held meanwhile, so that it can be paused.
    async with runtime.store.read() as connection:
        plan = plan_of(
            runtime, ask, 0, earliest=starts_at, expires_at=expiry_of(runtime, ask, starts_at), thread=thread
        )
        count = Headcount(
            runtime, ask, plan, house_of(runtime), now, ways=ask.deadline is not None, campaign=campaign_id, owed=owed,
            groups=asked_groups(runtime, ask, plan),
        )  # fmt: skip
        await count.read(connection, audience_of(ask, dialect=runtime.store.dialect))
        weights = weights_of(runtime, ask, plan.channels) | count.weights
        pipes = await read_pipes(
            runtime, connection, plan.channels | plan.group_channels, lane=lane_of(ask), weights=weights,
            now=starts_at, due=ask.deadline or expiry_of(runtime, ask, starts_at),
        )  # fmt: skip
        people = sum(fate.people.total() for fate in count.fates.values() if fate.reason is None)
        pace = await forecast_pace(runtime, connection, ask, people)
        debt = await debt_warning(connection, owed, count.held[Reason.REPORT_OWED], campaign_id)
    return _preview(runtime, ask, count, pipes, pace, debt, starts_at, now)


def _preview(
    runtime: Runtime,
    ask: Ask,
    count: Headcount,
    pipes: Mapping[str, Pipe],
    pace: tuple[float, str],
    debt: str,
    starts_at: datetime,
    now: datetime,
) -> Preview:
    by_channel: Counter[str] = Counter()
    by_locale: Counter[str] = Counter()
    default_text = deferred = group_first = segments = people = 0
    cost: dict[str, float] = {}
    for fate in count.fates.values():
        many = fate.people.total()
        people += many
        deferred += many if fate.own_at > to_ms(now) else 0
        group_first += many if fate.ways and fate.ways[0][1] > fate.own_at else 0
        by_channel.update(dict.fromkeys([fate.ways[0][0], *fate.also], many) if many else {})
        for (locale, is_default, _), some in fate.people.items():
            by_locale[locale] += some
            default_text += some if is_default else 0
    seconds, paced = pace
    for channel, units in count.units.items():
        rules = runtime.rules_of(channel)
        cost[rules.currency] = cost.get(rules.currency, 0.0) + units * rules.price
        segments += round(units) if runtime.specs[channel].counts_segments else 0
        if pipes[channel].rate:
            seconds = max(seconds, units / pipes[channel].rate)
    return Preview(
        members=people + count.held.total(),
        by_channel=dict(by_channel),
        by_reason={reason.value: held for reason, held in count.held.items()},
        by_locale=dict(by_locale),
        default_text=default_text,
        deferred=deferred,
        group_first=group_first,
        segments=segments,
        cost={currency: round(amount, 4) for currency, amount in cost.items()},
        seconds=round(seconds, 1),
        pace=paced,
        finishes_at=now + timedelta(seconds=seconds),
        samples=count.samples,
        tone=tone_of(runtime, ask),
        debt=debt,
        surge=surge_of(runtime, ask, count.fates.values(), pipes, starts_at=starts_at, now=now),
    )


def tone_of(runtime: Runtime, ask: Ask) -> list[ToneFinding]:
    """What in an ask's words may cost the house its good name."""
    return find_tone(
        ask, runtime.tone, runtime.specs, organization=runtime.settings.organization, from_names=runtime.from_names
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
    message = writer.write(unsent_letter(now, sample_member(ask), allow), now)
    account, adapter = next(iter(accounts.items()))
    await adapter.send(message)
    return f"Sent by {channel} ({account}) to {mask(value)}: {len(message.text)} characters"
