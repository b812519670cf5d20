"""Who of our members is in which group, and who its steward is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.store.bulk import insert_new_rows
from router.store.tables import group_member, to_ms


async def note_member(
    connection: AsyncConnection, group_id: int, member_id: int, source: str, *, now: datetime
) -> None:
    """A member was seen in a group: they ``came``, ``spoke`` or followed its ``link``. No news changes nothing."""
    row = (group_id, member_id, source, to_ms(now))
    columns = ("group_id", "member_id", "source", "at")
    await insert_new_rows(connection, group_member, columns, [row], returning="member_id")


async def forget_member(connection: AsyncConnection, group_id: int, member_id: int) -> None:
    """A member left a group."""
    await connection.execute(
        text("DELETE FROM group_member WHERE group_id = :group AND member_id = :member"),
        {"group": group_id, "member": member_id},
    )
