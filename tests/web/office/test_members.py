"""Members: who is found and by whom, one member's history, tags, two records that are one person."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select, update

from router.core.audience import Tagged
from router.core.roles import Role
from router.office.audit import read_audit
from router.records.members import ConsentRecord, MemberRecord, upsert_member
from router.runtime import Runtime
from router.store.tables import member, member_tag
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read

PHONE = "+12025550123"


async def enter(runtime: Runtime, **record: object) -> int:
    """One member by the one way in which people come in."""
    made = await upsert_member(
        runtime.store, runtime.key, "US", MemberRecord.model_validate(record), source="tests", now=runtime.clock()
    )
    return made.member_id


async def tag(runtime: Runtime, number: int, name: str) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(member_tag.insert().values(tag=name, member_id=number))


async def post(client: TestClient, here: Entered, path: str, status: int = 303, **form: str) -> str:
    """Send a form; its page, or where it leads."""
    sent = {"csrf": here.csrf, **form}
    async with client.post(path, data=sent, headers=here.headers, allow_redirects=False) as response:
        page = await response.text()
        assert response.status == status, page
        return response.headers.get("Location", page)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


async def test_somebody_is_found_by_name_by_address_and_by_number(
    client: TestClient, runtime: Runtime, ada: Entered
) -> None:
    zoe = await enter(runtime, first_name="Zoë", last_name="O'Neil", phone=PHONE, place="Lyon", email="zoe@example.org")
    await enter(runtime, first_name="Zora", email="zora@example.org")
    await tag(runtime, zoe, "tenants")
    for asked in (
        {"who": "ZOE O"}, {"who": "(202) 555-0123"}, {"who": "Zoe@Example.org"}, {"who": str(zoe)},
        {"tag": "Tenants"}, {"place": "lyon"}, {"who": "zo", "place": "LYON"},
    ):  # fmt: skip
        page = await post(client, ada, "/office/members", 200, **asked)
        assert f"/office/members/{zoe}" in page, asked
        assert "Zora" not in page, asked
    both = await post(client, ada, "/office/members", 200, who="zo")
    assert both.index("Zoë") < both.index("Zora")
    for nobody in ("555-0123", "zoe@", "%", "neil", "example.org"):
        assert "Nobody like this" in await post(client, ada, "/office/members", 200, who=nobody), nobody


async def test_the_list_without_a_search_ends_after_a_page(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    ledger = Ledger(runtime.store)
    numbers = await ledger.add_members(60)
    async with runtime.store.write() as connection:
        await connection.execute(update(member).values(name_key="ana", place="Lyon"))
    page = await read(client, ada, "/office/members")
    assert page.count('<th scope="row">') == 50
    assert "Show more" not in page
    for asked in ({"who": "an"}, {"place": "Lyon"}):
        found = await post(client, ada, "/office/members", 200, **asked)
        assert f'name="after" value="{numbers[49]}"' in found
        rest = await post(client, ada, "/office/members", 200, after=str(numbers[49]), **asked)
        assert [f'/office/members/{number}"' in rest for number in numbers] == [False] * 50 + [True] * 10
        assert "Show more" not in rest


async def test_one_members_history(client: TestClient, runtime: Runtime, ada: Entered, clock: Clock) -> None:
    ledger = Ledger(runtime.store, clock=clock)
    [number] = await ledger.add_members(1, phone=PHONE)
    asked = await ledger.launch(title=HOSTILE)
    await ledger.route()
    async with runtime.store.write() as connection:
        await connection.execute(update(member).values(first_name=HOSTILE, attributes={HOSTILE: HOSTILE}))
    await tag(runtime, number, HOSTILE)
    page = await read(client, ada, f"/office/members/{number}")
    assert f"/office/asks/{asked}/why?member={number}" in page
    assert f'<a href="/office/asks/{asked}">{SHOWN}</a>' in page
    assert f"<dt>{SHOWN}</dt><dd>{SHOWN}</dd>" in page
    assert HOSTILE not in page
    assert PHONE not in page
    assert "+1•••0123" in page


async def test_addresses_are_shown_by_a_form_and_the_audit_says_so(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    number = await enter(
        runtime, first_name="Zoe", phone=PHONE, consents=[ConsentRecord(channel="sms", wording="Yes, text me")]
    )
    viewer = await come_in(runtime, Role.VIEWER, name="Vi", now=clock())
    page = await read(client, viewer, f"/office/members/{number}")
    assert "Yes, text me" in page
    assert "Show the addresses" not in page
    await post(client, viewer, f"/office/members/{number}/addresses", 403)
    assert PHONE in await post(client, ada, f"/office/members/{number}/addresses", 200)
    [entry] = (await read_audit(runtime, what="member.addresses")).entries
    assert (entry.who, entry.subject) == ("Ada", str(number))


async def test_the_audit_says_who_looked_at_whom_once_an_hour(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    number, other = [await enter(runtime, first_name=name, email=f"{name}@example.org") for name in ("zoe", "kim")]
    viewer = await come_in(runtime, Role.VIEWER, name="Vi", now=clock())
    for who, whom in ((ada, number), (ada, number), (viewer, number), (ada, other)):
        await read(client, who, f"/office/members/{whom}")
    await read(client, viewer, "/office/members")

    async def looks() -> list[tuple[str, str]]:
        page = await read_audit(runtime, what="member.view")
        return sorted((entry.who, entry.subject) for entry in page.entries)

    assert await looks() == sorted([("Ada", str(number)), ("Ada", str(other)), ("Vi", str(number))])
    clock.advance(minutes=61)
    await read(client, ada, f"/office/members/{number}")
    assert (await looks()).count(("Ada", str(number))) == 2


async def test_tags_are_put_in_place_of_others(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    number = await enter(runtime, first_name="Zoe", email="zoe@example.org")
    await tag(runtime, number, "old")
    path = f"/office/members/{number}/tags"
    assert await post(client, ada, path, tags="Tenants\n block 3 \ntenants") == f"/office/members/{number}"
    await post(client, ada, path, tags="block 3\ntenants")
    async with runtime.store.read() as connection:
        assert sorted((await connection.execute(select(member_tag.c.tag))).scalars()) == ["block 3", "tenants"]
    assert [entry.what for entry in (await read_audit(runtime, what="member")).entries] == ["member.tag"]
    assert "at most 200 characters" in await post(client, ada, path, 422, tags="x" * 201)


async def test_two_records_become_one(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    keep = await enter(runtime, first_name="Zoe", email="zoe@example.org")
    lose = await enter(runtime, first_name="Zoé", last_name="O'Neil", phone=PHONE, place="Lyon", external_id="z-1")
    await tag(runtime, lose, "tenants")
    page = await read(client, ada, f"/office/members/{keep}/merge?with={lose}")
    assert "1 addresses" in page
    for wrong in (str(keep), "nobody", "999", "-1"):
        page = await read(client, ada, f"/office/members/{keep}/merge?with={wrong}", 422)
        assert "There is no other record" in page
    assert await post(client, ada, f"/office/members/{keep}/merge", **{"with": str(lose)}) == f"/office/members/{keep}"
    await post(client, ada, f"/office/members/{keep}/merge", 422, **{"with": str(lose)})
    async with runtime.store.read() as connection:
        [row] = (await connection.execute(select(member))).all()
    assert (row.id, row.first_name, row.last_name, row.place, row.external_id) == (keep, "Zoe", "", "Lyon", "z-1")
    page = await read(client, ada, f"/office/members/{keep}")
    assert "+1•••0123" in page
    assert "tenants" in page
    await read(client, ada, f"/office/members/{lose}", 404)


async def test_an_organizer_sees_only_their_part(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    mine = await enter(runtime, first_name="Zoe", email="zoe@example.org")
    other = await enter(runtime, first_name="Zora", phone=PHONE)
    await tag(runtime, mine, "block 3")
    captain = await come_in(
        runtime, Role.AUTHOR, name="Cap", audience=Tagged(op="tag", tag="block 3"), now=clock()
    )  # fmt: skip
    assert "Zora" not in await read(client, captain, "/office/members")
    for asked in ("zo", PHONE, str(other)):
        assert "Zora" not in await post(client, captain, "/office/members", 200, who=asked)
    await read(client, captain, f"/office/members/{mine}")
    await read(client, captain, f"/office/members/{other}", 404)
    await post(client, captain, f"/office/members/{other}/addresses", 404)
    await post(client, captain, f"/office/members/{other}/tags", 404, tags="block 3")
    await post(client, captain, f"/office/members/{mine}/merge", 422, **{"with": str(other)})
    assert {entry.subject for entry in (await read_audit(runtime, what="member")).entries} == {str(mine)}
