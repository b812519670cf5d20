"""One-time links by which somebody becomes an organizer: the first admin's, from the console, and all others'."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.audience import Filter
from router.core.roles import Role
from router.office import passwords
from router.office.organizers import Organizer, add_organizer, check_name, is_empty, organizer_of
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import invitation, organizer

LASTS = timedelta(days=3)
"""A link that lies about in a mailbox for longer is nobody's key any more."""

_filter: TypeAdapter[Filter] = TypeAdapter(Filter)

Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in the same transaction; it gets the number of what is made."""


class Invitation(NamedTuple):
    """What whoever follows the link will be."""

    role: Role
    name: str
    """What they are called by who invited them; they may change it."""
    created_by: str


async def invite(
    runtime: Runtime,
    *,
    role: Role,
    name: str = "",
    audience: Filter | None = None,
    by: str,
    now: datetime,
    along: Along | None = None,
) -> str:
    """Make a link's token; it works once, for `LASTS`. Only its hash is kept. `along` is written with it."""
    token = secrets.token_urlsafe(32)
    [audit_id] = await runtime.store.take_ids(1)
    called = check_name(name) if name.strip() else ""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            insert(invitation).values(
                token_hash=_hash(token), name=called, role=role.value, created_by=by, created_at=now,
                audience=None if audience is None else audience.model_dump(mode="json"), expires_at=now + LASTS,
            )
        )  # fmt: skip
        await write_audit(
            connection, audit_id, who=by, what="organizer.invite", subject=role.value, detail={"name": called}, now=now
        )
        if along is not None:
            await along(connection, audit_id)

    await runtime.store.transact(work)
    return token


def link_of(runtime: Runtime, token: str) -> str:
    """The page that a token opens."""
    return f"{runtime.settings.public_url.rstrip('/')}/office/welcome/{token}"


async def first_link(runtime: Runtime, *, now: datetime) -> str:
    """Where nobody is an organizer yet, a link that makes the first admin; "" once somebody is."""
    if not await is_empty(runtime):
        return ""
    return link_of(runtime, await invite(runtime, role=Role.ADMIN, by="the console", now=now))


async def read_invitation(runtime: Runtime, token: str, *, now: datetime) -> Invitation | None:
    """What a token is good for; None where it is nothing, used, or too old."""
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                select(invitation).where(
                    invitation.c.token_hash == _hash(token),
                    invitation.c.used_at.is_(None),
                    invitation.c.expires_at > now,
                )
            )
        ).one_or_none()
    return None if row is None else Invitation(Role(row.role), row.name, row.created_by)


async def accept(runtime: Runtime, token: str, *, name: str, password: str, now: datetime) -> Organizer | None:
    """Become an organizer by a link; None where it is none (any more). Raises `BadInput`."""
    called = check_name(name)
    passwords.check_new(password)
    kept = await passwords.hashed(password)
    number, audit_id = await runtime.store.take_ids(2)

    async def work(connection: AsyncConnection) -> Organizer | None:
        used = await connection.execute(
            update(invitation)
            .where(
                invitation.c.token_hash == _hash(token), invitation.c.used_at.is_(None), invitation.c.expires_at > now
            )
            .values(used_at=now)
            .returning(invitation.c.role, invitation.c.audience, invitation.c.created_by)
        )
        row = used.one_or_none()
        if row is None:
            return None
        await add_organizer(
            connection, (number, audit_id), name=called, role=Role(row.role), password_hash=kept, by=row.created_by,
            audience=None if row.audience is None else _filter.validate_python(row.audience), now=now,
        )  # fmt: skip
        made = (await connection.execute(select(organizer).where(organizer.c.id == number))).one()
        return organizer_of(made)

    return await runtime.store.transact(work)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
