"""Links that somebody may still follow, and how to take one back that went astray."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotFound
from router.core.roles import Role
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import invitation


class OpenInvitation(NamedTuple):
    """A link that nobody has followed yet."""

    key: str
    """Names it, and opens nothing: the hash of its token."""
    name: str
    role: Role
    is_limited: bool
    """Whether it is for a part of the members only."""
    created_by: str
    expires_at: datetime


async def list_open(runtime: Runtime, *, now: datetime) -> list[OpenInvitation]:
    """Those that still make an account, the latest first."""
    still = (invitation.c.used_at.is_(None), invitation.c.expires_at > now)
    query = select(invitation).where(*still).order_by(invitation.c.created_at.desc()).limit(200)
    async with runtime.store.read() as connection:
        return [
            OpenInvitation(
                row.token_hash, row.name, Role(row.role), row.audience is not None, row.created_by, row.expires_at
            )
            for row in await connection.execute(query)
        ]


async def take_back(runtime: Runtime, key: str, *, by: str, now: datetime) -> None:
    """End a link before anybody follows it. Raises `NotFound` where it is used, old or none."""
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        ended = await connection.execute(
            update(invitation)
            .where(invitation.c.token_hash == key, invitation.c.used_at.is_(None), invitation.c.expires_at > now)
            .values(expires_at=now)
            .returning(invitation.c.role, invitation.c.name)
        )
        row = ended.one_or_none()
        if row is None:
            raise NotFound("this link is none any more: somebody has used it, or it was taken back")
        await write_audit(
            connection,
            audit_id,
            who=by,
            what="organizer.uninvite",
            subject=row.role,
            detail={"name": row.name},
            now=now,
        )

    await runtime.store.transact(work)
