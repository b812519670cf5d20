"""The audience builder: rows are a filter and back, the count is live, examples say why, limits hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from pydantic import TypeAdapter
from sqlalchemy import text

from router.core.address import address_hash
from router.core.ask import Ask
from router.core.audience import Everyone, Filter, Tagged
from router.core.errors import BadInput
from router.core.roles import Role
from router.drafting import save_campaign
from router.office.limits import limited, may_see, within, without
from router.runtime import Runtime
from router.store.bulk import insert_rows
from router.store.tables import address, member, member_tag, to_ms
from router.views import view_campaign
from router.web.office.audience_form import (
    CONDITIONS,
    JSON,
    AudienceFields,
    Row,
    WrongAudience,
    audience_of,
    fields_in,
    fields_of,
)
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'
TENANTS = Tagged(op="tag", tag="tenants")
_filter: TypeAdapter[Filter] = TypeAdapter(Filter)

LEAVES: tuple[dict[str, Any], ...] = (
    {"op": "tag", "tag": "tenants"},
    {"op": "place", "country": "US", "place": "Oakland", "postcode": "946"},
    {"op": "locale", "locale": "es"},
    {"op": "joined", "since": "2026-01-01"},
    {"op": "acted", "campaign": 7, "kind": "yes"},
    {"op": "received", "campaign": 7},
    {"op": "has_channel", "channel": "sms"},
    {"op": "in_group", "group": 9},
    {"op": "attribute", "name": "branch"},
    {"op": "members", "ids": [1, 2, 3]},
)


async def post(client: TestClient, who: Entered, path: str, form: Mapping[str, str]) -> ClientResponse:
    return await client.post(path, data={"csrf": who.csrf, **form}, headers=who.headers, allow_redirects=False)


async def save(runtime: Runtime, clock: Clock, **ask: Any) -> int:
    values = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}, **ask}
    return (await save_campaign(runtime, Ask.model_validate(values), by="ana", now=clock())).id


async def add_members(runtime: Runtime, clock: Clock, tags: Mapping[int, str]) -> None:
    """Members with these numbers and tags, each with a phone that agreed."""
    now = to_ms(clock())
    names = ("id", "first_name", "last_name", "locale", "zone", "country", "place", "attributes", "joined_at")
    rows = [
        (number, f"Ana{number}", "Ruiz", "en", "America/Los_Angeles", "US", HOSTILE, "{}", 0, now, now)
        for number in tags
    ]
    ours = ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "created_at")
    phones = [
        (1000 + n, n, "sms", value, address_hash(runtime.key, "phone", value), "active", "granted", 0, now)
        for n in tags
        for value in [f"+120255501{n:02d}"]
    ]
    async with runtime.store.write() as connection:
        await insert_rows(connection, member, (*names, "created_at", "updated_at"), rows)
        await insert_rows(connection, address, ours, phones)
        await insert_rows(connection, member_tag, ("tag", "member_id"), [(tag, n) for n, tag in tags.items() if tag])


# ── rows and filters ──────────────────────────────────────────────────────────────────────────────────────────────


def form_of(fields: AudienceFields) -> dict[str, list[str]]:
    """What a browser sends of it."""
    form = {"match": ["any" if fields.any else "all"], JSON: [fields.json]}
    for place, row in enumerate(fields.rows):
        form |= {f"row.{place}.op": [row.op]} | ({f"row.{place}.not": ["yes"]} if row.is_not else {})
        form |= {f"row.{place}.{name}": [value] for name, value in row.values.items()}
    return form | ({"use_json": ["yes"]} if fields.use_json else {})


@pytest.mark.parametrize(
    "document",
    [
        {"op": "everyone"},
        *LEAVES,
        {"op": "not", "of": LEAVES[0]},
        {"op": "and", "of": [LEAVES[0], {"op": "not", "of": LEAVES[4]}]},
        {"op": "or", "of": list(LEAVES)},
        {"op": "and", "of": [LEAVES[0], {"op": "or", "of": [LEAVES[1], LEAVES[2]]}]},
        {"op": "received", "campaign": 7, "variant": 1},
        {"op": "not", "of": {"op": "not", "of": LEAVES[0]}},
    ],
    ids=lambda document: json.dumps(document)[:60],
)
def test_an_audience_comes_back_from_its_form_as_it_was(document: dict[str, Any]) -> None:
    found = _filter.validate_python(document)
    assert audience_of(fields_in(form_of(fields_of(found)))) == found


def test_every_condition_has_a_row() -> None:
    assert {leaf["op"] for leaf in LEAVES} == set(CONDITIONS)


@pytest.mark.parametrize(
    ("op", "values", "box", "words"),
    [
        ("tag", {"tag": ""}, "row.0.tag", "Write something here."),
        ("place", {}, "row.0", "Give country, place or postcode."),
        ("place", {"country": "usa"}, "row.0.country", "cannot be written so"),
        ("acted", {"campaign": "seven"}, "row.0.campaign", "Write a whole number, in digits."),
        ("acted", {"campaign": "-1"}, "row.0.campaign", "greater than or equal to 0"),
        ("members", {"ids": ""}, "row.0.ids", "Write something here."),
        ("joined", {"since": "2026-02-30"}, "row.0.since", "date"),
    ],
)
def test_what_is_wrong_is_said_at_its_row(op: str, values: dict[str, str], box: str, words: str) -> None:
    with pytest.raises(WrongAudience) as caught:
        audience_of(AudienceFields([Row(op, False, values)], False, "", False))
    assert words in caught.value.wrong[box], caught.value.wrong


@pytest.mark.parametrize("raw", ["", "[", '{"op": "sql"}', '{"op":"not","of":' * 50 + '{"op":"everyone"}' + "}" * 50])
def test_json_that_is_no_audience_is_refused(raw: str) -> None:
    with pytest.raises(WrongAudience) as caught:
        audience_of(AudienceFields([], False, raw, True))
    assert caught.value.wrong[JSON]


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_limit_holds_whatever_is_chosen(runtime: Runtime, clock: Clock) -> None:
    captain = (await come_in(runtime, Role.AUTHOR, audience=TENANTS, now=clock())).organizer
    anybody = (await come_in(runtime, Role.ADMIN, now=clock())).organizer
    spanish = _filter.validate_python(LEAVES[2])
    wide = _filter.validate_python({"op": "or", "of": [LEAVES[0], LEAVES[2]]})
    for chosen in (Everyone(), spanish, wide, _filter.validate_python({"op": "not", "of": LEAVES[0]})):
        forced = within(captain, chosen)
        assert within(captain, forced) == forced
        assert without(captain, forced) == chosen
        ask = Ask.model_validate({"title": "x", "texts": {"en": {"default": {"text": "x"}}}})
        ask = ask.model_copy(update={"audience": chosen})
        assert not may_see(captain, ask)
        assert may_see(captain, limited(captain, ask))
        assert may_see(anybody, ask)
        assert limited(anybody, ask) == ask
        with pytest.raises(BadInput, match="groups"):
            limited(captain, ask.model_copy(update={"groups": ["all"]}))
        assert not may_see(captain, limited(captain, ask).model_copy(update={"groups": ["all"]}))
    houses = _filter.validate_python({"op": "or", "of": [LEAVES[0], LEAVES[2]]})
    two = captain.model_copy(update={"audience": houses})
    assert within(two, TENANTS) == TENANTS
    assert within(two, houses) == houses
    elsewhere = _filter.validate_python(LEAVES[4])
    assert within(two, elsewhere) == _filter.validate_python({"op": "and", "of": [houses.model_dump(), LEAVES[4]]})
    both = captain.model_copy(update={"audience": _filter.validate_python({"op": "and", "of": list(LEAVES[:2])})})
    assert within(both, TENANTS) != TENANTS
    named = captain.model_copy(update={"audience": _filter.validate_python(LEAVES[9])})
    some = _filter.validate_python({"op": "members", "ids": [2, 3]})
    assert within(named, some) == some
    assert within(named, _filter.validate_python({"op": "members", "ids": [2, 4]})).op == "and"
    narrow = _filter.validate_python({"op": "or", "of": [LEAVES[0], {"op": "and", "of": [LEAVES[2], LEAVES[0]]}]})
    assert within(captain, narrow) == narrow


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_audience_is_built_row_by_row_without_a_script(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    await add_members(runtime, clock, {1: "tenants", 2: "tenants", 3: ""})
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    number = await save(runtime, clock)
    path = f"/office/asks/{number}/audience"
    async with client.get(path, headers=ada.headers) as response:
        page = await response.text()
        assert "Everybody. Add a condition" in page
        assert '<option value="tenants">' in page
    page = await (await post(client, ada, path, {"do": "add", "op": "tag"})).text()
    assert 'name="row.0.tag"' in page
    rows = {"row.0.op": "tag", "row.0.tag": "tenants", "version": "1"}
    page = await (await post(client, ada, path, rows | {"do": "count"})).text()
    assert '<span class="figure">2</span>' in page
    page = await (await post(client, ada, path, rows | {"do": "drop:0"})).text()
    assert 'name="row.0.tag"' not in page
    for _ in range(2):
        response = await post(client, ada, path, rows | {"do": "save"})
        assert response.headers["Location"] == f"/office/asks/{number}/preview"
    view = await view_campaign(runtime, number)
    assert (view.ask.audience, view.text_version) == (TENANTS, 2)
    response = await post(client, ada, path, rows | {"row.0.tag": "", "version": "2"})
    assert response.status == 422
    assert 'id="row.0.tag-wrong">Write something here.' in await response.text()
    response = await post(client, ada, path, rows | {"row.0.tag": "others"})
    assert "somebody changed this ask meanwhile" in (await response.text()).lower()
    async with client.get(path, headers=ada.headers) as response:
        assert 'value="tenants"' in await response.text()


async def test_examples_say_why_and_whether_they_can_be_reached(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    await add_members(runtime, clock, dict.fromkeys(range(1, 9), "tenants") | dict.fromkeys(range(9, 13), ""))
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET dial = 'paused' WHERE id = 1"))
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    number = await save(runtime, clock)
    path = f"/office/asks/{number}/audience/count"
    form = {"row.0.op": "tag", "row.0.tag": "tenants", "row.1.op": "place", "row.1.country": "US", "member": "12"}
    part = await (await post(client, ada, path, form)).text()
    assert "<html" not in part
    assert '<span class="figure">8</span>' in part
    assert "Member 12</p>\n    <p><strong>Not in</strong>: none of the members who have the tag tenants." in part
    first = part.partition("Member 1</p>")[2].partition("</li>\n  <li")[0]
    assert "one of the members who have the tag tenants; one of the members who live in US" in first
    assert "Would be left in peace now." in first
    assert "Sms (address 1001) was left out: the member asked for a pause." in first
    second = part.partition("Member 2</p>")[2].partition("</li>\n  <li")[0]
    assert "Can be reached now." in second
    assert "Ana2 R" in part
    assert "Ruiz" not in part
    assert "+1202555" not in part
    assert "<script>" not in part
    for asked, words in (("99", "There is no member 99."), ("x", "Write a whole number, in digits.")):
        assert words in await (await post(client, ada, path, form | {"member": asked})).text()


async def test_an_organizer_of_a_part_sees_counts_and_writes_to_theirs_only(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    await add_members(runtime, clock, {1: "tenants", 2: "tenants", 3: "secret", 4: "secret"})
    captain = await come_in(runtime, Role.AUTHOR, audience=TENANTS, now=clock())
    others, own = await save(runtime, clock), await save(runtime, clock, audience=TENANTS.model_dump())
    for method, path in (("GET", ""), ("POST", ""), ("POST", "/count")):
        headers = captain.headers | {"X-CSRF": captain.csrf}
        async with client.request(method, f"/office/asks/{others}/audience{path}", headers=headers) as response:
            assert response.status == 404
    path = f"/office/asks/{own}/audience"
    async with client.get(path, headers=captain.headers) as response:
        page = await response.text()
        assert "You write to a part of the members only: members who have the tag tenants." in page
        assert "Everybody in your part" in page
        assert "secret" not in page
    form = {"row.0.op": "tag", "row.0.tag": "secret", "row.1.op": "tag", "row.1.tag": "tenants", "match": "any"}
    part = await (await post(client, captain, f"{path}/count", form)).text()
    assert '<span class="figure">2</span>' in part
    assert "Member 3" not in part
    assert (
        "There is no member 3." in await (await post(client, captain, f"{path}/count", form | {"member": "3"})).text()
    )
    await post(client, captain, path, form | {"version": "1"})
    saved = (await view_campaign(runtime, own)).ask
    assert saved.audience.op == "and"
    assert may_see(captain.organizer, saved)


async def test_hostile_conditions_are_shown_as_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    number = await save(runtime, clock, title=HOSTILE)
    for op, (_, boxes) in CONDITIONS.items():
        row = {"row.0.op": op, **{f"row.0.{box.name}": HOSTILE for box in boxes}, "member": HOSTILE}
        for do in ("save", "count", "show"):
            response = await post(client, ada, f"/office/asks/{number}/audience", row | {"do": do, JSON: HOSTILE})
            page = await response.text()
            assert "<script>alert" not in page
            assert "<img" not in page
            assert ">49" not in page
            if response.status == 303:  # a tag may be called so
                await post(client, ada, f"/office/asks/{number}/audience", {"version": "2"})
