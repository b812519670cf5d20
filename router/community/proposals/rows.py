"""Rows of ideas: read and locked. Who locks both takes the member's first, then the idea's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.proposal_rules import Standing
from router.store.bulk import for_update
from router.store.tables import group_member, proposal, proposal_second

NOTICE = "proposal"
"""The kind of the notices to organizers; their subject is its number."""

_LARGEST = 2**31 - 1
"""The column holds no larger number, and people write any."""


async def lock_member(connection: AsyncConnection, member_id: int) -> Row[Any] | None:
    """Who acts, held until the transaction ends: what one person may do is counted one after the other. None for a
    group, and for somebody who is no member any more."""
    return (
        await connection.execute(
            text(
                "SELECT id, locale, country, place, joined_at FROM member"
                f" WHERE id = :id AND kind = 'person' AND erased_at IS NULL{for_update(connection)}"
            ),
            {"id": member_id},
        )
    ).one_or_none()


async def lock_proposal(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """An idea by the number that people write, held until the transaction ends; None where there is none."""
    if not 0 < number <= _LARGEST:
        return None
    found = await connection.execute(
        select(proposal).where(proposal.c.number == number).with_for_update(key_share=True)
    )
    return found.one_or_none()


def standing_of(row: Row[Any]) -> Standing:
    """What the rules look at in an idea's row."""
    return Standing(
        status=row.status,
        stage=row.stage,
        group_id=row.group_id,
        seconds=row.seconds,
        objections=row.objections,
        rule=row.rule,
        reason=row.reason,
        is_scheduled=row.next_at is not None,
    )


async def count_in_group(connection: AsyncConnection, row: Row[Any]) -> int:
    """How many of an idea's seconds were said in its own group or come from people who are known to be in it."""
    if not row.group_id:
        return 0
    among = select(group_member.c.member_id).where(group_member.c.group_id == row.group_id)
    own = or_(proposal_second.c.group_id == row.group_id, proposal_second.c.member_id.in_(among))
    return int(await connection.scalar(select(func.count()).where(is_second(row.id, "idea"), own)) or 0)


def is_second(proposal_id: int, about: str) -> ColumnElement[bool]:
    """The seconds for an idea (``idea``) or against its refusal (``refusal``)."""
    return (proposal_second.c.proposal_id == proposal_id) & (proposal_second.c.about == about)
