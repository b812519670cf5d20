"""The preview counts people who are alike together; it must say what asking for each of them would say."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select, text

from router.core import consent, purse
from router.core.ask import Ask
from router.core.consent import Allow
from router.core.giving_way import booked
from router.core.lot import is_held_out, variant_of
from router.core.purse import Purse
from router.core.rates import ChannelRules
from router.core.routing import Deliver, route
from router.core.sms import count_segments
from router.launch import expiry_of
from router.letters import Writer
from router.plans import house_of, plan_of
from router.preview import Preview, preview_ask
from router.store.audience import audience_of
from router.store.engine import Store
from router.store.people import read_members_by_id
from router.store.tables import member, to_ms
from router.weighing import unsent_letter
from tests.support.ledger import Ledger

RULES = {
    "sms": ChannelRules(rate=10, concurrency=4, price=0.01, no_asks_to=["+3363998001"]),
    "email": ChannelRules(rate=100, concurrency=2),
}
NAMES = [
    "Ana",
    "Zoë",
    "",
    "  ",
    "Ἀθηνᾶ",
    "Marie-Claire",
    "Wilhelmina Alexandra von und zu",
    "https://evil.example",
    "B{}",
    "Li",
]
TEXT = (
    "Hi {{ first_name | default('neighbour') | upper }} {{ last_name | truncate(7) }}: the vote on {{ title }} in"
    " {{ place | title | default('town') }} is {{ deadline }}. We need every chair filled, bring everybody you know."
    " {{ attribute.branch | default('[all] of you') }} {{ link }}"
)


def ask(ledger: Ledger, **values: Any) -> Ask:
    """One with every kind of variable, in two languages."""
    texts = {"en": {"default": {"text": TEXT}}, "es": {"default": {"text": "¿Vienes, {{ first_name }}? {{ link }}"}}}
    return Ask.model_validate({"title": "Rent", "link": "https://example.org/v", "texts": texts, **values})


async def populate(ledger: Ledger, draw: random.Random, *, part: int = 1) -> None:
    """All sorts of people; `part` 3 for a third as many."""
    now = to_ms(ledger.clock())
    await ledger.add_members(120 // part, channels=("sms", "email"))
    await ledger.add_members(60 // part, channels=("email",))
    people = await ledger.add_members(60 // part, channels=("sms",))
    await ledger.add_members(3, phone="+33639980001")
    [household] = await ledger.store.take_ids(1)
    numbers = [number for [number] in await ledger.execute("SELECT id FROM member ORDER BY id")]
    async with ledger.store.write() as connection:
        for number in numbers:
            for statement, parameters in _some_person(draw, number, household, now):
                await connection.execute(text(statement), {"id": number, **parameters})
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, at) SELECT hash, channel, 'stop', 0 FROM address"
        " WHERE member_id = :id",
        id=people[0],
    )


def _some_person(draw: random.Random, number: int, household: int, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    day = 86_400_000
    yield (
        "UPDATE member SET first_name = :f, last_name = :l, place = :p, locale = :o, zone = :z, country = :c,"
        " postcode = :t, joined_at = :j, dial = :d, paused_until = :u, household_id = :h, attributes = :a,"
        " erased_at = :e WHERE id = :id",
        {
            "f": draw.choice(NAMES),
            "l": draw.choice(NAMES),
            "p": draw.choice(["", "Rome", "Newcastle upon Tyne"]),
            "o": draw.choice(["en", "es", "es-MX", "fr", ""]),
            "z": draw.choice(["Europe/Paris", "Asia/Tokyo", ""]),
            "c": draw.choice(["FR", "US"]),
            "t": draw.choice(["40202", "02903", ""]),
            "j": draw.choice([now - 400 * day, now - 3_600_000]),
            "d": draw.choice(["everything"] * 5 + ["weekly", "urgent_only"]),
            "u": draw.choice([None, None, now + 3_600_000]),
            "h": draw.choice([None] * 9 + [household]),
            "a": json.dumps({"branch": draw.choice(["North", "€uro{}"])}),
            "e": draw.choice([None] * 15 + [1]),
        },
    )
    if draw.random() < 0.4:
        at = now - draw.choice([3_600_000, 5 * day])
        slots = [[at + n, number + n, draw.choice(["sms", "email"]), 1] for n in range(draw.randrange(4))]
        yield "INSERT INTO contact_budget (holder, slots) VALUES (:id, :slots)", {"slots": json.dumps(slots)}
    yield (
        "UPDATE address SET consent = :c, state = :s, answers = :a, rank = :r, alerts = :l, failures = :f,"
        " last_inbound_at = :w WHERE member_id = :id AND channel = :n",
        {
            "c": draw.choice(["granted"] * 6 + ["revoked", "none"]),
            "s": draw.choice(["active"] * 9 + ["dead"]),
            "a": draw.choice([0, 2]),
            "r": draw.choice([0, 1]),
            "l": draw.random() < 0.3,
            "f": draw.choice([0, 0, 0, 1]),
            "w": draw.choice([None, None, now - 3_600_000, now - 40 * 3_600_000]),
            "n": draw.choice(["sms", "email"]),
        },
    )


async def one_by_one(ledger: Ledger, made: Ask) -> dict[str, Any]:
    """The same counts the slow way: routing and rendering for every single member."""
    runtime, now = ledger.runtime, ledger.clock()
    key, share = runtime.key, runtime.policy.hold_out.share
    plan = plan_of(runtime, made, 0, earliest=now, expires_at=expiry_of(runtime, made, now))
    writers = {name: Writer(runtime, made, runtime.specs[name], campaign_id=0) for name in ("sms", "email")}
    channels: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    taken: set[str] = set()
    spent: dict[int, Purse] = {}
    segments = deferred = 0
    async with ledger.store.read() as connection:
        query = select(member.c.id).where(audience_of(made, dialect=ledger.store.dialect)).order_by(member.c.id)
        numbers = (await connection.execute(query)).scalars().all()
        found = await read_members_by_id(connection, numbers)
    budgets = dict(await ledger.execute("SELECT holder, slots FROM contact_budget WHERE slots <> '[]'"))
    attributes = dict(await ledger.execute("SELECT id, attributes FROM member"))
    for person in [found[number] for number in numbers]:
        stored = attributes[person.id]
        holder = person.household_id or person.id
        known = replace(
            person,
            purse=spent.get(holder) or purse.decode(budgets.get(holder, "[]")),
            attributes=json.loads(stored) if isinstance(stored, str) else stored,
        )
        verdict = route(known, plan, house_of(runtime), now=now)
        if not isinstance(verdict, Deliver):
            reasons[verdict.reason.value] += 1
        elif made.hold_out and not person.is_group and is_held_out(key, person.id, now.year, share):
            reasons["held_out"] += 1
        elif verdict.address.hash in taken:
            reasons["duplicate"] += 1
        else:
            taken.add(verdict.address.hash)
            if person.household_id is not None and not made.kind.is_service:
                spent[holder] = booked(plan, house_of(runtime), known, known.purse, verdict, 0, now)
            channels.update({verdict.address.channel, *(address.channel for address in verdict.also)})
            deferred += verdict.not_before > now
            if verdict.address.channel == "sms":
                allow = consent.check(verdict.address)
                assert isinstance(allow, Allow)
                letter = replace(unsent_letter(now, known, allow), variant=variant_of(key, 0, person.id))
                segments += count_segments(writers["sms"].write(letter, now).text).segments
    return {"by_channel": channels, "by_reason": reasons, "segments": segments, "deferred": deferred}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"purpose": "fundraising", "urgent": True},
        {"starts_at_local": "2026-11-21T09:30:00"},
        {"kind": "welcome"},
        {"second": {"en": {"default": {"text": f"{TEXT} {TEXT}"}}}},
        {"hold_out": True},
    ],
    ids=["general", "fundraising", "local hour", "service", "two texts", "hold-out"],
)
async def test_counting_those_who_are_alike_is_counting_each(store: Store, values: dict[str, Any]) -> None:
    ledger = Ledger(store, rules=RULES)
    await populate(ledger, random.Random(5))
    made = ask(ledger, deadline=(ledger.clock() + timedelta(days=2)).isoformat(), **values)
    seen = await preview_ask(ledger.runtime, made, now=ledger.clock())
    slow = await one_by_one(ledger, made)
    assert {name: getattr(seen, name) for name in slow} == slow
    assert len(seen.by_reason) >= 2
    assert seen.segments > seen.by_channel["sms"]
    assert sum(seen.by_locale.values()) == sum(seen.by_channel.values())


OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "purpose": st.sampled_from(["general", "fundraising", "ballot"]),
    "kind": st.sampled_from(["ask", "welcome"]),
    "urgent": st.booleans(),
    "alert": st.booleans(),
    "priority": st.integers(-2, 2),
    "asks_permission": st.booleans(),
    "hold_out": st.booleans(),
    "second": st.just({"en": {"default": {"text": f"{TEXT} {TEXT}"}}}),
    "waterfall": st.just([{"channel": "email"}, {"channel": "sms"}]),
    "starts_at_local": st.just("2026-11-21T09:30:00"),
}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), values=st.fixed_dictionaries({}, optional=OPTIONS), days=st.integers(0, 4))
async def test_counting_any_people_is_counting_each(store: Store, seed: int, values: dict[str, Any], days: int) -> None:
    ledger = Ledger(store, rules=RULES)
    deadline = {"deadline": (ledger.clock() + timedelta(days=days)).isoformat()} if days else {}
    try:
        made = ask(ledger, **deadline, **values)
    except ValidationError:
        reject()
    for table in ("member", "address", "contact_budget", "suppression"):
        await ledger.execute(f"DELETE FROM {table}")
    await populate(ledger, random.Random(seed), part=4)
    seen = await preview_ask(ledger.runtime, made, now=ledger.clock())
    slow = await one_by_one(ledger, made)
    # Of an alert's further messages only an average is known.
    told = [name for name in slow if not (made.alert and name == "segments")]
    assert {name: getattr(seen, name) for name in told} == {name: slow[name] for name in told}


async def test_an_alert_is_counted_on_all_channels_that_it_goes_to(ledger: Ledger) -> None:
    await ledger.add_members(10, channels=("sms", "email"))
    await ledger.add_members(5, channels=("sms", "email"))
    await ledger.execute("UPDATE address SET alerts = true WHERE member_id <= (SELECT min(id) + 9 FROM member)")
    seen = await preview_ask(ledger.runtime, ask(ledger, alert=True), now=ledger.clock())
    assert (seen.members, seen.by_channel) == (15, {"sms": 15, "email": 10})


# ── with a deadline ───────────────────────────────────────────────────────────────────────────────────────────────────


async def look(ledger: Ledger, *, minutes: int = 70, later: int = 0, **values: Any) -> Preview:
    now = ledger.clock()
    about: dict[str, Any] = {"deadline": (now + timedelta(minutes=minutes)).isoformat(), "urgent": True, **values}
    if later:
        about["starts_at"] = (now + timedelta(minutes=later)).isoformat()
    texts = {"en": {"default": {"text": "Come, {{ first_name }}!"}}}
    made = Ask.model_validate({"title": "Vote", "texts": texts, **about})
    return await preview_ask(ledger.runtime, made, now=now)


LATE = "It cannot: {} people would be reached too late; sms sends 0.1 segments a second; {}."
PICTURE = {"picture": {"url": "https://example.org/" + "x" * 150, "alt": "A room"}}


@pytest.mark.parametrize(
    ("people", "options", "sentence"),
    [
        (100, {}, "It can be done: the last leaves at 18:16 UTC, 53 minutes before the deadline."),
        (400, {}, LATE.format(40, "add a second number")),
        (400, {"later": 20}, LATE.format(160, "add a second number")),
        (300, {"later": 20}, LATE.format(60, "start by 18:10 UTC or add a second number")),
        (350, PICTURE, LATE.format(170, "add a second number, drop the picture or shorten it to one segment")),
        (400, {"minutes": 15, **PICTURE}, LATE.format(
            385, "it takes more than one step: more senders, a shorter text, fewer people or a later deadline"
        )),
    ],
    ids=["in time", "second number", "too late anyway", "start by", "picture", "hopeless"],
)  # fmt: skip
async def test_whether_it_can_be_done_in_one_sentence(
    store: Store, people: int, options: dict[str, Any], sentence: str
) -> None:
    ledger = Ledger(store, rules={"sms": ChannelRules(rate=0.1, concurrency=4)})
    ledger.runtime.channels.pop("email")  # type: ignore[attr-defined]
    await ledger.add_members(people)
    seen = await look(ledger, **options)
    assert seen.surge is not None
    assert seen.surge.sentence == sentence


async def test_what_overflows_to_which_channel(store: Store) -> None:
    ledger = Ledger(store, rules={**RULES, "sms": ChannelRules(rate=0.1, concurrency=4)})
    await ledger.add_members(500, channels=("sms", "email"))
    seen = await look(ledger)
    assert seen.surge is not None
    assert seen.by_channel == {"sms": 500}
    sms, email = seen.surge.channels["sms"], seen.surge.channels["email"]
    assert (sms.wanted, sms.in_time, sms.overflow, sms.late) == (500, 360, {"email": 140}, 0)
    assert (email.wanted, email.in_time) == (0, 140)
    assert seen.surge.can_be_done
    assert (await look(ledger, deadline=None)).surge is None


async def test_for_whom_it_is_night_is_told(ledger: Ledger) -> None:
    """In Tokyo a text may come from 9 o'clock on, five minutes before the deadline."""
    await ledger.add_members(20)
    await ledger.execute("UPDATE member SET zone = 'Asia/Tokyo', country = 'JP' WHERE id % 2 = 0")
    seen = await look(ledger, minutes=6 * 60 + 5, urgent=False)
    assert seen.surge is not None
    assert seen.surge.sentence == (
        "It cannot: 10 people would be reached too late; for 10 of them it is night until then."
    )
