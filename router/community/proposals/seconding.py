"""Members carry an idea, find that it should not stand, or take their own back.

Each locks the idea's row first, so what is counted is exact however many come at once. Nothing here raises: what is in
the way is said.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.model import Said, Who
from router.community.proposals.rows import NOTICE, count_in_group, is_second, lock_member, lock_proposal, standing_of
from router.core.proposal_rules import NEW_MEMBER, SECOND_DAY, Hold, is_binding, is_due, is_lifted, is_new_crowd
from router.core.proposing import tidy
from router.runtime import Runtime
from router.store.bulk import insert_new_rows
from router.store.notices import notify
from router.store.tables import address, member, proposal, proposal_report, proposal_second, to_ms

_OVER = ("removed", "withdrawn", "done")

_LONGEST_REASON = 400


async def second(runtime: Runtime, connection: AsyncConnection, who: Who, number: int, *, now: datetime) -> Said:
    """A member carries idea `number`; where it stands refused, they object to that.

    It counts once for each member and each address, and at once only for those who have been members for a while.
    """
    found = await _find(runtime, connection, who, number, now=now)
    if isinstance(found, Said):
        return found
    row = found
    if row.member_id == who.member_id:
        return _about("own", row)
    if row.status == "held":
        return _about("held", row)
    policy = runtime.policy.proposals
    if row.status == "refused" and is_binding(row.rule, policy):
        return _about("binding", row, rule=policy.rules[row.rule].sentence)
    about = "refusal" if row.status == "refused" else "idea"
    if await _is_said(connection, row.id, about, who.member_id):
        return _about("already", row, seconds=row.seconds)
    today = select(func.count()).where(
        proposal_second.c.member_id == who.member_id, proposal_second.c.at > now - SECOND_DAY
    )
    if int(await connection.scalar(today) or 0) >= policy.seconds_a_day:
        return Said("proposals.enough", {"seconds": policy.seconds_a_day})
    values = (row.id, about, who.member_id, await _address(connection, who), who.channel, who.group_id, to_ms(now))
    columns = ("proposal_id", "about", "member_id", "address_hash", "channel", "group_id", "at")
    if not await insert_new_rows(connection, proposal_second, columns, [values], returning="member_id"):
        return _about("same_phone", row)
    if about == "refusal":
        return await _object(runtime, connection, row, now)
    return await _carry(runtime, connection, row, now)


async def report(
    runtime: Runtime, connection: AsyncConnection, who: Who, number: int, reason: str, *, now: datetime
) -> Said:
    """A member finds that idea `number` should not stand; enough of them hold it until two organizers have looked.

    They are thanked, and not told how many others did.
    """
    found = await _find(runtime, connection, who, number, now=now)
    if isinstance(found, Said):
        return found
    row = found
    if row.member_id == who.member_id:
        return _about("own_report", row)
    values = (row.id, who.member_id, await _address(connection, who), tidy(reason)[:_LONGEST_REASON], to_ms(now))
    columns = ("proposal_id", "member_id", "address_hash", "reason", "at")
    if await insert_new_rows(connection, proposal_report, columns, [values], returning="member_id"):
        reports = row.reports + 1
        changes: dict[str, Any] = {"reports": reports}
        if row.status == "open" and reports >= runtime.policy.proposals.reports:
            changes |= await _hold(connection, row, Hold.REPORTS, f"{reports} members reported it", now)
        await _change(connection, row, now, **changes)
    return _about("reported", row)


async def withdraw(runtime: Runtime, connection: AsyncConnection, who: Who, number: int, *, now: datetime) -> Said:
    """Its proposer takes idea `number` back; nobody else can."""
    row = await lock_proposal(connection, number)
    if row is None or row.member_id != who.member_id:
        return Said("proposals.unknown")
    if row.status in _OVER:
        return _about("over", row)
    await _change(connection, row, now, status="withdrawn", next_at=now)
    return _about("withdrawn", row)


async def _find(
    runtime: Runtime, connection: AsyncConnection, who: Who, number: int, *, now: datetime
) -> Row[Any] | Said:
    """The idea, locked, for somebody who has been a member long enough to speak about it; else what is in the way."""
    person = await lock_member(connection, who.member_id)
    if person is None:
        return Said("proposals.members_only")
    row = await lock_proposal(connection, number)
    if row is None:
        return Said("proposals.unknown")
    if row.status in _OVER:
        return _about("over", row)
    days = runtime.policy.proposals.member_days
    if person.joined_at > to_ms(now - timedelta(days=days)) and row.member_id != who.member_id:
        return Said("proposals.newcomer", {"days": days})
    return row


async def _carry(runtime: Runtime, connection: AsyncConnection, row: Row[Any], now: datetime) -> Said:
    policy = runtime.policy.proposals
    seconds = row.seconds + 1
    idea = standing_of(row)._replace(seconds=seconds)
    changes: dict[str, Any] = {"seconds": seconds}
    if is_new_crowd(idea, await _newcomers(connection, row.id, now), policy):
        sentence = f"most of its {seconds} seconds come from members of the last {NEW_MEMBER.days} days"
        changes |= await _hold(connection, row, Hold.CROWD, sentence, now)
    elif is_due(idea, await count_in_group(connection, row), policy):
        changes["next_at"] = now
    await _change(connection, row, now, **changes)
    return _about("seconded", row, seconds=seconds)


async def _object(runtime: Runtime, connection: AsyncConnection, row: Row[Any], now: datetime) -> Said:
    idea = standing_of(row)._replace(objections=row.objections + 1)
    policy = runtime.policy.proposals
    changes: dict[str, Any] = {"objections": idea.objections}
    if is_lifted(idea, policy):
        changes["next_at"] = now
    await _change(connection, row, now, **changes)
    return _about("objected", row, objections=idea.objections, needed=policy.lift_seconds)


async def _hold(connection: AsyncConnection, row: Row[Any], hold: Hold, because: str, now: datetime) -> dict[str, Any]:
    """What changes in its row once it waits for organizers, who are told."""
    sentence = f"idea {row.number} waits for you, {because}: outreach proposal show {row.number}"
    await notify(connection, NOTICE, str(row.number), sentence, now=now)
    return {"status": "held", "reason": hold.value, "next_at": now}


async def _change(connection: AsyncConnection, row: Row[Any], now: datetime, **values: Any) -> None:
    changed = update(proposal).where(proposal.c.id == row.id).values(**values, changed_at=now)
    await connection.execute(changed)


async def _newcomers(connection: AsyncConnection, proposal_id: int, now: datetime) -> int:
    """How many of its seconds come from members who joined lately."""
    query = (
        select(func.count())
        .select_from(proposal_second)
        .join(member, member.c.id == proposal_second.c.member_id)
        .where(is_second(proposal_id, "idea"), member.c.joined_at > now - NEW_MEMBER)
    )
    return int(await connection.scalar(query) or 0)


async def _is_said(connection: AsyncConnection, proposal_id: int, about: str, member_id: int) -> bool:
    own = select(1).where(is_second(proposal_id, about), proposal_second.c.member_id == member_id)
    return await connection.scalar(own) is not None


async def _address(connection: AsyncConnection, who: Who) -> str:
    """The keyed hash of where it came from; on a page that is the member's own first address."""
    if who.address_hash:
        return who.address_hash
    first = (
        select(address.c.hash)
        .where(address.c.member_id == who.member_id, address.c.consent == "granted")
        .order_by(address.c.rank, address.c.id)
        .limit(1)
    )
    return await connection.scalar(first) or f"m{who.member_id}"


def _about(phrase: str, row: Row[Any], **values: object) -> Said:
    return Said(f"proposals.{phrase}", {"number": row.number, **values}, row.number)
