"""A filter lets in the same members on SQLite, on PostgreSQL and by its plain meaning."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite

from router.core.ask import Ask
from router.core.audience import Filter, check_size
from router.store import tables
from router.store.audience import compile_audience, service_scope
from router.store.engine import Store

FILTER: TypeAdapter[Filter] = TypeAdapter(Filter)
START = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS = {901: 202610, 902: 202611}
"""The campaigns of the test and their months."""

TAGS = ["tenant", "élan", "100%", "under_score", 'quo"te']
KEYS = ["branch", 'shirt "size"', "a.b", "$", "naïve\\key", "0"]
VALUES = ["North", "north", "", "O'Neill", "100%", "42", "true", "👋"]
LOCALES = ["en", "en-GB", "es", "es-MX", "ES-mx", "est", "", "zh-Hant-TW"]
PLACES = ["São Paulo", "SÃO PAULO", "Łódź", "łódź", "Leeds", "LEEDS", "Екатеринбург", "екатеринбург", "a%", "ab", ""]
POSTCODES = ["SW1A 1AA", "sw1a1ab", "SW1B 1AA", "02134", "0213", "", "%", "1_2"]
CHANNELS = ["sms", "email"]
GROUPS = [40_001, 40_002]
STATUSES = ["queued", "sending", "sent", "delivered", "read", "failed", "expired", "cancelled", "unknown", "held"]


@dataclass
class Person:
    """One member with everything that a filter can ask about."""

    id: int
    row: dict[str, Any]
    tags: set[str] = field(default_factory=set)
    addresses: list[dict[str, Any]] = field(default_factory=list)
    suppressed: set[str] = field(default_factory=set)
    actions: list[tuple[int, str]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    groups: set[int] = field(default_factory=set)


def invent(count: int, seed: int = 7) -> list[Person]:
    """So many people, the same for the same seed."""
    rng = random.Random(seed)
    people = []
    for number in range(1, count + 1):
        joined = START + timedelta(hours=rng.randrange(0, 24 * 6))
        row = {
            "id": number,
            "locale": rng.choice(LOCALES),
            "country": rng.choice(["GB", "BR", ""]),
            "place": rng.choice(PLACES),
            "postcode": rng.choice(POSTCODES),
            "attributes": {key: rng.choice(VALUES) for key in rng.sample(KEYS, rng.randrange(4))},
            "joined_at": joined,
            "erased_at": joined if rng.random() < 0.1 else None,
            "created_at": joined,
            "updated_at": joined,
        }
        person = Person(number, row, tags=set(rng.sample(TAGS, rng.randrange(4))))
        for channel in CHANNELS:
            for rank in range(rng.randrange(3)):
                state = rng.choice(["active", "active", "active", "dead"])
                consent = rng.choice(["granted", "granted", "granted", "none", "unconfirmed", "revoked"])
                person.addresses.append(
                    {"channel": channel, "hash": f"{number}-{rank}", "state": state, "consent": consent}
                )
        person.suppressed = {c for c in CHANNELS if rng.random() < 0.2}
        person.actions = [(rng.choice(list(MONTHS)), rng.choice(["signed", "came"])) for _ in range(rng.randrange(3))]
        for campaign_id in MONTHS:
            if rng.random() < 0.7:
                status, version = rng.choice(STATUSES), rng.choice([None, 1, 2])
                person.deliveries.append({"campaign_id": campaign_id, "status": status, "text_version": version})
        person.groups = set(rng.sample(GROUPS, rng.randrange(3)))
        people.append(person)
    return people


def rows_of(people: Iterable[Person]) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """What stands in the ledger for them, table by table."""
    campaign = {"title": "t", "kind": "ask", "status": "running", "created_by": "a", "created_at": START}
    people = list(people)
    yield tables.campaign, [campaign | {"id": number, "month": month} for number, month in MONTHS.items()]
    yield tables.member, [p.row for p in people]
    yield tables.member_tag, [{"tag": tag, "member_id": p.id} for p in people for tag in sorted(p.tags)]
    addresses = [a | {"member_id": p.id, "value": "x", "created_at": START} for p in people for a in p.addresses]
    yield tables.address, [a | {"id": number} for number, a in enumerate(addresses, 10_000)]
    yield (
        tables.suppression,
        [
            {"address_hash": f"{p.id}-0", "channel": channel, "reason": "stop", "at": START}
            for p in people
            for channel in sorted(p.suppressed)
        ],
    )
    links = [{"group_id": group, "member_id": p.id} for p in people for group in sorted(p.groups)]
    yield tables.group_member, [link | {"source": "came", "at": START} for link in links]
    actions = [(p.id, *a) for p in people for a in p.actions]
    yield (
        tables.action,
        [
            {"id": n, "member_id": m, "campaign_id": c, "kind": k, "source": "api", "external_id": str(n), "at": START}
            for n, (m, c, k) in enumerate(actions, 20_000)
        ],
    )
    deliveries = [
        d | {"member_id": p.id, "channel": "sms", "month": MONTHS[d["campaign_id"]]}
        for p in people
        for d in p.deliveries
    ]
    yield tables.delivery, [d | {"id": number} for number, d in enumerate(deliveries, 30_000)]


def lets_in(audience: Any, person: Person) -> bool:
    """The plain meaning of a filter."""
    row = person.row
    if row["erased_at"]:
        return False
    match audience.op:
        case "everyone":
            return True
        case "and":
            return all(lets_in(part, person) for part in audience.of)
        case "or":
            return any(lets_in(part, person) for part in audience.of)
        case "not":
            return not lets_in(audience.of, person)
        case "tag":
            return audience.tag.lower() in person.tags
        case "attribute":
            value = row["attributes"].get(audience.name, "")
            return bool(value) if audience.equals is None else value == audience.equals
        case "locale":
            return f"{row['locale']}-".lower().startswith(f"{audience.locale}-".lower())
        case "joined":
            day = row["joined_at"].date()
            return (audience.since is None or day >= audience.since) and (
                audience.before is None or day < audience.before
            )
        case "place":
            own_postcode = row["postcode"].replace(" ", "").lower()
            return (
                (audience.country is None or row["country"] == audience.country)
                and (audience.place is None or row["place"].lower() == audience.place.strip().lower())
                and (audience.postcode is None or own_postcode.startswith(audience.postcode.replace(" ", "").lower()))
            )
        case "has_channel":
            return any(
                (a["channel"], a["state"], a["consent"]) == (audience.channel, "active", "granted")
                and not (a["hash"].endswith("-0") and a["channel"] in person.suppressed)
                for a in person.addresses
            )
        case "in_group":
            return audience.group in person.groups
        case "acted":
            return any(
                c == audience.campaign and (k == audience.kind if audience.kind else k != "click")
                for c, k in person.actions
            )
        case "received":
            return any(
                d["campaign_id"] == audience.campaign
                and d["status"] in ("sent", "delivered", "read", "unknown")
                and (audience.versions is None or d["text_version"] in audience.versions)
                for d in person.deliveries
            )
        case "members":
            return person.id in audience.ids
    raise AssertionError(audience)


def any_case(words: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([w for w in words if w]).flatmap(
        lambda w: st.sampled_from([w, w.upper(), w.lower(), w.title()])
    )


dates = st.dates(START.date(), START.date() + timedelta(days=7))
leaf = st.one_of(
    st.just({"op": "everyone"}),
    st.builds(lambda t: {"op": "tag", "tag": t}, any_case([*TAGS, "none"])),
    st.builds(
        lambda n, e: {"op": "attribute", "name": n, "equals": e},
        st.sampled_from([*KEYS, "none", "%", "*"]),
        st.one_of(st.none(), st.sampled_from([v for v in VALUES if v])),
    ),
    st.builds(lambda x: {"op": "locale", "locale": x}, st.sampled_from(["en", "EN", "es", "es-MX", "zh-Hant", "xx"])),
    st.builds(lambda a: {"op": "joined", "since": a}, dates),
    st.builds(lambda a: {"op": "joined", "before": a}, dates),
    st.builds(lambda a, n: {"op": "joined", "since": a, "before": a + timedelta(days=n)}, dates, st.integers(1, 3)),
    st.builds(
        lambda c, p, z: {"op": "place", "country": c, "place": p, "postcode": z},
        st.just("GB"),
        st.one_of(st.none(), any_case([*PLACES, "%"])),
        st.one_of(st.none(), any_case([*POSTCODES, "s w1", "sw1a", "_"])),
    ),
    st.builds(lambda p: {"op": "place", "place": p}, any_case([*PLACES, "  Leeds "])),
    st.builds(lambda z: {"op": "place", "postcode": z}, any_case([*POSTCODES, "s w1", "sw1a"])),
    st.builds(lambda c: {"op": "has_channel", "channel": c}, st.sampled_from([*CHANNELS, "fax"])),
    st.builds(lambda g: {"op": "in_group", "group": g}, st.sampled_from([*GROUPS, 40_003])),
    st.builds(
        lambda c, k: {"op": "acted", "campaign": c, "kind": k},
        st.sampled_from([*MONTHS, 903]),
        st.sampled_from([None, "signed", "came", "none"]),
    ),
    st.builds(
        lambda c, v: {"op": "received", "campaign": c, "versions": v},
        st.sampled_from([*MONTHS, 903]),
        st.sampled_from([None, [1], [1, 2], [3]]),
    ),
    st.builds(lambda ids: {"op": "members", "ids": ids}, st.lists(st.integers(0, 60), min_size=1, max_size=30)),
)
filters = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(lambda of: {"op": "not", "of": of}, inner),
        st.builds(
            lambda op, of: {"op": op, "of": of}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=4)
        ),
    ),
    max_leaves=8,
).map(FILTER.validate_python)

PEOPLE = invent(50)


@pytest.fixture
async def ledger(store: Store) -> Store:
    """A ledger with `PEOPLE` in it."""
    async with store.write() as connection:
        for table, rows in rows_of(PEOPLE):
            await connection.execute(insert(table), rows)
    return store


async def chosen(store: Store, audience: Filter, first: int = 0, last: int = 1_000) -> list[int]:
    """Who is let in, asked as routing asks it."""
    condition = compile_audience(audience, dialect=store.dialect)
    query = select(tables.member.c.id).where(tables.member.c.id.between(first, last), condition)
    async with store.read() as connection:
        return sorted((await connection.scalars(query)).all())


@given(audience=filters)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_both_databases_let_in_whom_the_filter_means(ledger: Store, audience: Filter) -> None:
    assert await chosen(ledger, audience) == [p.id for p in PEOPLE if lets_in(audience, p)]


FOUND_IN_PEOPLE: list[tuple[dict[str, Any], int]] = [
    ({"op": "tag", "tag": "Tenant"}, 5),
    ({"op": "attribute", "name": 'shirt "size"'}, 5),
    ({"op": "attribute", "name": "naïve\\key"}, 5),
    ({"op": "locale", "locale": "es"}, 8),
    ({"op": "place", "place": "ŁÓDŹ"}, 4),
    ({"op": "place", "postcode": "sw1"}, 8),
    ({"op": "has_channel", "channel": "sms"}, 5),
    ({"op": "in_group", "group": 40_001}, 5),
    ({"op": "acted", "campaign": 901, "kind": "signed"}, 5),
    ({"op": "received", "campaign": 902, "versions": [1, 2]}, 5),
]


async def test_each_part_lets_in_some_and_keeps_out_others(ledger: Store) -> None:
    for data, at_least in FOUND_IN_PEOPLE:
        read = FILTER.validate_python(data)
        found = await chosen(ledger, read)
        assert at_least <= len(found) < 45, data
        assert found == [p.id for p in PEOPLE if lets_in(read, p)], data
        assert await chosen(ledger, read, 10, 20) == [number for number in found if 10 <= number <= 20], data


async def test_no_word_is_taken_for_sql_or_a_pattern(ledger: Store) -> None:
    for word in ("%", "_", "'", "' OR 1=1 --", '"', "\\", "$.x", ":x", "{}", "?"):
        for data in (
            {"op": "tag", "tag": word},
            {"op": "attribute", "name": word},
            {"op": "attribute", "name": "branch", "equals": word},
            {"op": "place", "place": word},
            {"op": "has_channel", "channel": word},
            {"op": "acted", "campaign": 901, "kind": word},
        ):
            assert await chosen(ledger, FILTER.validate_python(data)) == [], data


PLACES_ELSEWHERE = [
    # kept, asked for, whether it fits
    ("İstanbul", "İstanbul", True),
    ("İSTANBUL", "İstanbul", True),
    ("Weißensee", "weißensee", True),
    ("ΠΆΤΡΑ", "Πάτρα", True),
    ("İzmir", "izmir", False),
    ("Zürich", "Zurich", False),
]


async def test_the_case_of_places_in_other_scripts(store: Store) -> None:
    moments = {"joined_at": START, "created_at": START, "updated_at": START}
    rows = [moments | {"id": number, "place": case[0]} for number, case in enumerate(PLACES_ELSEWHERE)]
    async with store.write() as connection:
        await connection.execute(insert(tables.member), rows)
    for number, (kept, asked, fits) in enumerate(PLACES_ELSEWHERE):
        found = await chosen(store, FILTER.validate_python({"op": "place", "place": asked}))
        assert (number in found) is fits, (kept, asked)


LARGEST = {
    "op": "and",
    "of": [
        {"op": "or", "of": [{"op": "received", "campaign": 901, "versions": list(range(100))}] * 45},
        {"op": "or", "of": [{"op": "received", "campaign": 902, "versions": list(range(100))}] * 45},
        {"op": "or", "of": [{"op": "members", "ids": list(range(1000))}] * 10},
        {"op": "or", "of": [{"op": "place", "place": "".join(map(chr, range(0x430, 0x450)))}, {"op": "everyone"}]},
        {"op": "not", "of": {"op": "not", "of": {"op": "not", "of": {"op": "not", "of": {"op": "everyone"}}}}},
        {"op": "or", "of": [{"op": "received", "campaign": 901, "versions": list(range(100))}] * 45},
    ],
}


async def test_the_largest_filter_that_is_allowed_runs(ledger: Store) -> None:
    audience = FILTER.validate_python(LARGEST)
    check_size(audience)
    await chosen(ledger, audience)


async def test_a_range_costs_its_own_members_only_however_large_the_ledger(ledger: Store) -> None:
    parts = [data for data, _ in FOUND_IN_PEOPLE if data["op"] not in ("attribute", "locale", "place")]
    either = FILTER.validate_python({"op": "or", "of": [*parts, {"op": "not", "of": {"op": "and", "of": parts}}]})
    condition = compile_audience(either, dialect=ledger.dialect)
    query = select(tables.member.c.id).where(tables.member.c.id.between(1, 1000), condition)
    dialect = DIALECTS[0 if ledger.is_sqlite else 1]
    statement = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    async with ledger.write() as connection:
        if not ledger.is_sqlite:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # the tables of a test are too small
        rows = await connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' * ledger.is_sqlite}{statement}")
        plan = "\n".join(str(row) for row in rows)
    assert "hashed" not in plan
    assert plan.count("SCAN") == 0
    if ledger.is_sqlite:
        assert "SEARCH delivery USING PRIMARY KEY (month=?)" not in plan


DIALECTS: list[Any] = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", DIALECTS, ids=["sqlite", "postgresql"])
@given(audience=filters)
@settings(max_examples=50, deadline=None)
def test_what_an_organizer_writes_is_never_part_of_the_statement(dialect: Any, audience: Filter) -> None:
    statement = str(compile_audience(audience, dialect=dialect.name).compile(dialect=dialect))
    for word in (*TAGS, *KEYS[:2], *VALUES[:1], "Paulo", "SW1A", "signed"):
        assert f"'{word.lower()}" not in statement.lower()


# ── service messages ──────────────────────────────────────────────────────────────────────────────────────────────


def service(kind: str, **more: Any) -> Ask:
    return Ask.model_validate({"title": "t", "kind": kind, "texts": {"en": {"default": {"text": "a"}}}} | more)


ACTED = {"op": "acted", "campaign": 901, "kind": None}
TENANTS = {"op": "tag", "tag": "tenant"}


@pytest.mark.parametrize(
    ("of", "scope"),
    [
        (service("reminder", about=901), ACTED),
        (service("moved", about=901), ACTED),
        (service("cancelled", about=901), ACTED),
        (service("receipt", about=901), ACTED),
        (service("moved", about=901, audience=TENANTS), {"op": "and", "of": [TENANTS, ACTED]}),
        (service("correction", about=901), {"op": "received", "campaign": 901, "versions": None, "variant": None}),
        (
            service("correction", about=901, about_versions=[1, 3]),
            {"op": "received", "campaign": 901, "versions": [1, 3], "variant": None},
        ),
        (service("welcome", audience=TENANTS), TENANTS),
        (service("ask", audience=TENANTS), TENANTS),
        (service("ask", about=901), {"op": "everyone"}),
    ],
    ids=lambda value: value.kind if isinstance(value, Ask) else "",
)
def test_a_service_message_reaches_only_those_whom_it_concerns(of: Ask, scope: dict[str, Any]) -> None:
    assert service_scope(of).model_dump() == scope
