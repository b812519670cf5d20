"""What waits for an organizer: all of it, and only of those members whom they may see."""

from __future__ import annotations

import pytest

from router.core.audience import Filter, Members
from router.core.roles import Role
from router.office.asks import asks_seen, asks_to_approve, deeds_of, list_asks, running_asks, unfinished_asks
from router.office.desk import events_to_approve, ideas_to_look_at, who_waits
from router.office.organizers import Organizer
from router.store.engine import Store
from router.store.tables import to_ms
from tests.support.desk import offered, proposed, wrote
from tests.support.ledger import Ledger


def organizer(ledger: Ledger, name: str = "Ada", audience: Filter | None = None) -> Organizer:
    return Organizer(
        id=1, name=name, role=Role.APPROVER, audience=audience, created_by="tests", created_at=ledger.clock()
    )


@pytest.mark.parametrize("limited", [False, True])
async def test_what_waits(store: Store, limited: bool) -> None:
    ledger = Ledger(store)
    mine, other = await ledger.add_members(2)
    part = Members(op="members", ids=[mine])
    ada = organizer(ledger, audience=part if limited else None)
    now = ledger.clock()
    await wrote(ledger, mine, claimed_by="ADA")
    await wrote(ledger, other)
    for number, member in enumerate((mine, other), 1):
        await offered(ledger, member, number, "Dinner")
        await proposed(ledger, member, number, "held", None, "A picnic")
        await proposed(ledger, member, number + 10, "open", to_ms(now) + 1, "A march")
        await proposed(ledger, member, number + 20, "refused", to_ms(now) + 1, "Nothing to look at")
    waiting = await who_waits(ledger.runtime, ada)
    assert (waiting.people, waiting.mine, waiting.since) == (1 if limited else 2, 1, now)
    events = await events_to_approve(ledger.runtime, ada, now=now)
    ideas = await ideas_to_look_at(ledger.runtime, ada, now=now)
    assert [one.id for one in events] == ([1] if limited else [1, 2])
    assert [one.number for one in ideas] == ([1, 11] if limited else [1, 2, 11, 12])


async def test_asks_by_who_may_see_and_do_what(store: Store) -> None:
    ledger = Ledger(store)
    [mine] = await ledger.add_members(1)
    part = Members(op="members", ids=[mine])
    ana, eve = organizer(ledger, "Ana"), organizer(ledger, "Eve", part)
    everybody = await ledger.launch(by="ana")
    few = await ledger.launch(by="ana", audience=part.model_dump())
    runtime = ledger.runtime
    assert [one.id for one in (await list_asks(runtime, ana)).asks] == [few, everybody]
    assert [one.id for one in (await list_asks(runtime, eve)).asks] == [few]
    assert await running_asks(runtime, eve) == [few]
    assert await asks_seen(runtime, eve, [everybody, few]) == {few}
    assert await asks_seen(runtime, ana, [everybody, few]) == {everybody, few}
    assert [(one.who, one.what) for one in await deeds_of(runtime, few)] == [
        ("ana", "launch"), ("bo", "approve"), ("ana", "save"),
    ]  # fmt: skip
    await ledger.execute("UPDATE campaign SET status = 'draft', approved_by = NULL")
    assert [one.id for one in await asks_to_approve(runtime, eve)] == [few]
    assert await asks_to_approve(runtime, ana) == []
    assert [one.id for one in await unfinished_asks(runtime, ana)] == [few, everybody]
    assert await unfinished_asks(runtime, eve) == []
