"""The first page: what runs, and what waits for whoever looks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient
from redis.asyncio import Redis

from router.community.debts import keep_due_dates
from router.core.audience import Members
from router.core.roles import Role
from router.office.desk import MOST_COUNTED
from router.redis_client import ping
from router.runtime import Runtime
from router.store.notices import notify
from router.store.tables import to_ms
from tests.support.desk import acted, offered, proposed, wrote
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in, entered
from tests.support.runtime import Clock
from tests.web.conftest import serving
from tests.web.office.test_asks import HOSTILE, SHOWN, read, save


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.APPROVER, name="Ada", now=clock())


async def test_an_empty_house(client: TestClient, runtime: Runtime, ada: Entered, clock: Clock) -> None:
    page = await read(client, ada, "/office")
    for words in ("Nothing is going out just now", "Nothing waits for you", "nobody yet whom we may write to"):
        assert words in page, words
    assert "/office/start" not in page
    admin = await come_in(runtime, Role.ADMIN, now=clock())
    assert "/office/start" in await read(client, admin, "/office")


async def test_what_goes_out(client: TestClient, ledger: Ledger, ada: Entered) -> None:
    await ledger.add_members(4)
    campaign = await ledger.launch_and_route(title="Rents")
    page = await read(client, ada, "/office")
    assert f'<a href="/office/asks/{campaign}/live">Rents</a>' in page
    assert "0 of 4 done" in page
    await ledger.execute("UPDATE campaign SET status = 'paused', pause_reason = 'too many asked for silence'")
    await ledger.send()
    assert "Paused: too many asked for silence" in await read(client, ada, "/office")
    await ledger.execute("UPDATE campaign SET status = 'cancelled'")
    assert "Nothing is going out" in await read(client, ada, "/office")


async def test_what_waits(client: TestClient, ledger: Ledger, ada: Entered, clock: Clock) -> None:
    members = await ledger.add_members(3)
    campaign = await ledger.launch_and_route(title="Rents")
    await ledger.send()
    await acted(ledger, members[0], campaign, "yes")
    clock.advance(days=4)
    await keep_due_dates(ledger.runtime, now=clock())
    await wrote(ledger, members[0])
    await wrote(ledger, members[1], claimed_by="ada")
    await offered(ledger, members[0], 5, "Dinner at Ana's")
    await proposed(ledger, members[1], 7, "held", None, "A rent strike")
    await proposed(ledger, members[1], 8, "open", to_ms(clock()) + 1, "A picnic")
    await proposed(ledger, members[1], 9, "open", None, "Gathers seconds yet")
    async with ledger.store.write() as connection:
        await notify(connection, "sender", "sms/main", "sms/main rests until noon", now=clock())
    page = await read(client, await entered(ledger.runtime, ada.organizer, now=clock()), "/office")
    for words in (
        '<span class="figure">2</span> wait for an answer, 1 of them for yours',
        "Rents</a>: 1 person acted",
        "Dinner at Ana&#39;s",
        'A rent strike <span class="warn">Held: crowd</span>',
        "A picnic",
        "sms/main rests until noon",
        "Of all 3 of them",
    ):
        assert words in page, words
    assert "Gathers seconds yet" not in page
    assert "Nothing waits for you" not in page


async def test_approvals_are_for_those_who_may_give_them(
    client: TestClient, runtime: Runtime, ada: Entered, clock: Clock
) -> None:
    theirs = await save(runtime, by="Bo", title="By another")
    mine = await save(runtime, by=" ada ", title="My own")
    page = await read(client, ada, "/office")
    assert f'<a href="/office/asks/{theirs}/preview">By another</a> by Bo' in page
    assert f'<a href="/office/asks/{mine}/preview">' not in page
    assert f'<a href="/office/asks/{mine}">My own</a> (draft)' in page
    author = await come_in(runtime, Role.AUTHOR, name="Cy", now=clock())
    assert "By another" not in await read(client, author, "/office")


async def test_who_sees_a_part_of_the_members_sees_what_is_theirs(
    client: TestClient, runtime: Runtime, ledger: Ledger, clock: Clock
) -> None:
    mine, other = await ledger.add_members(2)
    part = Members(op="members", ids=[mine])
    all_ = await ledger.launch_and_route(title="For all of us")
    await acted(ledger, other, all_, "yes")
    clock.advance(days=4)
    await keep_due_dates(runtime, now=clock())
    eve = await come_in(runtime, Role.APPROVER, name="Eve", audience=part, now=clock())
    await save(runtime, title="A draft for all")
    await wrote(ledger, other)
    await offered(ledger, other, 5, "Far away")
    await proposed(ledger, other, 7, "held", None, "An idea of others")
    async with ledger.store.write() as connection:
        await notify(connection, "sender", "sms/main", "sms/main rests until noon", now=clock())
    page = await read(client, eve, "/office")
    for words in ("For all of us", "A draft for all", "for an answer", "Far away", "of others", "until noon"):
        assert words not in page, words
    assert "Of all 1 of them" in page
    await ledger.launch_and_route(title="For us few", audience=part.model_dump())
    await wrote(ledger, mine)
    await offered(ledger, mine, 6, "Next door")
    await proposed(ledger, mine, 8, "held", None, "Our idea")
    page = await read(client, eve, "/office")
    for words in ("For us few", '<span class="figure">1</span> waits', "Next door", "Our idea"):
        assert words in page, words


async def test_nobody_counts_all_who_wrote(
    client: TestClient, ledger: Ledger, ada: Entered, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_COUNTED == 1_000
    monkeypatch.setattr("router.office.desk.MOST_COUNTED", 2)
    monkeypatch.setattr("router.web.office.home.MOST_COUNTED", 2)
    for member in await ledger.add_members(4):
        await wrote(ledger, member)
    assert '<span class="figure">over 2</span> wait' in await read(client, ada, "/office")


async def test_all_that_people_wrote_is_text(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, clock: Clock
) -> None:
    [member] = await ledger.add_members(1)
    await save(runtime, by=HOSTILE, title=HOSTILE)
    await offered(ledger, member, 5, HOSTILE)
    await proposed(ledger, member, 7, "held", None, HOSTILE)
    async with ledger.store.write() as connection:
        await notify(connection, "sender", "sms/main", HOSTILE, now=clock())
    page = await read(client, ada, "/office")
    assert page.count(SHOWN) == 5
    for tag in ("<script>alert", "<img", ">49<"):
        assert tag not in page


async def test_what_is_away_is_said_in_words(runtime: Runtime, ada: Entered) -> None:
    nobody = Redis(host="127.0.0.1", port=1)
    async with serving(replace(runtime, ask_redis=lambda: ping(nobody))) as client:
        page = await read(client, ada, "/office")
    await nobody.aclose()
    assert "Not all is well" in page
    assert "Redis: It does not answer" in page
    assert "Webhooks and STOPs are taken all the same" in page
    assert "Worker: No worker is at work" in page
