"""The inbox's pages: who waits, a conversation, and what its forms do, once each."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient

from router.core.audience import Members
from router.core.roles import Role
from router.runtime import Runtime
from tests.support.desk import wrote
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read
from tests.web.office.test_house import post
from tests.web.test_inbox import member, write

__all__ = ["member"]


@pytest.fixture
def ledger(runtime: Runtime, clock: Clock) -> Ledger:
    return Ledger(runtime.store, clock=clock)


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


async def count(ledger: Ledger, statement: str) -> int:
    """What a statement counts."""
    [(number,)] = await ledger.execute(statement)
    return int(number)


async def test_a_conversation_from_the_first_message_to_the_end(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, member: int, clock: Clock
) -> None:
    assert "Nobody waits here" in await read(client, ada, "/office/inbox")
    await write(runtime, "please stop at my door")
    page = await read(client, ada, "/office/inbox")
    assert f'<a href="/office/inbox/{member}">Ana Ruiz</a>' in page
    assert "please stop at my door" in page
    path = f"/office/inbox/{member}"
    page = await read(client, ada, path)
    assert "They may want no more messages." in page
    assert "¿No quieres recibir más mensajes?" in page
    bo = await come_in(runtime, Role.AUTHOR, name="Bo", now=clock())
    await post(client, f"{path}/claim", ada, {})
    page = await post(client, f"{path}/answer", bo, {"text": "Hola, soy Bo", "once": "b"}, status=409)
    assert "Ada has had this thread since 18:00 UTC" in page
    assert "outreach inbox" not in page
    assert "Hola, soy Bo</textarea>" in page, "what was typed stays"
    await post(client, f"{path}/assign", bo, {"to": "Bo"})
    assert "Nobody waits here" in await read(client, ada, "/office/inbox?show=mine")
    assert "Ana Ruiz" in await read(client, bo, "/office/inbox?show=mine")
    for _ in range(2):
        await post(client, f"{path}/answer", bo, {"text": "¡Claro!", "read": "1", "once": "c"})
    assert (await read(client, bo, path)).count("¡Claro!") == 1, "sent once"
    assert await count(ledger, "SELECT count(*) FROM reply_text WHERE text = '¡Claro!'") == 1
    await post(client, f"{path}/release", bo, {})
    await post(client, f"{path}/done", ada, {})
    assert "Nobody waits here" in await read(client, ada, "/office/inbox")
    assert "Ana Ruiz" in await read(client, ada, "/office/inbox?show=done")


async def test_a_suggestion_is_done_for_them(
    client: TestClient, runtime: Runtime, ledger: Ledger, ada: Entered, member: int
) -> None:
    await write(runtime, "please stop at my door")
    path = f"/office/inbox/{member}"
    assert "Treat it as “STOP”" in await read(client, ada, path)
    for _ in range(2):
        await post(client, f"{path}/done", ada, {"as_suggested": "yes", "once": "k"})
    assert await count(ledger, "SELECT count(*) FROM audit WHERE what = 'thread.done'") == 1
    page = await post(client, f"{path}/answer", ada, {"text": "Hola"}, status=409)
    assert "They said STOP there" in page


async def test_what_cannot_be_is_said_beside_the_field(
    client: TestClient, runtime: Runtime, ada: Entered, member: int
) -> None:
    await write(runtime, "where is it")
    path = f"/office/inbox/{member}"
    assert "Write something." in await post(client, f"{path}/answer", ada, {"text": "  "}, status=422)
    page = await post(client, f"{path}/answer", ada, {"text": "x" * 1_601}, status=422)
    assert "1,601 characters are too many" in page
    assert "There is no such organizer" in await post(client, f"{path}/assign", ada, {"to": "nobody"}, status=422)
    await read(client, ada, "/office/inbox?after=zz", status=422)
    await read(client, ada, "/office/inbox/4711", status=404)


async def test_who_waits_longest_comes_first_and_the_list_goes_on(
    client: TestClient, ledger: Ledger, ada: Entered, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = await ledger.add_members(53)
    for number in members:
        clock.advance(seconds=1)
        await wrote(ledger, number)
    await ledger.execute("UPDATE thread SET alarmed_at = 1 WHERE member_id = :id", id=members[0])
    page = await read(client, ada, "/office/inbox")
    assert page.count('<th scope="row">') == 50
    assert page.count("waits too long") == 1
    assert page.index(f"/office/inbox/{members[0]}") < page.index(f"/office/inbox/{members[1]}")
    after = page.split("after=")[1].split('"')[0]
    page = await read(client, ada, f"/office/inbox?after={after}")
    assert [f"/office/inbox/{number}" in page for number in members[49:]] == [False, True, True, True]


async def test_who_sees_a_part_of_the_members_sees_their_conversations_only(
    client: TestClient, runtime: Runtime, ledger: Ledger, clock: Clock
) -> None:
    mine, other = await ledger.add_members(2)
    for number in (mine, other):
        await wrote(ledger, number)
    eve = await come_in(runtime, Role.AUTHOR, name="Eve", audience=Members(op="members", ids=[mine]), now=clock())
    page = await read(client, eve, "/office/inbox")
    assert f"/office/inbox/{mine}" in page
    assert f"/office/inbox/{other}" not in page
    await read(client, eve, f"/office/inbox/{other}", status=404)
    for step in ("claim", "release", "assign", "answer", "done"):
        await post(client, f"/office/inbox/{other}/{step}", eve, {"text": "x", "to": "Eve"}, status=404)
    assert await count(ledger, "SELECT count(*) FROM audit WHERE what LIKE 'thread.%'") == 0


async def test_all_that_people_wrote_is_text(
    client: TestClient, runtime: Runtime, ledger: Ledger, member: int, clock: Clock
) -> None:
    await ledger.execute("UPDATE member SET first_name = :name", name=HOSTILE)
    await write(runtime, HOSTILE)
    viewer = await come_in(runtime, Role.VIEWER, now=clock())
    for path in ("/office/inbox", f"/office/inbox/{member}"):
        page = await read(client, viewer, path)
        assert SHOWN in page
        for tag in ("<script>alert", "<img", ">49<"):
            assert tag not in page
    assert "You may read, not answer" in page
