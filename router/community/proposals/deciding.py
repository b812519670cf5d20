"""What organizers decide about an idea, two of them alike; and how members undo a refusal.

An *organizer* is who `router.approval` says. One vote is only a vote; the one that makes them enough carries it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE
from router.approval import fold, organizers
from router.community.proposals.reading import OneProposal, one_of
from router.community.proposals.rows import NOTICE, is_second, lock_member, lock_proposal, standing_of
from router.community.proposals.telling import tell_proposer
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.proposal_rules import KEPT, Decision, is_binding, is_lifted, votes_needed, why_not
from router.runtime import Runtime
from router.signals import Wake
from router.store.campaigns import write_audit
from router.store.notices import clear, notify
from router.store.tables import proposal, proposal_second, proposal_vote
from router.store.tallies import Moves

LONGEST_REASON = 400


async def decide(
    runtime: Runtime, number: int, decision: Decision, *, by: str, rule: str = "", reason: str = "", now: datetime
) -> OneProposal:
    """Organizer `by` is for that; done once as many as it needs are, and then its proposer is told.

    Said twice by one organizer it is one vote; another decision of theirs takes its place. Those who refuse must name
    the same `rule`. Raises `NotFound`, `NotAllowed` and `BadInput` with what is in the way.
    """
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise BadInput(f"say it in at most {LONGEST_REASON} characters", place="reason")
    ids = await runtime.store.take_ids(2 + IDS_PER_MESSAGE)

    async def work(connection: AsyncConnection) -> OneProposal:
        row = await _find(runtime, connection, number, decision, rule)
        await _vote(connection, row, decision, by=by, rule=rule, reason=reason, now=now)
        detail = {"rule": rule}  # the reason is words about a person, and goes when they are erased
        what = f"proposal.{decision.value}"
        await write_audit(connection, ids[0], who=by, what=what, subject=str(number), detail=detail, now=now)
        needed, votes = await _needed(runtime, connection, by), await _count(connection, row.id, decision, rule)
        if votes >= needed:
            await _carry_out(runtime, connection, row, decision, rule, reason, iter(ids[1:]), now)
        else:
            said = f"{by} is for {decision.value}, {needed - votes} more must agree: outreach proposal show {number}"
            await notify(connection, NOTICE, str(number), f"idea {number}: {said}", now=now)
        return await one_of(connection, number)

    found = await runtime.store.transact(work)
    runtime.signals.wake(Wake.SEND)
    return found


async def lift(
    runtime: Runtime, connection: AsyncConnection, row: Row[Any], ids: Iterator[int], *, now: datetime
) -> bool:
    """Members objected to the refusal of this idea, whose row is locked: where they are enough it goes on where it
    stood. `rule` stays as the one that members lifted. Uses one of `ids`."""
    if not is_lifted(standing_of(row), runtime.policy.proposals):
        return False
    lifted = update(proposal).where(proposal.c.id == row.id, proposal.c.status == "refused")
    await connection.execute(lifted.values(status="open", reason="", next_at=now, changed_at=now))
    detail = {"rule": row.rule, "objections": row.objections}
    await write_audit(
        connection, next(ids), who="members", what="proposal.lift", subject=str(row.number), detail=detail, now=now
    )
    return True


async def _find(runtime: Runtime, connection: AsyncConnection, number: int, decision: Decision, rule: str) -> Row[Any]:
    # The proposer is told in the same transaction, which holds their row: it is locked first, as everywhere.
    proposer = await connection.scalar(select(proposal.c.member_id).where(proposal.c.number == number))
    if proposer is not None:
        await lock_member(connection, proposer)
    row = await lock_proposal(connection, number)
    if row is None:
        raise NotFound("there is no such idea")
    refused = why_not(decision, rule, standing_of(row), runtime.policy.proposals)
    if refused:
        raise NotAllowed(refused)
    return row


async def _vote(
    connection: AsyncConnection, row: Row[Any], decision: Decision, *, by: str, rule: str, reason: str, now: datetime
) -> None:
    """Keep it in place of what they held before."""
    mine = (proposal_vote.c.proposal_id == row.id) & (proposal_vote.c.by == fold(by))
    await connection.execute(delete(proposal_vote).where(mine))
    await connection.execute(
        proposal_vote.insert().values(
            proposal_id=row.id, what=decision.value, by=fold(by), rule=rule, reason=reason, at=now
        )
    )


async def _needed(runtime: Runtime, connection: AsyncConnection, by: str) -> int:
    """How many must agree, of the organizers that there are; whoever has the command line is one."""
    known = {fold(name) for name in await organizers(connection)}
    return votes_needed(len(known | {fold(by)}), runtime.policy.proposals)


async def _count(connection: AsyncConnection, proposal_id: int, decision: Decision, rule: str) -> int:
    """How many are for it; of those who refuse, by the same rule."""
    alike = (proposal_vote.c.proposal_id == proposal_id) & (proposal_vote.c.what == decision.value)
    if decision is Decision.REFUSE:
        alike &= proposal_vote.c.rule == rule
    return int(await connection.scalar(select(func.count()).where(alike)) or 0)


async def _carry_out(
    runtime: Runtime,
    connection: AsyncConnection,
    row: Row[Any],
    decision: Decision,
    rule: str,
    reason: str,
    ids: Iterator[int],
    now: datetime,
) -> None:
    sentence = runtime.policy.proposals.rules[rule].sentence if rule else ""
    values: dict[str, Any]
    match decision:
        case Decision.KEEP:
            # Members report again what they find wrong after that; those who did have had their look.
            values = {"status": "open", "reason": KEPT, "rule": "", "reports": 0}
            phrase = "proposals.told_kept"
        case Decision.REMOVE:
            values = {"status": "removed", "reason": reason, "rule": rule}
            phrase = "proposals.told_removed"
        case Decision.REFUSE:
            values = {"status": "refused", "reason": reason, "rule": rule, "objections": 0}
            bound = is_binding(rule, runtime.policy.proposals)
            phrase = "proposals.told_bound" if bound else "proposals.told_refused"
            await connection.execute(delete(proposal_second).where(is_second(row.id, "refusal")))
    changed = update(proposal).where(proposal.c.id == row.id).values(**values, next_at=now, changed_at=now)
    await connection.execute(changed)
    await connection.execute(delete(proposal_vote).where(proposal_vote.c.proposal_id == row.id))
    detail = {"rule": rule, "was": row.status}
    await write_audit(
        connection, next(ids), who="organizers", what=f"proposal.{values['status']}", subject=str(row.number),
        detail=detail, now=now,
    )  # fmt: skip
    await clear(connection, NOTICE, str(row.number), now=now)
    moves = Moves()
    await tell_proposer(runtime, connection, row, phrase, ids, moves, now=now, sentence=sentence)
    await moves.write(connection)
