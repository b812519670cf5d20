"""``outreach policy``, as a person types it; and that processes and commands obey the rules in force."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from router.cli.group import out
from router.cli.processes import _serve
from router.policy_changes.keeping import Keeper, take_rules
from router.store.engine import Store
from router.store.tables import campaign, policy_value
from tests.support.commands import typed_in
from tests.support.runtime import build_runtime
from tests.support.settling import policy_with


async def _changed(url: str, config: str, **files: int) -> None:
    """An installation that asked people, and was started again with other files."""
    store, now = Store(url), datetime.now(UTC)
    runtime = build_runtime(store, config=config)
    await Keeper(runtime).begin(now=now)
    asked = {"id": 50, "month": 202611, "title": "Dinner", "kind": "action", "status": "finished", "created_by": "ana"}
    async with store.write() as connection:
        await connection.execute(insert(campaign).values(**asked, created_at=now, launched_at=now))
    policy_with(Path(config), **files)
    await Keeper(runtime).begin(now=now)
    await store.aclose()


def test_it_says_what_is_announced_and_what_holds(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "_width", 220)
    config = policy_with(tmp_path)
    say = typed_in(sqlite_url, OUTREACH_CONFIG=config)
    assert "the files hold as they stand" in say("policy").output
    asyncio.run(_changed(sqlite_url, config, approval_above=9_000, undo_seconds=90))
    said = say("policy")
    assert said.exit_code == 0, said.output
    assert str(tmp_path / "policy.toml") in said.output
    assert "one organizer alone may ask 9,000 people instead of 1,000 people" in said.output
    assert "policy.toml: launch.approval_above" in said.output
    assert "holds from" in said.output
    assert "launch.undo_seconds" not in said.output
    policy_with(tmp_path, approval_above=9_000, undo_seconds=120)
    assert "launch.undo_seconds" in say("policy").output
    every = say("policy", "--all").output
    assert "quiet_hours.toml" in every
    assert "budget.overall.week" in every


async def test_a_process_settles_with_the_ledger_and_a_command_obeys_it(sqlite_url: str, tmp_path: Path) -> None:
    config = policy_with(tmp_path)
    await _changed(sqlite_url, config, approval_above=9_000, undo_seconds=90)
    store = Store(sqlite_url)
    command = build_runtime(store, config=config)
    await take_rules(command)
    assert (command.policy.launch.approval_above, command.policy.launch.undo_seconds) == (1_000, 90)
    async with store.write() as connection:
        await connection.execute(policy_value.delete())
    process = build_runtime(store, config=config)
    running = asyncio.create_task(_serve(process, web=False, worker=False))
    for _ in range(1_000):
        async with store.read() as connection:
            if await connection.scalar(select(func.count()).select_from(policy_value)):
                break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("it never settled with the ledger")
    assert process.policy.launch.approval_above == 9_000, "nothing was in force, so all of the files is"
    signal.raise_signal(signal.SIGTERM)
    await running
    await store.aclose()
