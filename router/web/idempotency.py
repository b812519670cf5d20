"""The same POST twice happens once: replies are kept under ``Idempotency-Key`` for 24 hours.

The row is inserted before the work begins, so of two requests at once only one runs. A request that ended in a 5xx
takes its row away: nothing is known to be done, and the client may try again with the same key. After a crash in
mid-request the key is free again too (`ABANDONED`), so whatever a POST does must bear to be done again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Row, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput, OutreachError
from router.core.sealing import KeyRing
from router.store.engine import Store
from router.store.sealed import seal, unseal
from router.store.tables import idempotency
from router.web.problems import ProblemError, problem_json, problem_of, retry_after

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=10)
"""A request under way for so long belonged to a process that died: no request takes as long."""
SWEEP_SECONDS = 3600

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def key_of(request: web.Request) -> str | None:
    """The request's key, if it sent one; 422 where it is none that we can keep."""
    keys = request.headers.getall(HEADER, [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise BadInput("send one key of 1 to 200 visible ASCII characters, such as a UUID", place=HEADER)
    return keys[0]


def fingerprint(request: web.Request, body_sha256: str) -> str:
    """What must be the same for a request to be the same."""
    return hashlib.sha256(f"{request.method} {request.raw_path} {body_sha256}".encode()).hexdigest()


async def once(
    store: Store,
    ring: KeyRing,
    *,
    token_id: int,
    key: str,
    request_sha256: str,
    now: datetime,
    work: Callable[[], Awaitable[web.Response]],
) -> web.Response:
    """Answer by `work`, or as the first request with this `key` was answered.

    Answers are kept sealed: they may show a secret that is shown only once.
    """
    mine = and_(idempotency.c.token_id == token_id, idempotency.c.key == key, idempotency.c.at == now)
    earlier = await _begin(store, token_id=token_id, key=key, request_sha256=request_sha256, now=now)
    if earlier is not None:
        return _replay(earlier, request_sha256, ring)
    try:
        response = await work()
    except (ProblemError, OutreachError, web.HTTPException) as error:
        problem = problem_of(error)
        if problem.status >= 500:
            await _forget(store, mine)
            raise
        response = problem_json(problem)
    except BaseException:
        await asyncio.shield(_forget(store, mine))
        raise
    body = response.body
    assert isinstance(body, bytes), "only whole documents are replayed"
    sealed = seal(ring, body.decode(), idempotency.c.body, token_id, key)
    kept = update(idempotency).where(mine).values(status=response.status, body=sealed)
    await store.transact(lambda connection: connection.execute(kept))
    return response


async def _begin(
    store: Store, *, token_id: int, key: str, request_sha256: str, now: datetime
) -> Row[tuple[object, ...]] | None:
    """Take the key for this request, or return the row of the request that has it."""
    the_key = and_(idempotency.c.token_id == token_id, idempotency.c.key == key)
    insert = sqlite.insert if store.is_sqlite else postgresql.insert

    async def begin(connection: AsyncConnection) -> Row[tuple[object, ...]] | None:
        dead = and_(idempotency.c.status.is_(None), idempotency.c.at < now - ABANDONED)
        await connection.execute(delete(idempotency).where(the_key, or_(idempotency.c.at < now - KEPT, dead)))
        inserted = await connection.execute(
            insert(idempotency)
            .values(token_id=token_id, key=key, request_sha256=request_sha256, at=now)
            .on_conflict_do_nothing()
            .returning(idempotency.c.token_id)
        )
        if inserted.first() is not None:
            return None
        return (await connection.execute(select(idempotency).where(the_key))).one()

    return await store.transact(begin)


def _replay(earlier: Row[Any], request_sha256: str, ring: KeyRing) -> web.Response:
    if earlier.request_sha256 != request_sha256:
        raise BadInput("this key was used for another request; take a new one", place=HEADER)
    if earlier.status is None:
        raise ProblemError(409, "the first request with this key is still under way", headers=retry_after(1))
    if not earlier.body:  # `router.erasing` drops all answers of the day: one of them may be about whoever is erased
        raise ProblemError(
            409,
            f"this was done (the answer was {earlier.status}), but its answer is not kept any more, because a member"
            " was erased since; look at what it made, do not send it again",
        )
    return web.Response(
        status=earlier.status,
        body=unseal(ring, earlier.body, idempotency.c.body, earlier.token_id, earlier.key).encode(),
        content_type="application/json" if earlier.status < 400 else "application/problem+json",
        headers={"Idempotent-Replayed": "true"},
    )


async def _forget(store: Store, mine: ColumnElement[bool]) -> None:
    # Where even this fails the row is taken over after ABANDONED; the first error is the one worth telling.
    with contextlib.suppress(OutreachError, DBAPIError):
        await store.transact(lambda connection: connection.execute(delete(idempotency).where(mine)))


async def sweep(store: Store, now: datetime) -> int:
    """Drop rows that are too old to be replayed; returns how many."""
    old = delete(idempotency).where(idempotency.c.at < now - KEPT)
    return (await store.transact(lambda connection: connection.execute(old))).rowcount


@contextlib.asynccontextmanager
async def sweeping(store: Store, clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """`sweep` once an hour while the web server runs."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with contextlib.suppress(OutreachError, DBAPIError):  # the database is away: the next hour will do
                await sweep(store, clock())

    task = asyncio.create_task(loop(), name="idempotency-sweep")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
