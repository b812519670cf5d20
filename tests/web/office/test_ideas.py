"""Ideas in the office: which are shown to whom, and what two organizers decide."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select, update

from router.core.audience import Tagged
from router.core.roles import Role
from router.runtime import Runtime
from router.store.tables import proposal
from tests.support.ideas import proposes
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock
from tests.web.office.test_asks import HOSTILE, SHOWN, read
from tests.web.office.test_members import post, tag

ROOM = "/office/ideas"


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.APPROVER, name="Ada", now=clock())


@pytest.fixture
async def bo(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.APPROVER, name="Bo", now=clock())


@pytest.fixture
async def proposer(runtime: Runtime, clock: Clock) -> int:
    """Of idea 1."""
    ledger = Ledger(runtime.store, clock=clock)
    [number] = await ledger.add_members(1)
    await proposes(ledger, number)
    return number


async def change(runtime: Runtime, **values: str) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(update(proposal).values(**values))


async def status(runtime: Runtime) -> str:
    async with runtime.store.read() as connection:
        return str(await connection.scalar(select(proposal.c.status)))


@pytest.mark.usefixtures("proposer")
async def test_two_organizers_refuse_by_the_same_rule(
    client: TestClient, runtime: Runtime, ada: Entered, bo: Entered
) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(update(proposal).values(seconds=runtime.policy.proposals.public_seconds))
    rule, other = sorted(runtime.policy.proposals.rules)[:2]
    vote = {"decision": "refuse", "rule": rule, "reason": HOSTILE}
    assert "by a published rule" in await post(client, ada, f"{ROOM}/1", 422, decision="refuse")
    await post(client, ada, f"{ROOM}/1", **vote)
    await post(client, ada, f"{ROOM}/1", **vote)
    page = await read(client, bo, f"{ROOM}/1")
    assert f"ada is for refuse, by the rule {rule}" in page.lower()
    assert SHOWN in page
    assert HOSTILE not in page
    await post(client, bo, f"{ROOM}/1", **vote | {"rule": other})
    assert await status(runtime) == "open"
    await post(client, bo, f"{ROOM}/1", **vote)
    assert await status(runtime) == "refused"
    page = await read(client, bo, f"{ROOM}/1")
    assert "Organizers refused to ask more people." in page
    assert "decide about that first" in await post(client, bo, f"{ROOM}/1", 422, **vote)


@pytest.mark.usefixtures("proposer")
async def test_what_is_held_is_kept_and_what_is_written_is_only_text(
    client: TestClient, runtime: Runtime, ada: Entered
) -> None:
    await change(runtime, status="held", reason="reports", text=HOSTILE, place=HOSTILE)
    for path in (ROOM, f"{ROOM}?show=held", f"{ROOM}/1"):
        page = await read(client, ada, path)
        assert SHOWN in page
        assert HOSTILE not in page
        assert "members reported it" in page
    assert "There is none here" in await read(client, ada, f"{ROOM}?show=open")
    assert "Choose one of these" in await post(client, ada, f"{ROOM}/1", 422, decision="burn")
    await post(client, ada, f"{ROOM}/1", decision="keep")
    assert await status(runtime) == "open"


async def test_a_captain_sees_the_ideas_of_their_part_and_an_author_decides_nothing(
    client: TestClient, runtime: Runtime, clock: Clock, proposer: int
) -> None:
    part = Tagged(op="tag", tag="block 3")
    captain = await come_in(runtime, Role.APPROVER, name="Cap", audience=part, now=clock())
    assert f"{ROOM}/1" not in await read(client, captain, ROOM)
    await read(client, captain, f"{ROOM}/1", 404)
    await post(client, captain, f"{ROOM}/1", 404, decision="keep")
    await tag(runtime, proposer, "block 3")
    assert f"{ROOM}/1" in await read(client, captain, ROOM)
    assert "This is my vote" in await read(client, captain, f"{ROOM}/1")
    author = await come_in(runtime, Role.AUTHOR, name="Au", now=clock())
    page = await read(client, author, f"{ROOM}/1")
    assert "This is my vote" not in page
    assert f"/office/members/{proposer}" not in page
    await post(client, author, f"{ROOM}/1", 403, decision="keep")
