"""The audit in the ledger: sealed by whoever tends, verified, and what was done to a tampered copy is named."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.core.audit_chain import Head
from router.records import audit
from router.records.audit import seal_audit, verify_audit
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.engine import Store
from tests.support.commands import typed_in
from tests.support.runtime import build_runtime

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


async def deeds(runtime: Runtime, count: int) -> None:
    for number in await runtime.store.take_ids(count):
        async with runtime.store.write() as connection:
            await write_audit(
                connection, number, who="ana", what="campaign.launch", subject=str(number), detail={"é": 1.5}, now=NOW
            )


async def test_what_is_sealed_by_several_at_once_is_one_chain(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "AT_ONCE", 7)
    runtime = build_runtime(store)
    await deeds(runtime, 40)
    assert (await verify_audit(runtime)).waiting == 40
    while any(await asyncio.gather(*(seal_audit(runtime, now=NOW) for _ in range(4)))):
        pass
    found = await verify_audit(runtime)
    assert (found.faults, found.head.place, found.waiting) == ([], 40, 0)
    await deeds(runtime, 3)
    assert await seal_audit(runtime, now=NOW) == 3
    later = await verify_audit(runtime, expected=found.head)
    assert (later.faults, later.head.place) == ([], 43)
    assert (await verify_audit(runtime, expected=Head(40, "x" * 43))).faults[0].place == 40


TAMPERED = [
    ("UPDATE audit SET who = 'eve' WHERE place = 3", "entry 3 (number "),
    ("UPDATE audit SET detail = '{}' WHERE place = 3", "entry 3 (number "),
    ("DELETE FROM audit WHERE place = 3", "entry 3 is gone"),
    ("UPDATE audit SET place = place + 1000 WHERE place = 3", "entry 3 is gone"),
    ("UPDATE audit SET place = NULL, seal = NULL, at = at - 3600000 WHERE place = 3", "was never sealed"),
    (
        "UPDATE audit SET place = -3 WHERE place = 3; UPDATE audit SET place = 3 WHERE place = 4;"
        " UPDATE audit SET place = 4 WHERE place = -3",
        "entry 3 (number ",
    ),
    (
        "INSERT INTO audit SELECT id + 5000000, at - 3600000, who, what, subject, detail, NULL, NULL FROM audit"
        " WHERE place = 3",
        "was never sealed",
    ),
    ("DELETE FROM audit WHERE place > 4", "entries 5 to 6 were cut off at the end"),
]


def test_verify_names_what_was_done_to_a_tampered_copy(tmp_path: Path, sqlite_template: Path) -> None:
    ledger, copy = tmp_path / "ledger.sqlite3", tmp_path / "copy.sqlite3"
    shutil.copy(sqlite_template, ledger)
    asyncio.run(_six_sealed(ledger))
    verify = typed_in(f"sqlite:///{ledger}", "audit", "verify")
    whole = verify()
    assert (whole.exit_code, "6 entries, all as they were written" in whole.output) == (0, True), whole.output
    head = whole.output.split()[-1]
    for statements, sentence in TAMPERED:
        shutil.copy(ledger, copy)
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            connection.executescript(statements)
        told = typed_in(f"sqlite:///{copy}", "audit", "verify")("--expect", head)
        assert (told.exit_code, sentence in told.output) == (1, True), (statements, told.output)
    log = tmp_path / "log.jsonl"
    assert typed_in(f"sqlite:///{ledger}", "audit")("export", str(log)).exit_code == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["place"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert f"{lines[-1]['place']}:{lines[-1]['seal']}" == head
    listed = typed_in(f"sqlite:///{ledger}", "audit")("--what", "campaign")
    assert listed.output.count("campaign.launch") == 6


async def _six_sealed(ledger: Path) -> None:
    store = Store(f"sqlite:///{ledger}")
    runtime = build_runtime(store)
    await deeds(runtime, 6)
    await seal_audit(runtime, now=NOW)
    await store.aclose()
