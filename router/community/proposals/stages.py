"""Ideas go on: what is due for each is decided by `core.proposal_stages` and done here, one transaction a step.

The ask of a stage is an ordinary campaign, saved by "idea 7" and approved by "members": those who seconded it, and the
days in which organizers could refuse, are its second pair of eyes. It is saved in one transaction with the idea's row
and goes on from whatever state it is found in, so a crash between two steps makes neither a second ask nor a lost one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE
from router.community.proposals.asking import ask_of
from router.community.proposals.deciding import lift
from router.community.proposals.looking import HELD, Case, look_at
from router.community.proposals.results import total_results
from router.community.proposals.rows import NOTICE, lock_member, lock_proposal
from router.community.proposals.telling import counts_of, tell_proposer
from router.core.errors import BadInput, NotAllowed
from router.core.model import CampaignStatus
from router.core.proposal_rules import Hold
from router.core.proposal_stages import AskState, Stage, Step, What, before, next_step
from router.drafting import save_campaign
from router.launch import approve_campaign, cancel_campaign, launch_campaign, pause_campaign, resume_campaign
from router.runtime import Runtime
from router.signals import Wake
from router.store.campaigns import write_audit
from router.store.notices import notify
from router.store.tables import proposal, proposal_campaign
from router.store.tallies import Moves

BY = "members"
"""Who approves, launches, pauses and cancels the ask of an idea, as the audit has it."""

AT_ONCE = 20
"""Ideas that are looked at in one round."""

Told = tuple[str, Mapping[str, Any]]
"""The phrase that the proposer hears, and what fills it."""

Also = Callable[[AsyncConnection, Iterator[int]], Awaitable[bool]]
"""What else is done in the transaction of a step, with one number to use; False: there was nothing to do."""


async def take_steps(runtime: Runtime, *, now: datetime) -> int:
    """Take the next step of every idea that is due; returns how many changed."""
    due = (
        select(proposal.c.number)
        .where(proposal.c.next_at <= now)
        .order_by(proposal.c.next_at, proposal.c.id)
        .limit(AT_ONCE)
    )
    async with runtime.store.read() as connection:
        numbers = list((await connection.execute(due)).scalars())
    return sum([await take_step(runtime, number, now=now) for number in numbers])


async def take_step(runtime: Runtime, number: int, *, now: datetime) -> bool:
    """Take the next step of idea `number`; False where somebody else changed it meanwhile."""
    case = await look_at(runtime, number)
    step = next_step(case.stands, runtime.policy.proposals, now)
    try:
        return await _take(runtime, case, step, now)
    except (BadInput, NotAllowed) as error:
        if await look_at(runtime, number) != case:
            return False
        return await _hold(runtime, case, Hold.UNSENDABLE, f"its ask cannot be sent: {error}", now)


async def _take(runtime: Runtime, case: Case, step: Step, now: datetime) -> bool:
    about, stands, policy = case.about, case.stands, runtime.policy.proposals
    told: Told
    match step.what:
        case What.REST | What.WAIT:
            return await _write(runtime, case, now, next_at=step.at)
        case What.ASK:
            return await _ask(runtime, case, step.stage, now)
        case What.SET_OUT:
            return await _set_out(runtime, case, now)
        case What.PAUSE:
            await pause_campaign(runtime, about.campaign_id, by=BY, reason=HELD, now=now)
            return await _write(runtime, case, now, next_at=None)
        case What.RESUME:
            await resume_campaign(runtime, about.campaign_id, by=BY, now=now)
            return True
        case What.CANCEL:
            await cancel_campaign(runtime, about.campaign_id, by=BY, now=now)
            return await _write(runtime, case, now, next_at=None)
        case What.TAKEN_BACK:
            return await _hold(runtime, case, Hold.CANCELLED, "an organizer cancelled its ask", now)
        case What.ANNOUNCE:
            told = "ideas.announced", {"seconds": stands.seconds, "hours": policy.objection_hours}
            return await _write(runtime, case, now, told=told, stage_since=now, next_at=step.at)
        case What.PASS if step.at is None:
            told = "ideas.group_said", {**counts_of(stands.results), "needed": policy.public_seconds}
            return await _write(runtime, case, now, told=told, campaign_id=0, stage_since=None, next_at=None)
        case What.PASS:
            told = "ideas.passed", {**counts_of(stands.results), "hours": policy.objection_hours}
            return await _write(runtime, case, now, told=told, campaign_id=0, stage_since=now, next_at=step.at)
        case What.END | What.DONE:
            return await _end(runtime, case, step.what, now)
        case What.LIFT:
            return await _lift(runtime, case, now)


async def _ask(runtime: Runtime, case: Case, stage: Stage, now: datetime) -> bool:
    """Save the ask of this stage, together with the idea's row that says so."""
    about = case.about
    [audit] = await runtime.store.take_ids(1)
    async with runtime.store.read() as connection:
        ask = await ask_of(runtime, connection, about, stage)

    async def along(connection: AsyncConnection, campaign_id: int) -> None:
        await _lock(connection, case)
        made = {"campaign_id": campaign_id, "proposal_id": about.id, "stage": stage.value, "at": now}
        await connection.execute(proposal_campaign.insert().values(**made))
        await _change(connection, case, now, stage=stage.value, campaign_id=campaign_id, stage_since=None, next_at=now)
        detail = {"stage": stage.value, "campaign": campaign_id, "seconds": about.seconds}
        subject = str(about.number)
        await write_audit(connection, audit, who=BY, what="proposal.ask", subject=subject, detail=detail, now=now)

    try:
        await save_campaign(runtime, ask, by=f"idea {about.number}", now=now, along=along)
    except _ChangedError:
        return False
    return True


async def _set_out(runtime: Runtime, case: Case, now: datetime) -> bool:
    """Approve and launch, each where it was not done yet; then say so."""
    about, policy, people = case.about, runtime.policy.proposals, case.people
    if case.campaign_status is CampaignStatus.DRAFT:
        await approve_campaign(runtime, about.campaign_id, by=BY, now=now)
    if case.campaign_status in (CampaignStatus.DRAFT, CampaignStatus.APPROVED):
        people = (await launch_campaign(runtime, about.campaign_id, by=BY, now=now)).recipients
    told = f"ideas.asking_{about.stage}", {"people": people, "hours": policy.stage_hours}
    return await _write(runtime, case, now, told=told, stage_since=now, next_at=now + policy.stage_time)


async def _end(runtime: Runtime, case: Case, what: What, now: datetime) -> bool:
    """It goes no further. Its proposer hears what came of it, and may write to those who said yes."""
    async with runtime.store.read() as connection:
        total = await total_results(connection, case.about.id, case.about.group_id)
    phrase, results = ("ideas.done", total) if what is What.DONE else ("ideas.ended", case.stands.results)
    told = phrase, {**counts_of(results), "may_report": total.yes > 0}
    return await _write(runtime, case, now, told=told, status="done", next_at=None)


async def _lift(runtime: Runtime, case: Case, now: datetime) -> bool:
    """Members undo its refusal."""

    async def also(connection: AsyncConnection, ids: Iterator[int]) -> bool:
        return await lift(runtime, connection, case.about, ids, now=now)

    return await _write(runtime, case, now, told=("proposals.told_lifted", {}), also=also)


async def _hold(runtime: Runtime, case: Case, hold: Hold, because: str, now: datetime) -> bool:
    """Two organizers look at it; kept, it goes on from the stage before. A refused idea stays refused."""
    about, stands = case.about, case.stands
    values: dict[str, Any] = {"next_at": None, "stage_since": None}
    if about.campaign_id:
        if stands.ask is AskState.NEW:
            await cancel_campaign(runtime, about.campaign_id, by=BY, now=now)
        values |= {"campaign_id": 0, "stage": before(stands.stage, stands.route).value}
    if about.status == "open":
        values |= {"status": "held", "reason": hold.value}

    async def also(connection: AsyncConnection, _: Iterator[int]) -> bool:
        sentence = f"idea {about.number} waits for you, {because}: outreach proposal show {about.number}"
        await notify(connection, NOTICE, str(about.number), sentence, now=now)
        return True

    return await _write(runtime, case, now, told=("ideas.waits", {}), also=also, **values)


async def _write(
    runtime: Runtime, case: Case, now: datetime, *, told: Told | None = None, also: Also | None = None, **values: object
) -> bool:
    """Change an idea's row where it is still as it was found, and tell its proposer."""
    ids = await runtime.store.take_ids(IDS_PER_MESSAGE + 1) if told else range(0)

    async def work(connection: AsyncConnection) -> None:
        await _lock(connection, case)
        numbers, moves = iter(ids), Moves()
        if also is not None and not await also(connection, numbers):
            await _change(connection, case, now, next_at=None)
            return
        if values:
            await _change(connection, case, now, **values)
        if told:
            phrase, filling = told
            await tell_proposer(runtime, connection, case.about, phrase, numbers, moves, now=now, **filling)
            await moves.write(connection)

    try:
        await runtime.store.transact(work)
    except _ChangedError:
        return False
    if told:
        runtime.signals.wake(Wake.SEND)
    return True


async def _change(connection: AsyncConnection, case: Case, now: datetime, **values: object) -> None:
    own = update(proposal).where(proposal.c.id == case.about.id)
    await connection.execute(own.values(**values, changed_at=now))


class _ChangedError(Exception):
    """Somebody else changed the idea since it was looked at."""


async def _lock(connection: AsyncConnection, case: Case) -> None:
    """Hold the idea, and its proposer who may be told of it; raises `_ChangedError`."""
    await lock_member(connection, case.about.member_id)
    row = await lock_proposal(connection, case.about.number)
    if row is None or tuple(row) != tuple(case.about):
        raise _ChangedError
