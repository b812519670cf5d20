"""A form that makes something makes it once: a double click, or a page that is sent again, finds what is there."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.bulk import insert_new_rows
from router.store.tables import idempotency, to_ms

_MADE = 201
_COLUMNS = ("token_id", "key", "request_sha256", "status", "body", "at")


class MadeAlready(Exception):
    """The same form made something before, or is doing so at this moment."""


def new_key() -> str:
    """What a form carries that is shown now."""
    return secrets.token_urlsafe(16)


def remember(who: Organizer, key: str, *, now: datetime) -> Callable[[AsyncConnection, int], Awaitable[None]]:
    """Write, in the transaction that makes it, what number this form made. Raises `MadeAlready`, which undoes it.

    The rows lie among those of ``Idempotency-Key`` (accounts have negative numbers there) and are swept with them.
    """

    async def write(connection: AsyncConnection, number: int) -> None:
        row = (-who.id, key[:100], "", _MADE, str(number), to_ms(now))
        if not await insert_new_rows(connection, idempotency, _COLUMNS, [row], returning="token_id"):
            raise MadeAlready

    return write


async def made_by(runtime: Runtime, who: Organizer, key: str) -> int | None:
    """The number of what this form made; None where it has made nothing."""
    mine = select(idempotency.c.body).where(idempotency.c.token_id == -who.id, idempotency.c.key == key[:100])
    async with runtime.store.read() as connection:
        found = await connection.scalar(mine)
    return None if found is None else int(found)
