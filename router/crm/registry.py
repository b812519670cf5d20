"""Which other systems are told what, and what of that could not be told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput, NotFound
from router.core.outgoing import Kind, new_secret
from router.core.sealing import CannotOpen, KeyRing
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.sealed import seal, unseal
from router.store.tables import from_ms, hook, hook_event, to_ms

MOST = 20
"""Addresses at a time; each event is kept once for each."""


class WebhookView(BaseModel):
    """An address that is told."""

    model_config = ConfigDict(frozen=True)

    id: int
    url: str
    kinds: list[Kind]
    active: bool
    reason: str
    """Why it is not active, or why its address and secret cannot be read."""
    waiting: int
    """Events that are still to be told."""
    dead: int
    """Events that were given up; `replay` tries them again."""
    resting_until: datetime | None
    """It could not be reached; nothing is tried before."""
    created_by: str
    created_at: datetime


class WebhookMade(BaseModel):
    """A new address, and the secret that signs what is sent there: it is shown once."""

    model_config = ConfigDict(frozen=True)

    webhook: WebhookView
    secret: str


class WebhookEvent(BaseModel):
    """Something that an address is told."""

    model_config = ConfigDict(frozen=True)

    id: int
    kind: Kind
    member_id: int
    """0 where it is about nobody in particular."""
    status: str
    """waiting, told or dead"""
    attempts: int
    last_error: str
    at: datetime
    next_try_at: datetime | None


async def add_webhook(runtime: Runtime, url: str, kinds: Sequence[Kind], *, by: str, now: datetime) -> WebhookMade:
    """Tell this address from now on. Raises `BadInput`."""
    _check(runtime, url)
    if not kinds:
        raise BadInput("name at least one kind of event", place="kinds")
    secret = new_secret(secrets.token_bytes(24))
    number, audit = await runtime.store.take_ids(2)
    values = {
        "id": number, "url": seal(runtime.ring, url, hook.c.url, number),
        "secret": seal(runtime.ring, secret, hook.c.secret, number),
        "kinds": f" {' '.join(sorted(set(kinds)))} ", "created_by": by, "created_at": now,
    }  # fmt: skip

    async def work(connection: AsyncConnection) -> None:
        many = await connection.scalar(text("SELECT count(*) FROM hook WHERE active"))
        if (many or 0) >= MOST:
            raise BadInput(f"there are {MOST} already; close one first", place="url")
        await connection.execute(insert(hook).values(**values))
        detail = {"host": urlsplit(url).hostname or "", "kinds": sorted(set(kinds))}
        await write_audit(connection, audit, who=by, what="webhook.added", subject=str(number), detail=detail, now=now)

    await runtime.store.transact(work)
    return WebhookMade(webhook=await view_webhook(runtime, number), secret=secret)


async def list_webhooks(runtime: Runtime) -> list[WebhookView]:
    """All of them, the closed ones too, oldest first."""
    return await _read(runtime, None)


async def view_webhook(runtime: Runtime, number: int) -> WebhookView:
    """One of them. Raises `NotFound`."""
    found = await _read(runtime, number)
    if not found:
        raise NotFound(f"there is no webhook {number}")
    return found[0]


async def set_active(runtime: Runtime, number: int, active: bool, *, by: str, now: datetime) -> WebhookView:
    """Close an address, or open it again: what waited for it is told then. Raises `NotFound`."""
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        changed = await connection.execute(
            hook.update()
            .where(hook.c.id == number)
            .values(active=active, reason="" if active else f"closed by {by}"[:400], failures=0, rest_until=None)
        )
        if changed.rowcount == 0:
            raise NotFound(f"there is no webhook {number}")
        what = "webhook.opened" if active else "webhook.closed"
        await write_audit(connection, audit, who=by, what=what, subject=str(number), detail={}, now=now)

    await runtime.store.transact(work)
    return await view_webhook(runtime, number)


async def list_events(
    runtime: Runtime, number: int, *, status: str = "dead", limit: int = 50, before: int = 2**62
) -> list[WebhookEvent]:
    """What an address was told, waits to be told or could not be told, newest first."""
    query = (
        select(hook_event)
        .where(hook_event.c.hook_id == number, hook_event.c.status == status, hook_event.c.id < before)
        .order_by(hook_event.c.id.desc())
        .limit(limit)
    )
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query)).all()
    return [
        WebhookEvent(
            id=row.id, kind=Kind(row.kind), member_id=row.member_id, status=row.status, attempts=row.attempts,
            last_error=row.last_error, at=row.at, next_try_at=row.not_before if row.status == "waiting" else None,
        )
        for row in rows
    ]  # fmt: skip


async def replay(runtime: Runtime, number: int, *, by: str, now: datetime) -> int:
    """Try all dead letters of an address again; returns how many they are."""
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> int:
        changed = await connection.execute(
            text(
                "UPDATE hook_event SET status = 'waiting', attempts = 0, not_before = :now, done_at = NULL"
                " WHERE hook_id = :id AND status = 'dead'"
            ),
            {"id": number, "now": to_ms(now)},
        )
        await write_audit(
            connection, audit, who=by, what="webhook.replayed", subject=str(number),
            detail={"events": changed.rowcount}, now=now,
        )  # fmt: skip
        return changed.rowcount

    await view_webhook(runtime, number)
    return await runtime.store.transact(work)


async def _read(runtime: Runtime, number: int | None) -> list[WebhookView]:
    only = "" if number is None else " WHERE h.id = :id"
    async with runtime.store.read() as connection:
        rows = await connection.execute(
            text(
                "SELECT h.id, h.url, h.kinds, h.active, h.reason, h.rest_until, h.created_by, h.created_at,"
                " (SELECT count(*) FROM hook_event e WHERE e.hook_id = h.id AND e.status = 'waiting') AS waiting,"
                " (SELECT count(*) FROM hook_event e WHERE e.hook_id = h.id AND e.status = 'dead') AS dead"
                f" FROM hook h{only} ORDER BY h.id"
            ),
            {} if number is None else {"id": number},
        )
        return [_view(runtime.ring, row) for row in rows.all()]


def _view(ring: KeyRing, row: Any) -> WebhookView:
    url, reason = "", row.reason
    try:
        url = unseal(ring, row.url, hook.c.url, row.id)
    except CannotOpen as error:
        reason = reason or str(error)
    return WebhookView(
        id=row.id,
        url=url,
        kinds=[Kind(kind) for kind in row.kinds.split()],
        active=bool(row.active),
        reason=reason,
        waiting=row.waiting,
        dead=row.dead,
        resting_until=None if row.rest_until is None else from_ms(row.rest_until),
        created_by=row.created_by,
        created_at=from_ms(row.created_at),
    )


def _check(runtime: Runtime, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadInput("is not a web address", place="url") from None
    if parts.scheme == "http" and runtime.settings.private_networks:
        pass  # the operator tries things out on networks of their own
    elif parts.scheme != "https":
        raise BadInput("must begin with https://", place="url")
    if not host or parts.username is not None or parts.fragment:
        raise BadInput("needs a host, and neither a user nor a #fragment", place="url")
    if not url.isascii() or any(c <= " " for c in url) or len(url) > 2_000:
        raise BadInput("write it percent-encoded, in at most 2,000 characters", place="url")
