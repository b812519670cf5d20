"""Who of our members is in which group, and who its steward is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.owners import Owner
from router.store.bulk import insert_new_rows
from router.store.tables import from_ms, group_member, to_ms


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


async def let_in(
    connection: AsyncConnection, group_id: int, steward_hash: str, steward_id: int | None, *, now: datetime
) -> None:
    """We were let into a group, from the address of this keyed hash ("" where the provider does not tell).

    Whoever did so is its steward from now on, unless organizers named one: then no hash is kept.
    """
    named = "group_chat.steward_hash = '' AND group_chat.steward_id IS NOT NULL"
    await connection.execute(
        text(
            "INSERT INTO group_chat (group_id, steward_hash, steward_id, at) VALUES (:group, :hash, :member, :now)"
            " ON CONFLICT (group_id) DO UPDATE SET at = excluded.at,"
            f" steward_hash = CASE WHEN {named} OR excluded.steward_hash = '' THEN group_chat.steward_hash"
            " ELSE excluded.steward_hash END,"
            f" steward_id = CASE WHEN {named} OR excluded.steward_hash = '' THEN group_chat.steward_id"
            " ELSE excluded.steward_id END"
        ),
        {"group": group_id, "hash": steward_hash, "member": steward_id, "now": to_ms(now)},
    )


async def name_steward(connection: AsyncConnection, group_id: int, member_id: int | None, *, now: datetime) -> None:
    """Organizers name a group's steward, in the place of whoever let us in; None for nobody."""
    await connection.execute(
        text(
            "INSERT INTO group_chat (group_id, steward_id, at) VALUES (:group, :member, :now)"
            " ON CONFLICT (group_id) DO UPDATE SET steward_hash = '', steward_id = excluded.steward_id"
        ),
        {"group": group_id, "member": member_id, "now": to_ms(now)},
    )


async def is_steward(connection: AsyncConnection, group_id: int, person_hash: str, owners: Sequence[Owner]) -> bool:
    """Whether somebody, by the hash of their address and as which members, is the steward of a group."""
    found = await connection.execute(
        text("SELECT steward_hash, steward_id FROM group_chat WHERE group_id = :group"), {"group": group_id}
    )
    row = found.one_or_none()
    if row is None:
        return False
    return (row.steward_hash != "" and row.steward_hash == person_hash) or any(
        owner.member_id == row.steward_id for owner in owners
    )


async def let_in_at(connection: AsyncConnection, group_id: int) -> datetime:
    """When we were let into a group, the last time."""
    at = await connection.scalar(
        text(
            "SELECT coalesce(g.at, m.joined_at) FROM member m LEFT JOIN group_chat g ON g.group_id = m.id"
            " WHERE m.id = :group"
        ),
        {"group": group_id},
    )
    assert at is not None, "somebody has just written in it"
    return from_ms(at)
