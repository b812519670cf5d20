"""The same POST twice happens once, on both databases; a key is never a way to lose or to double a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select

from router.core.errors import BadInput, NotAllowed, Unavailable
from router.core.sealing import KeyRing
from router.store.engine import Store
from router.store.tables import idempotency as table
from router.web import idempotency
from router.web.problems import ProblemError

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
RING = KeyRing(b"a key of the tests, of nobody else")
Work = Callable[[], Awaitable[web.Response]]


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


class Counted:
    """Work that counts how often it ran."""

    def __init__(self, status: int = 201, error: BaseException | None = None) -> None:
        self.runs = 0
        self.status = status
        self.error = error
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self) -> web.Response:
        self.runs += 1
        run = self.runs
        await self.go.wait()
        if self.error:
            raise self.error
        return web.Response(status=self.status, body=f'{{"run":{run}}}'.encode(), content_type="application/json")


async def send(ledger: Store, work: Work, *, request: str = "a", key: str = "k", token: int = 1, now: datetime = NOW):
    return await idempotency.once(ledger, RING, token_id=token, key=key, request_sha256=request, now=now, work=work)


async def test_a_replay_has_the_first_answer_and_says_that_it_is_one(ledger: Store) -> None:
    work = Counted()
    first = await send(ledger, work)
    again = await send(ledger, work, now=NOW + timedelta(hours=23, minutes=59))
    assert work.runs == 1
    assert (again.status, again.body) == (first.status, first.body) == (201, b'{"run":1}')
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_another_request_under_the_same_key_is_refused(ledger: Store) -> None:
    work = Counted()
    await send(ledger, work)
    with pytest.raises(BadInput, match="another request"):
        await send(ledger, work, request="b")
    assert work.runs == 1


async def test_keys_belong_to_their_token(ledger: Store) -> None:
    work = Counted()
    await send(ledger, work, token=1)
    await send(ledger, work, token=2)
    await send(ledger, work, key="other")
    assert work.runs == 3


async def test_of_many_at_once_one_runs_and_the_others_are_told_to_wait(ledger: Store) -> None:
    work = Counted()
    work.go.clear()
    tasks = [asyncio.create_task(send(ledger, work)) for _ in range(10)]
    done, waiting = await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 9:
        more, waiting = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    refusals = [task.exception() for task in done]
    assert all(isinstance(error, ProblemError) and error.status == 409 for error in refusals)
    work.go.set()
    (winner,) = waiting
    assert (await winner).status == 201
    assert work.runs == 1


async def test_a_refusal_is_replayed_too(ledger: Store) -> None:
    work = Counted(error=NotAllowed("it was launched already"))
    first = await send(ledger, work)
    again = await send(ledger, work)
    assert work.runs == 1
    assert first.status == again.status == 409
    assert again.content_type == "application/problem+json"
    assert first.body == again.body


@pytest.mark.parametrize("error", [Unavailable("gone"), ZeroDivisionError(), asyncio.CancelledError()])
async def test_what_failed_on_our_side_frees_the_key(ledger: Store, error: BaseException) -> None:
    with pytest.raises(type(error)):
        await send(ledger, Counted(error=error))
    assert (await send(ledger, Counted())).status == 201


async def test_a_request_whose_process_died_is_taken_over_but_not_at_once(ledger: Store) -> None:
    async with ledger.write() as connection:
        await connection.execute(table.insert().values(token_id=1, key="k", request_sha256="a", at=NOW))
    work = Counted()
    with pytest.raises(ProblemError):
        await send(ledger, work, now=NOW + timedelta(minutes=9))
    assert (await send(ledger, work, now=NOW + timedelta(minutes=11))).status == 201


async def test_a_day_later_the_key_is_new(ledger: Store) -> None:
    work = Counted()
    await send(ledger, work)
    await send(ledger, work, now=NOW + timedelta(hours=24, seconds=1), request="b")
    assert work.runs == 2


async def test_the_sweep_drops_old_rows_only(ledger: Store) -> None:
    await send(ledger, Counted(), key="old")
    await send(ledger, Counted(), key="new", now=NOW + timedelta(hours=20))
    assert await idempotency.sweep(ledger, NOW + timedelta(hours=25)) == 1
    async with ledger.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(table)) == 1


ASK = {"title": "Come on Friday", "texts": {"en": {"default": {"text": "Come on Friday at 6"}}}}


async def test_over_http_one_draft_is_saved(client: TestClient, admin: dict[str, str]) -> None:
    headers = {**admin, "Idempotency-Key": "5b0f6f0e"}
    answers = []
    for _ in range(3):
        async with client.post("/api/v1/campaigns", json=ASK, headers=headers) as response:
            assert response.status == 201
            answers.append(await response.json())
            assert response.headers.get("Idempotent-Replayed") == ("true" if len(answers) > 1 else None)
    assert answers[0] == answers[1] == answers[2]
    async with client.get("/api/v1/campaigns", headers=admin) as response:
        assert len((await response.json())["campaigns"]) == 1
    async with client.post("/api/v1/campaigns", json={**ASK, "title": "Other"}, headers=headers) as response:
        assert response.status == 422
        assert (await response.json())["errors"][0]["field"] == "Idempotency-Key"
    path = f"/api/v1/campaigns/{answers[0]['id']}/approve"
    async with client.post(path, headers=headers) as response:
        assert response.status == 422


@pytest.mark.parametrize("key", ["", "x" * 201, "with space", "ключ"])
async def test_a_key_that_cannot_be_kept(client: TestClient, admin: dict[str, str], key: str) -> None:
    async with client.post("/api/v1/campaigns", json=ASK, headers={**admin, "Idempotency-Key": key}) as response:
        assert response.status == 422
        assert (await response.json())["errors"][0]["field"] == "Idempotency-Key"
