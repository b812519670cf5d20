"""A ledger that comes back from a backup asks nobody twice, whatever happened after the backup was made."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels import SPECS
from channels.sandbox import Sandbox
from router.competing import next_route
from router.core.errors import BadInput, NotAllowed
from router.core.rates import ChannelRules
from router.fanout import route_range_of
from router.launch import resume_campaign
from router.receipts import close_unknowns
from router.records.backup import back_up
from router.records.restoring import make_safe, refuse_living, restore_file
from router.settings import Settings
from router.store.engine import Store
from router.store.leases import take_lease
from router.store.migrate import newest_version
from router.why import why
from router.worker import run_worker
from tests.support.commands import typed_in
from tests.support.ledger import Ledger
from tests.support.movement import FAST, Clock, Movement, free_port
from tests.support.postgres import execute, url_of

KEY = "a secret for the tests, forty characters long"
KINDS = {name: spec.address_kind for name, spec in SPECS.items()}
PACED = {"sms": ChannelRules(rate=150, concurrency=10)}


class Installation:
    """One ledger file after another under the same name, and providers that outlive them."""

    def __init__(self, path: Path, sandbox: Sandbox, port: int) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.sandbox = sandbox
        self._port = port
        self._clock = Clock()

    @contextlib.asynccontextmanager
    async def open(self, rules: dict[str, ChannelRules] = FAST) -> AsyncIterator[Movement]:
        given: dict[str, Any] = {
            "database_url": self.url, "secret_key": KEY, "public_url": f"http://127.0.0.1:{self._port}",
            "organization": "Tenants",
        }  # fmt: skip
        async with Movement.open(
            Settings(**given), self.sandbox, port=self._port, rules=rules, clock=self._clock
        ) as movement:
            yield movement

    def deliveries(self) -> list[str]:
        """The deliveries that the provider accepted, one for each time it did."""
        return [one.delivery for one in self.sandbox.memory.accepted]


@pytest.fixture
async def installation(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Installation]:
    """Small claims and few numbers at once, so that a backup falls into the middle of things."""
    monkeypatch.setattr("router.dispatch.MOST", 20)
    monkeypatch.setattr("router.store.engine.IDS_PER_BLOCK", 50)
    port = free_port()
    async with Sandbox(webhooks={"sms": f"http://127.0.0.1:{port}/hooks/sms/main"}) as sandbox:
        yield Installation(Path(sqlite_url.removeprefix("sqlite:///")), sandbox, port)


@contextlib.asynccontextmanager
async def working(movement: Movement) -> AsyncIterator[None]:
    """A worker, until the end of the block."""
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(movement.runtime, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await worker


async def test_a_blast_that_went_on_after_the_backup_asks_nobody_twice(
    installation: Installation, tmp_path: Path
) -> None:
    backup = tmp_path / "monday.backup"
    async with installation.open(PACED) as movement:
        await movement.add_members(120)
        dinner = await movement.launch()
        async with working(movement):
            await movement.until(lambda: len(installation.deliveries()) >= 20)
            copy = await asyncio.to_thread(back_up, installation.path, backup)
            rally = await movement.launch(title="Rally")
            await movement.until(lambda: len(installation.deliveries()) >= 140)
        rows = await movement.execute("SELECT month, id, campaign_id FROM delivery")
        of = {f"{row.month}-{row.id}": row.campaign_id for row in rows}
    before = installation.deliveries()
    assert {of[one] for one in before} == {dinner, rally}
    assert copy.version == newest_version()
    assert backup.stat().st_mode & 0o077 == 0, "people's addresses are for nobody else to read"

    store = Store(installation.url)
    restored = await restore_file(
        backup, store.url, KEY.encode(), KINDS, force=True, by="ana", now=movement.clock()
    )  # fmt: skip
    assert restored.safe.paused == [dinner]
    assert restored.safe.withheld > 0
    assert restored.aside is not None
    with contextlib.closing(sqlite3.connect(restored.aside)) as old:
        assert old.execute("SELECT count(*) FROM delivery WHERE campaign_id = ?", [rally]).fetchone() == (120,)
        [given_out] = old.execute("SELECT next_id FROM id_block").fetchone()
    async with installation.open() as movement:
        assert movement.runtime.store.is_sqlite
        statuses = await movement.statuses(dinner)
        assert sum(statuses.values()) == 120
        assert statuses["unknown"] == restored.safe.in_the_air + restored.safe.withheld
        assert statuses.keys().isdisjoint({"queued", "sending"})
        await resume_campaign(movement.runtime, dinner, by="ana", now=movement.clock())
        await movement.work()
        assert installation.deliveries() == before, "nothing that may have left left again"
        assert (await movement.view(dinner)).status == "finished"
        assembly = await movement.launch(title="Assembly")
        await movement.work()
    assert len(installation.deliveries()) == len(before) + 120
    assert assembly >= given_out, "a number that others may know was given out again"


async def test_a_blast_that_stopped_with_the_backup_goes_on_to_everybody_once(
    installation: Installation, tmp_path: Path
) -> None:
    backup = tmp_path / "monday.backup"
    say = typed_in(installation.url, OUTREACH_SECRET_KEY=KEY)
    async with installation.open(PACED) as movement:
        await movement.add_members(100)
        dinner = await movement.launch()
        async with working(movement):
            await movement.until(lambda: len(installation.deliveries()) >= 20)
        refused = await asyncio.to_thread(say, "restore", str(backup), "--force")
        assert "is in use" in str(refused.exception)
    assert 20 <= len(installation.deliveries()) < 100
    said = await asyncio.to_thread(say, "backup", str(backup))
    assert "OUTREACH_SECRET_KEY) is not in it" in said.output
    assert "exists already" in str((await asyncio.to_thread(say, "backup", str(backup))).exception)
    installation.path.unlink()
    said = await asyncio.to_thread(say, "restore", str(backup), "--nothing-sent-since")
    assert f"Paused campaigns: {dinner}." in said.output
    assert "outreach resume CAMPAIGN" in said.output
    async with installation.open() as movement:
        left = 100 - len(installation.deliveries())
        assert (await movement.statuses(dinner))["queued"] == left
        await resume_campaign(movement.runtime, dinner, by="ana", now=movement.clock())
        await movement.work()
        received = movement.received()
    assert (len(received), set(received.values())) == (100, {1})


@contextlib.asynccontextmanager
async def copied(url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a copy of the ledger at `url`, which nobody has open."""
    if url.startswith("sqlite"):
        back_up(Path(url.removeprefix("sqlite:///")), tmp_path / "copy.sqlite3")
        yield f"sqlite:///{tmp_path / 'copy.sqlite3'}"
        return
    name = url.rpartition("/")[2]
    # A connection that was closed a moment ago may still be there.
    execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
    try:
        yield url_of(f"{name}_copy")
    finally:
        execute(f'DROP DATABASE "{name}_copy" WITH (FORCE)')


async def test_what_waited_or_had_not_begun_is_left_in_peace(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.ranges.RANGE", 10)
    store = Store(database_url)
    first = Ledger(store)
    now = first.clock()
    await first.add_members(40)
    over = await first.launch_and_route()
    await first.send()
    await first.finish()
    half = await first.launch()
    prepared = await next_route(first.runtime)
    assert prepared is not None
    await route_range_of(first.runtime, prepared, now=now)
    due = await first.launch(start=False)
    later = await first.launch(start=False, starts_at=(now + timedelta(days=2)).isoformat())
    [sending] = await first.execute("SELECT id FROM delivery WHERE campaign_id = :id AND status = 'queued' LIMIT 1",
                                    id=half)  # fmt: skip
    await first.execute("UPDATE delivery SET status = 'sending', attempts = 1 WHERE id = :id", id=sending.id)
    await first.execute(
        "UPDATE tally SET count = count - 1 WHERE campaign_id = :id AND channel = 'sms' AND status = 'queued'", id=half
    )
    await first.execute(
        "INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES (:id, 'sms', 'sending', '', 1)", id=half
    )
    await store.aclose()

    async with copied(database_url, tmp_path) as url:
        store = Store(url)
        safe = await make_safe(store, by="ana", now=now)
        ledger = Ledger(store)
        waited = await ledger.execute("SELECT id FROM delivery WHERE campaign_id = :id AND status = 'unknown'", id=half)
        routed = len(waited)
        assert 0 < routed < 40
        assert set(safe.paused) == {over, half, due, later}
        assert (safe.in_the_air, safe.withheld) == (1, routed - 1)
        assert safe.unasked == (40 - routed) + 40, "who had no turn in one, and all of the one that was due"
        assert await ledger.tallied(half) == {"unknown": routed, "held": 40 - routed}
        assert await ledger.tallied(due) == {"held": 40}
        assert {row.reason for row in await ledger.rows(due)} == {"unsettled"}
        [held, *_] = await ledger.rows(due)
        told = await why(ledger.runtime, held.member_id, due, now=now)
        assert "We could not find out whether this message reached you" in told.model_dump_json()
        for campaign in (over, half, due, later):
            await ledger.assert_tally_is_right(campaign)
            await resume_campaign(ledger.runtime, campaign, by="ana", now=now)
        await ledger.route()
        await ledger.send()
        await ledger.finish()
        assert ledger.sms.handed == []
        found = await ledger.execute("SELECT id, status FROM campaign ORDER BY id")
        assert {row.id: row.status for row in found} == {
            over: "finished", half: "finished", due: "finished", later: "scheduled"
        }  # fmt: skip
        [[told]] = await ledger.execute(
            "INSERT INTO hook_event (hook_id, member_id, kind, body, status, not_before, at)"
            " VALUES (1, 0, 'action', '{}', 'told', 0, 0) RETURNING id"
        )
        assert told > 100_000_000, "another system knows the numbers that it was told since"
        assert len(await ledger.execute("SELECT subject FROM notice WHERE kind = 'restore'")) == 4
        ledger.clock.advance(days=30)
        while await close_unknowns(ledger.runtime, now=ledger.clock()):
            pass
        assert {row.reason for row in await ledger.rows(half)} == {"unsettled"}, "what nobody knows becomes final"

        await store.transact(lambda connection: take_lease(connection, "tend", "a worker"))
        with pytest.raises(NotAllowed, match="a worker is at this ledger"):
            await refuse_living(store)
        await store.aclose()


def test_the_command_names_the_tools_of_postgresql_without_its_password(sqlite_url: str, tmp_path: Path) -> None:
    say = typed_in("postgresql://ana:plantedsecret@db.example.org/outreach?sslmode=require", OUTREACH_SECRET_KEY=KEY)
    said = say("backup", "my dump")
    assert said.exit_code == 0
    assert (
        "pg_dump --format=custom --file='my dump' 'postgresql://ana@db.example.org/outreach?sslmode=require'"
        in said.output
    )
    assert "outreach restore --after" in said.output
    assert "plantedsecret" not in said.output
    assert "bring FILE back with pg_restore" in str(say("restore", "my dump").exception)

    say = typed_in(sqlite_url, OUTREACH_SECRET_KEY=KEY)
    assert "Paused campaigns: none." in say("restore", "--after").output
    assert "is the ledger itself" in str(say("backup", sqlite_url.removeprefix("sqlite:///"), "--force").exception)
    assert "Name the FILE" in str(say("restore").output)
    say = typed_in(f"sqlite:///{tmp_path / 'new.sqlite3'}", OUTREACH_SECRET_KEY="")
    assert "put back the key that belongs to the backup" in str(say("restore", "any").exception)
    assert not (tmp_path / "new.key").exists(), "a new key would fit nothing in the backup"


REFUSED = [
    ("INSERT INTO alembic_version VALUES ('9999')", KEY, "is of version 9999"),
    ("DROP TABLE alembic_version", KEY, "no ledger of this program"),
    ("", "another key that is just as long as the one", "the key is not the one"),
]


@pytest.mark.parametrize(("tampering", "key", "sentence"), REFUSED, ids=["newer", "stranger", "key"])
async def test_what_cannot_be_used_is_refused_and_leaves_nothing_behind(
    sqlite_url: str, tmp_path: Path, tampering: str, key: str, sentence: str
) -> None:
    backup, target = Path(sqlite_url.removeprefix("sqlite:///")), tmp_path / "here" / "ledger.sqlite3"
    target.parent.mkdir()
    async with contextlib.AsyncExitStack() as stack:
        store = Store(sqlite_url)
        stack.push_async_callback(store.aclose)
        await Ledger(store).add_members(2)
    with contextlib.closing(sqlite3.connect(backup)) as connection, connection:
        if tampering.startswith("INSERT"):
            connection.execute("DELETE FROM alembic_version")
        connection.execute(tampering or "SELECT 1")
    with pytest.raises(BadInput, match=sentence):
        await restore_file(
            backup, Store(f"sqlite:///{target}").url, key.encode(), KINDS, by="ana", now=Clock()()
        )  # fmt: skip
    assert list(target.parent.iterdir()) == []


def test_a_damaged_backup_is_found_out(sqlite_url: str, tmp_path: Path) -> None:
    source = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(source.read_bytes())
    for page in range(8, len(content) // 4096, 8):
        content[page * 4096 : page * 4096 + 200] = b"\x07" * 200
    source.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        back_up(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
