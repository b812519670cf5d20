"""What organizers decide about an idea: two alike, by published rules, and not against what members carry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.deciding import decide, lift
from router.community.proposals.reading import OneProposal, list_proposals, read_proposal
from router.community.proposals.rows import lock_proposal
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.policy import Policy
from router.core.proposal_rules import Decision
from router.store.engine import Store
from router.web.auth import create_token
from tests.support.gatherings import told_since
from tests.support.ideas import IDEA, all_second, change, proposes, reports, seconds, the_idea
from tests.support.ledger import Ledger

KEEP, REMOVE, REFUSE = Decision.KEEP, Decision.REMOVE, Decision.REFUSE


@pytest.fixture
async def elsewhere(database_url: str, ledger: Ledger) -> AsyncIterator[Store]:
    """The same ledger, as another process has it open."""
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
async def organizers(ledger: Ledger) -> Sequence[str]:
    """Three who may launch, and one who may only read."""
    for name in ("Ana", "Bo", "Cem"):
        await create_token(ledger.store, name, "campaigns:launch", ledger.clock())
    await create_token(ledger.store, "Dana", "campaigns:read", ledger.clock())
    return ("Ana", "Bo", "Cem")


async def says(
    ledger: Ledger, by: str, decision: Decision, number: int = 1, *, rule: str = "", reason: str = ""
) -> OneProposal:
    return await decide(ledger.runtime, number, decision, by=by, rule=rule, reason=reason, now=ledger.clock())


async def reported(ledger: Ledger, **more: Any) -> tuple[int, list[int]]:
    """An idea that three members reported; its proposer and them."""
    ann, *members = await ledger.add_members(4)
    await proposes(ledger, ann, **more)
    for one in members:
        await reports(ledger, one, reason="rude")
    return ann, members


async def before_the_movement(ledger: Ledger) -> int:
    """An idea with enough seconds for a wider ask; its proposer."""
    ann, *members = await ledger.add_members(26)
    await proposes(ledger, ann)
    await all_second(ledger, members)
    return ann


async def open_notices(ledger: Ledger) -> list[str]:
    rows = await ledger.execute("SELECT sentence FROM notice WHERE kind = 'proposal' AND cleared_at IS NULL")
    return [row.sentence for row in rows]


async def audited(ledger: Ledger) -> list[tuple[str, str]]:
    rows = await ledger.execute("SELECT who, what FROM audit WHERE what LIKE 'proposal.%' ORDER BY id")
    return [tuple(row) for row in rows][1:]


@pytest.mark.usefixtures("organizers")
async def test_two_organizers_keep_what_was_reported(ledger: Ledger) -> None:
    ann, members = await reported(ledger)
    first = await says(ledger, "Ana", KEEP, reason="a fair point")
    assert first.proposal.status == "held"
    assert [(one.by, one.what, one.reason) for one in first.votes] == [("ana", "keep", "a fair point")]
    assert "Ana is for keep, 1 more must agree" in (await open_notices(ledger))[0]
    assert (await says(ledger, " ANA ", KEEP)).proposal.status == "held", "the same organizer again"

    ledger.clock.advance(minutes=5)
    kept = await says(ledger, "Bo", KEEP)
    assert (kept.proposal.status, kept.proposal.reports, kept.votes) == ("open", 0, [])
    assert kept.proposal.next_at == ledger.clock(), "it goes on where it stood"
    assert await open_notices(ledger) == []
    assert await audited(ledger) == [
        ("Ana", "proposal.keep"), (" ANA ", "proposal.keep"), ("Bo", "proposal.keep"), ("organizers", "proposal.open"),
    ]  # fmt: skip
    [told] = await told_since(ledger, ann)
    assert "organizers looked at your idea 1" in told

    for one in members:
        await reports(ledger, one)
    assert (await the_idea(ledger)).status == "open", "who had their look does not hold it again"


@pytest.mark.usefixtures("organizers")
async def test_two_organizers_remove_what_was_reported(ledger: Ledger) -> None:
    ann, _ = await reported(ledger)
    await says(ledger, "Ana", KEEP)
    await says(ledger, "Bo", REMOVE, rule="harm")
    changed_mind = await says(ledger, "Ana", REMOVE)
    assert (changed_mind.proposal.status, changed_mind.proposal.next_at) == ("removed", ledger.clock())
    [told] = await told_since(ledger, ann)
    assert "was taken away" in told
    with pytest.raises(NotAllowed, match="is removed"):
        await says(ledger, "Cem", KEEP)


@pytest.mark.usefixtures("organizers")
async def test_staff_remove_nothing_that_members_carry_and_did_not_report(ledger: Ledger) -> None:
    ann, bob, cem = await ledger.add_members(3)
    await proposes(ledger, ann, group_id=cem)
    with pytest.raises(NotAllowed, match="once 3 members have reported it"):
        await says(ledger, "Ana", REMOVE, rule="harm")
    await proposes(ledger, bob)
    with pytest.raises(NotAllowed, match="name the published rule"):
        await says(ledger, "Ana", REMOVE, 2)
    await says(ledger, "Ana", REMOVE, 2, rule="trade")
    assert (await says(ledger, "Bo", REMOVE, 2, rule="trade")).proposal.status == "removed"


@pytest.mark.usefixtures("organizers")
async def test_a_wider_ask_is_refused_by_one_and_the_same_published_rule(ledger: Ledger) -> None:
    ann = await before_the_movement(ledger)
    with pytest.raises(NotAllowed, match="by a published rule"):
        await says(ledger, "Ana", REFUSE)
    with pytest.raises(NotAllowed, match="no such rule"):
        await says(ledger, "Ana", REFUSE, rule="taste")
    await says(ledger, "Ana", REFUSE, rule="false")
    assert (await says(ledger, "Bo", REFUSE, rule="money")).proposal.status == "open"
    refused = (await says(ledger, "Cem", REFUSE, rule="money", reason="12,000 a month")).proposal
    assert (refused.status, refused.rule, refused.reason) == ("refused", "money", "12,000 a month")
    [told] = await told_since(ledger, ann)
    assert "It would cost more than the movement has voted for." in told
    assert "SECOND 1" in told


@pytest.mark.usefixtures("organizers")
async def test_nothing_is_refused_before_a_wider_ask_is_due(ledger: Ledger) -> None:
    ann, group = await ledger.add_members(2)
    await proposes(ledger, ann, group_id=group)
    with pytest.raises(NotAllowed, match="no wider ask is due: it has 0 of the 25"):
        await says(ledger, "Ana", REFUSE, rule="money")
    await change(ledger, stage="group")
    await says(ledger, "Ana", REFUSE, rule="money")
    assert (await says(ledger, "Bo", REFUSE, rule="money")).proposal.status == "refused"


@pytest.fixture
def fewer(ledger: Ledger) -> Ledger:
    """Three objections lift a refusal here."""
    policy: Policy = ledger.runtime.policy
    proposals = policy.proposals.model_copy(update={"lift_seconds": 3, "public_seconds": 2})
    object.__setattr__(ledger.runtime, "policy", policy.model_copy(update={"proposals": proposals}))
    return ledger


async def lifts(ledger: Ledger) -> bool:
    ids = await ledger.store.take_ids(1)

    async def work(connection: AsyncConnection) -> bool:
        row = await lock_proposal(connection, 1)
        assert row is not None
        return await lift(ledger.runtime, connection, row, iter(ids), now=ledger.clock())

    return await ledger.store.transact(work)


@pytest.mark.usefixtures("organizers")
async def test_members_lift_a_refusal_and_staff_cannot_repeat_it(fewer: Ledger) -> None:
    ledger = fewer
    ann, *members = await ledger.add_members(6)
    await proposes(ledger, ann)
    await all_second(ledger, members[:2])
    for name in ("Ana", "Bo"):
        await says(ledger, name, REFUSE, rule="false")
    await change(ledger, next_at=None)
    said = [await seconds(ledger, one) for one in members[1:4]]
    assert [one.phrase for one in said] == ["proposals.objected"] * 3, "who seconded it may object as well"
    assert said[1].values == {"number": 1, "objections": 2, "needed": 3}
    assert (await seconds(ledger, members[1])).phrase == "proposals.already"
    idea = await the_idea(ledger)
    assert (idea.status, idea.objections, idea.seconds, idea.next_at) == ("refused", 3, 2, ledger.clock())
    assert await lifts(ledger)
    assert not await lifts(ledger)
    idea = await the_idea(ledger)
    assert (idea.status, idea.rule, idea.next_at) == ("open", "false", ledger.clock())
    assert (await audited(ledger))[-1] == ("members", "proposal.lift")
    with pytest.raises(NotAllowed, match="members lifted its refusal"):
        await says(ledger, "Ana", REFUSE, rule="money")
    await says(ledger, "Ana", REFUSE, rule="law")
    assert (await says(ledger, "Bo", REFUSE, rule="law")).proposal.objections == 0


@pytest.mark.usefixtures("organizers")
async def test_a_rule_that_binds_takes_no_objection(fewer: Ledger) -> None:
    ledger = fewer
    ann, *members = await ledger.add_members(5)
    await proposes(ledger, ann)
    await all_second(ledger, members[:2])
    for name in ("Ana", "Bo"):
        await says(ledger, name, REFUSE, rule="privacy")
    said = await seconds(ledger, members[3])
    assert (said.phrase, said.values["rule"]) == (
        "proposals.binding", "It names private persons, or gives away what concerns them.",
    )  # fmt: skip
    await change(ledger, objections=99)
    assert not await lifts(ledger)
    [told] = await told_since(ledger, ann)
    assert "SECOND" not in told


@pytest.mark.usefixtures("organizers")
async def test_organizers_take_their_own_refusal_back(ledger: Ledger) -> None:
    await before_the_movement(ledger)
    for name in ("Ana", "Bo"):
        await says(ledger, name, REFUSE, rule="money")
    for name in ("Bo", "Cem"):
        found = await says(ledger, name, KEEP)
    assert (found.proposal.status, found.proposal.rule) == ("open", "")
    await says(ledger, "Ana", REFUSE, rule="money")


@pytest.mark.parametrize(("names", "needed"), [((), 1), (("Ana",), 1), (("Ana", "Bo"), 2)])
async def test_where_there_are_fewer_organizers_fewer_decide(ledger: Ledger, names: Sequence[str], needed: int) -> None:
    for name in names:
        await create_token(ledger.store, name, "campaigns:launch", ledger.clock())
    await reported(ledger)
    found = await says(ledger, "Ana", KEEP)
    assert found.proposal.status == ("open" if needed == 1 else "held")


async def test_whoever_has_the_command_line_is_one_of_two(ledger: Ledger) -> None:
    await create_token(ledger.store, "Ana", "campaigns:launch", ledger.clock())
    await reported(ledger)
    assert (await says(ledger, "command line", REMOVE)).proposal.status == "held"
    assert (await says(ledger, "Ana", REMOVE)).proposal.status == "removed"


@pytest.mark.usefixtures("organizers")
async def test_a_crowd_that_two_have_looked_at_is_not_held_again(ledger: Ledger) -> None:
    ann, *members = await ledger.add_members(13)
    await proposes(ledger, ann)
    await ledger.execute(
        "UPDATE member SET joined_at = :at", at=int(ledger.clock().timestamp() * 1000) - 8 * 86_400_000
    )
    await all_second(ledger, members[:10])
    assert (await the_idea(ledger)).reason == "crowd"
    for name in ("Ana", "Bo"):
        await says(ledger, name, KEEP)
    assert (await seconds(ledger, members[10])).phrase == "proposals.seconded"
    assert (await the_idea(ledger)).status == "open"


@pytest.mark.usefixtures("organizers")
async def test_two_organizers_at_once_decide_once(ledger: Ledger, elsewhere: Store) -> None:
    ann, _ = await reported(ledger)
    other = Ledger(elsewhere, clock=ledger.clock)
    await asyncio.gather(*(says(one, name, REMOVE) for one, name in ((ledger, "Ana"), (other, "Bo"))))
    assert (await the_idea(ledger)).status == "removed"
    assert len(await told_since(ledger, ann)) == 1
    assert [what for _, what in await audited(ledger)].count("proposal.removed") == 1


@pytest.mark.usefixtures("organizers")
async def test_a_decision_and_the_proposer_who_speaks_at_once_do_not_block_each_other(
    ledger: Ledger, elsewhere: Store
) -> None:
    """Both hold the member's row and the idea's, in one order."""
    ann, _ = await reported(ledger)
    await says(ledger, "Ana", KEEP)
    [before] = await ledger.execute(_DEADLOCKS) if not ledger.store.is_sqlite else [(0,)]
    await asyncio.gather(
        says(ledger, "Bo", KEEP), *(seconds(ledger, ann, store=elsewhere) for _ in range(5)),
        *(reports(ledger, ann, store=elsewhere) for _ in range(5)),
    )  # fmt: skip
    [after] = await ledger.execute(_DEADLOCKS) if not ledger.store.is_sqlite else [(0,)]
    assert after == before
    assert (await the_idea(ledger)).status == "open"


_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def test_what_there_is_to_decide_is_read_without_who_reported(ledger: Ledger) -> None:
    ann, _ = await reported(ledger)
    found = await read_proposal(ledger.runtime, 1)
    assert (found.member_id, found.proposal.text) == (ann, IDEA)
    assert [one.reason for one in found.reported] == ["rude"] * 3
    assert {name for one in found.reported for name in one.model_dump()} == {"reason", "at"}
    assert [one.number for one in await list_proposals(ledger.runtime, status="held")] == [1]
    assert await list_proposals(ledger.runtime, after=1) == []
    with pytest.raises(NotFound):
        await read_proposal(ledger.runtime, 2)
    with pytest.raises(NotFound):
        await says(ledger, "Ana", KEEP, 2)
    with pytest.raises(BadInput):
        await says(ledger, "Ana", KEEP, reason="x" * 401)


async def test_a_proposer_whom_nobody_can_write_to_is_passed_over(ledger: Ledger) -> None:
    ann, _ = await reported(ledger)
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=ann)
    assert (await says(ledger, "Ana", REMOVE)).proposal.status == "removed"
    assert await told_since(ledger, ann) == []
