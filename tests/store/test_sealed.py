"""Secrets in the ledger are sealed, open in their own row only, and come under a new key while everything runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.actions import record_action
from router.cli.group import out
from router.core.errors import Unavailable
from router.core.outgoing import Kind, new_secret
from router.core.sealing import KeyRing
from router.crm.posting import post_events
from router.crm.registry import add_webhook, list_events, list_webhooks, set_active
from router.hosts import public_or
from router.runtime import Runtime
from router.store.engine import Store
from router.store.sealed import SEALED, reseal, seal, unseal
from router.store.tables import hook, idempotency, metadata
from router.web.idempotency import once
from router.wire import HttpWire
from tests.support.commands import typed_in
from tests.support.ledger import Ledger
from tests.support.runtime import SECRET, build_runtime

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
URL = "https://crm.example.org/hooks/planted-4711"
NEW = "a newer key of the tests and long enough"
OLD = "an older key of the tests and long enough"
OTHER = "the key of another installation of the tests"


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[Ledger]:
    """A ledger where the kind of database does not matter."""
    store = Store(sqlite_url)
    yield Ledger(store, private_networks="127.0.0.0/8")
    await store.aclose()


async def asked_for(runtime: Runtime, key: str = "k") -> tuple[str, str]:
    """A webhook made by a request that may be repeated; its address and secret as the caller was told."""

    async def work() -> web.Response:
        made = await add_webhook(runtime, URL, list(Kind), by="ana", now=NOW)
        return web.Response(status=201, body=made.model_dump_json().encode(), content_type="application/json")

    given = await once(runtime.store, runtime.ring, token_id=1, key=key, request_sha256="same", now=NOW, work=work)
    assert isinstance(given.body, bytes)
    told = json.loads(given.body)
    return told["webhook"]["url"], told["secret"]


async def column(store: Store, name: str) -> list[str]:
    async with store.read() as connection:
        return [row[0] for row in await connection.execute(text(f"SELECT {name} FROM hook ORDER BY id"))]


async def test_nothing_in_the_database_shows_a_planted_secret(store: Store) -> None:
    runtime = build_runtime(store)
    url, secret = await asked_for(runtime)
    assert (url, secret[:6]) == (URL, "whsec_")
    assert await asked_for(runtime) == (url, secret), "the repeated request is answered as the first"
    async with store.read() as connection:
        tables = [await connection.execute(table.select()) for table in metadata.sorted_tables]
        everything = [repr(row) for rows in tables for row in rows]
    kept = await column(store, "secret")
    assert [one[:3] for one in kept] == ["v1."]
    for planted in (secret, secret[6:], "planted-4711"):
        assert not [row for row in everything if planted in row]
        if store.is_sqlite:  # and its files, with what is deleted and not yet overwritten
            files = Path(str(store.url.database)).parent.glob("ledger.sqlite3*")
            assert not [path for path in files if planted.encode() in path.read_bytes()]
    [view] = await list_webhooks(runtime)
    assert view.url == URL


async def test_a_secret_that_was_moved_to_another_row_signs_nothing(here: Ledger) -> None:
    runtime = here.runtime
    made = [await add_webhook(runtime, "http://127.0.0.1:9/crm", list(Kind), by="ana", now=NOW) for _ in range(2)]
    mine, theirs = [one.webhook.id for one in made]
    [member] = await here.add_members(1)
    await here.execute(
        "UPDATE hook SET secret = (SELECT secret FROM hook WHERE id = :mine) WHERE id = :theirs",
        mine=mine, theirs=theirs,
    )  # fmt: skip
    async with HttpWire(may_reach=public_or(["127.0.0.0/8"])) as wire:
        runtime = replace(runtime, strangers=wire)
        await record_action(
            runtime, member_id=member, phone=None, email=None, external_id="1", kind="signed", campaign_id=None,
            at=here.clock(), now=here.clock(),
        )  # fmt: skip
        await post_events(runtime, "worker-1", now=here.clock())
    errors = {number: (await list_events(runtime, number, status="waiting"))[0].last_error for number in (mine, theirs)}
    assert errors[mine] == "no connection"
    assert f"hook {theirs}, secret was changed, or belongs to another row" in errors[theirs]


async def test_a_key_that_is_missing_is_asked_for_by_its_setting_and_blocks_nothing_else(here: Ledger) -> None:
    await asked_for(build_runtime(here.runtime.store, secret_key=OLD))
    stranger = build_runtime(here.runtime.store, secret_key=OTHER)
    [view] = await list_webhooks(stranger)
    assert view.url == ""
    assert "OUTREACH_OLD_SECRET_KEYS" in view.reason
    assert not (await set_active(stranger, view.id, active=False, by="ana", now=NOW)).active
    with pytest.raises(Unavailable, match="OUTREACH_OLD_SECRET_KEYS"):
        await asked_for(stranger)
    known = build_runtime(here.runtime.store, secret_key=OTHER, old_secret_keys=f"{NEW}, {OLD}")
    assert (await list_webhooks(known))[0].url == URL


async def fill(store: Store, old: KeyRing) -> dict[int, str]:
    """Webhooks and answers: some from before there were seals, the others under the old key."""
    hooks, answers, secrets = [], [], {}
    for number in range(1, 8):
        secret = secrets[number] = new_secret(bytes([number]) * 24)
        is_plain = number % 3 == 0
        hooks.append(
            {
                "id": number, "url": URL if is_plain else seal(old, URL, hook.c.url, number),
                "secret": secret if is_plain else seal(old, secret, hook.c.secret, number), "kinds": " action ",
                "created_by": "ana", "created_at": NOW,
            }
        )  # fmt: skip
        body = secret if is_plain else seal(old, secret, idempotency.c.body, 1, f"k{number}")
        answers.append(
            {"token_id": 1, "key": f"k{number}", "request_sha256": "", "status": 201, "body": body, "at": NOW}
        )
    answers.append({**answers[0], "key": "under way", "status": None, "body": None})
    async with store.write() as connection:
        await connection.execute(insert(hook), hooks)
        await connection.execute(insert(idempotency), answers)
    return secrets


async def opened(store: Store, ring: KeyRing) -> tuple[list[str], list[str]]:
    """The secrets in `hook` and the bodies in `idempotency`, in order."""
    async with store.read() as connection:
        hooks = await connection.execute(select(hook.c.id, hook.c.secret).order_by(hook.c.id))
        answers = select(idempotency.c.key, idempotency.c.body).where(idempotency.c.body.is_not(None))
        bodies = await connection.execute(answers.order_by(idempotency.c.key))
        return (
            [unseal(ring, row.secret, hook.c.secret, row.id) for row in hooks],
            [unseal(ring, row.body, idempotency.c.body, 1, row.key) for row in bodies],
        )


class Died(Exception):
    """The process is gone."""


class Interrupted(Store):
    """A ledger where others act just before a transaction of ours, and whose process dies at one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.before: list[Callable[[], Awaitable[Any]]] = []

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[Any]]) -> Any:
        if self.before:
            await self.before.pop(0)()

        async def done(connection: AsyncConnection) -> Any:
            found = await work(connection)
            if not self.before:
                raise Died
            return found

        return await super().transact(done)


async def nothing() -> None:
    """Nobody acts."""


async def test_rotation_that_died_in_the_middle_goes_on_and_overwrites_nobody(database_url: str) -> None:
    old, both = KeyRing(SECRET.encode()), KeyRing(NEW.encode(), [SECRET.encode()])
    store, doomed = Store(database_url), Interrupted(database_url)
    secrets = await fill(store, old)
    changed = seal(old, "whsec_bmV3", hook.c.secret, 1)

    async def somebody_else() -> None:
        async with store.write() as connection:
            await connection.execute(hook.update().where(hook.c.id == 1).values(secret=changed))

    # Chunks of three: url has three; the first of secret is after somebody else's change; at the next the process dies.
    doomed.before = [nothing, nothing, nothing, somebody_else, nothing]
    steps = []

    async def go_on() -> None:
        async for step in reseal(doomed, both, chunk=3):
            steps.append((step.column, step.done))  # noqa: PERF401 - it dies under way

    with pytest.raises(Died):
        await go_on()
    assert steps == [("hook.url", 3), ("hook.url", 6), ("hook.url", 7), ("hook.secret", 2)]
    secrets[1] = "whsec_bmV3"
    assert await opened(store, both) == (list(secrets.values()), [new_secret(bytes([n]) * 24) for n in range(1, 8)])

    rest = {step.column: (step.done, step.shut) async for step in reseal(store, both, chunk=3)}
    assert rest == {"hook.secret": (5, []), "idempotency.body": (7, [])}
    alone = KeyRing(NEW.encode())
    assert (await opened(store, alone))[0] == list(secrets.values())
    assert [step async for step in reseal(store, both)] == []
    await store.aclose()
    await doomed.aclose()


def test_the_command_counts_says_what_it_could_not_open_and_what_never_changes(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "_width", 300)

    async def with_store(work: Callable[[Store], Awaitable[Any]]) -> Any:
        store = Store(sqlite_url)
        try:
            return await work(store)
        finally:
            await store.aclose()

    def at(work: Callable[[Store], Awaitable[Any]]) -> Any:
        return asyncio.run(with_store(work))

    async def damage(store: Store) -> None:
        async with store.write() as connection:
            await connection.execute(
                text("UPDATE hook SET secret = (SELECT secret FROM hook WHERE id = 1) WHERE id = 2")
            )

    async def mend(store: Store) -> None:
        async with store.write() as connection:
            await connection.execute(text("DELETE FROM hook WHERE id = 2"))

    at(lambda store: fill(store, KeyRing(SECRET.encode())))
    at(damage)
    say = typed_in(sqlite_url, "keys", OUTREACH_SEALING_KEY=NEW)
    first = say("rotate")
    assert first.exit_code == 1, first.output
    assert "20 stored secrets came under the key" in first.output
    assert "hook 2, secret was changed, or belongs to another row" in first.output
    at(mend)
    again = say("rotate")
    assert again.exit_code == 0, again.output
    assert "0 stored secrets" in again.output
    assert "OUTREACH_SECRET_KEY stays what it is: it knows who said STOP" in again.output
    assert all(secret not in first.output + again.output for secret in (SECRET, NEW, URL, "whsec_"))

    later = typed_in(sqlite_url, "keys", OUTREACH_SEALING_KEY=OTHER)
    lost = later("rotate")
    assert lost.exit_code == 1
    assert f"with the key {KeyRing(NEW.encode()).newest}, which is not set here" in lost.output
    seen = typed_in(sqlite_url, "webhook", OUTREACH_SECRET_KEY=OTHER)("list")
    assert "OUTREACH_OLD_SECRET_KEYS" in seen.output, seen.output
    for setting, wrong in (("OUTREACH_OLD_SECRET_KEYS", f"{NEW},4711"), ("OUTREACH_SEALING_KEY", f"{NEW},{OTHER}")):
        refused = typed_in(sqlite_url, "keys", **{setting: wrong})("rotate")
        assert str(refused.exception).startswith(f"{setting}: use ")
        assert "4711" not in str(refused.exception)


def test_every_sealed_column_is_named_in_the_promises() -> None:
    said = (Path(__file__).parents[2] / "docs" / "promises-sealing.md").read_text("utf-8")
    named: Sequence[str] = [f"`{column.table.name}.{column.name}`" for column in SEALED]
    assert [name for name in named if name not in said] == []
