"""A member's own page: the link to it, whose it is, and how all links of theirs are made void."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.door_links import EPOCHS, Door, door_token, read_door_token
from router.core.errors import NotFound
from router.runtime import Runtime
from router.store.campaigns import write_audit

DAYS = 30
"""So long a link is good where nobody says."""


class Resident(NamedTuple):
    """Whom a link lets in."""

    id: int
    first_name: str
    locale: str
    zone: str


async def door_link(runtime: Runtime, member_id: int, *, days: int = DAYS, now: datetime) -> str:
    """The link to a member's own page, for them alone. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        return await link_in(connection, runtime, member_id, days=days, now=now)


async def link_in(
    connection: AsyncConnection, runtime: Runtime, member_id: int, *, days: int = DAYS, now: datetime
) -> str:
    """The same, in a transaction that is open already."""
    epoch = await connection.scalar(
        text("SELECT door_epoch FROM member WHERE id = :id AND kind = 'person' AND erased_at IS NULL"),
        {"id": member_id},
    )
    if epoch is None:
        raise NotFound(f"there is no member {member_id}")
    token = door_token(runtime.key, Door(member_id, epoch), now + timedelta(days=days))
    return f"{runtime.settings.public_url.rstrip('/')}/m/{token}"


async def who_enters(runtime: Runtime, token: str, *, now: datetime) -> Resident | None:
    """Whom a token lets in; None for one that is not ours, is too old or was made void."""
    door = read_door_token(runtime.key, token, now)
    if door is None:
        return None
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT id, first_name, locale, zone FROM member WHERE id = :id AND door_epoch = :epoch"
                    " AND kind = 'person' AND erased_at IS NULL"
                ),
                {"id": door.member_id, "epoch": door.epoch},
            )
        ).one_or_none()
    return None if row is None else Resident(*row)


async def shut_door(runtime: Runtime, member_id: int, *, by: str, now: datetime) -> None:
    """Make all links to a member's page void: a phone was lost, or a message shown around. Raises `NotFound`."""
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        changed = await connection.execute(
            text(
                f"UPDATE member SET door_epoch = (door_epoch + 1) % {EPOCHS}"
                " WHERE id = :id AND kind = 'person' AND erased_at IS NULL"
            ),
            {"id": member_id},
        )
        if not changed.rowcount:
            raise NotFound(f"there is no member {member_id}")
        await write_audit(
            connection, audit_id, who=by, what="member.door_shut", subject=str(member_id), detail={}, now=now
        )

    await runtime.store.transact(work)
