"""Who is signed in: one row for each browser, behind a token that only the browser has."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed
from router.office.organizers import Organizer, organizer_of
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import organizer, session

IDLE = timedelta(hours=12)
"""Whoever does nothing for so long signs in again."""
LASTS = timedelta(days=7)
"""And everybody after this (OWASP ASVS 3.3; the numbers are house rules)."""

_SEEN_EVERY = timedelta(minutes=5)
"""So precisely it is kept when somebody was seen last."""


class Session(NamedTuple):
    """Somebody who is signed in."""

    token_hash: str
    organizer: Organizer
    csrf: str
    """What each of their forms must bring back: nobody else's page can know it."""


async def sign_in(runtime: Runtime, who: Organizer, *, agent: str, now: datetime) -> str:
    """Open a session; returns its token, which only the browser gets to keep. It is a new one at each sign-in."""
    token = secrets.token_urlsafe(32)
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(session).where(session.c.expires_at <= now))
        await connection.execute(
            insert(session).values(
                token_hash=_hash(token), organizer_id=who.id, created_at=now, seen_at=now, expires_at=now + LASTS,
                agent=agent[:200],
            )
        )  # fmt: skip
        await write_audit(connection, audit_id, who=who.name, what="sign_in", subject=str(who.id), detail={}, now=now)

    await runtime.store.transact(work)
    return token


async def read_session(runtime: Runtime, token: str, *, now: datetime) -> Session | None:
    """Who has this token, while their session lasts; None for anybody else."""
    if not 40 <= len(token) <= 60:
        return None
    hash_ = _hash(token)
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                select(session.c.seen_at, organizer)
                .join(organizer, organizer.c.id == session.c.organizer_id)
                .where(session.c.token_hash == hash_, session.c.expires_at > now, organizer.c.disabled_at.is_(None))
            )
        ).one_or_none()
    if row is None or now - row.seen_at > IDLE:
        return None
    if now - row.seen_at > _SEEN_EVERY:
        await runtime.store.transact(lambda connection: _seen(connection, hash_, now))
    csrf = hmac.new(runtime.key, b"csrf " + hash_.encode(), hashlib.sha256).hexdigest()
    return Session(hash_, organizer_of(row), csrf)


async def still_signed_in(runtime: Runtime, found: Iterable[Session], *, now: datetime) -> set[str]:
    """The `token_hash` of each of these sessions that lasts, of an organizer who may do what they might. One query."""
    known = {one.token_hash: one.organizer for one in found}
    async with runtime.store.read() as connection:
        rows = await connection.execute(
            select(session.c.token_hash, session.c.seen_at, organizer)
            .join(organizer, organizer.c.id == session.c.organizer_id)
            .where(session.c.token_hash.in_(known), session.c.expires_at > now)
        )
        return {
            row.token_hash for row in rows if now - row.seen_at <= IDLE and organizer_of(row) == known[row.token_hash]
        }


async def sign_out(runtime: Runtime, found: Session, *, everywhere: bool = False) -> None:
    """End a session, or all sessions of its organizer."""
    mine = session.c.organizer_id == found.organizer.id if everywhere else session.c.token_hash == found.token_hash

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(delete(session).where(mine))

    await runtime.store.transact(work)


def check_form(found: Session, given: str) -> None:
    """Refuse a form that did not come from a page of this very session. Raises `NotAllowed`."""
    if not hmac.compare_digest(found.csrf.encode(), given.encode()):
        raise NotAllowed("this form is from another session; go back, reload the page, and send it again")


async def _seen(connection: AsyncConnection, hash_: str, now: datetime) -> None:
    await connection.execute(update(session).where(session.c.token_hash == hash_).values(seen_at=now))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
