"""An import that is run again, interrupted, or run twice at once."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from router.core.errors import BadInput
from router.records.imports import ImportProgress, import_status
from router.store.engine import Store
from router.store.tables import import_job
from tests.records.ledger import HEADER, MEMBERSHIP, NOW, PEOPLE, bring, people, problems


async def test_importing_twice_changes_nothing(store: Store) -> None:
    await bring(store, PEOPLE)
    before = await people(store)
    report = await bring(store, PEOPLE, file_name="file again.csv")
    assert await people(store) == before
    assert (report.new, report.households, report.records_joined) == (0, 0, 0)


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 100])
async def test_the_size_of_chunks_makes_no_difference(store: Store, other_ledger: Store, chunk_rows: int) -> None:
    expected = await bring(other_ledger, PEOPLE, chunk_rows=1000)
    report = await bring(store, PEOPLE, chunk_rows=chunk_rows)
    assert await people(store) == await people(other_ledger)
    assert report.sentences == expected.sentences
    assert await problems(store, report) == await problems(other_ledger, expected)


@pytest.mark.parametrize("restart", [False, True], ids=["resumed", "started over"])
@pytest.mark.parametrize("chunks", [0, 1, 3, 6])
async def test_an_interrupted_import_goes_on_without_doubling(
    store: Store, other_ledger: Store, chunks: int, restart: bool
) -> None:
    expected = await bring(other_ledger, PEOPLE)
    seen: list[ImportProgress] = []

    def stop(progress: ImportProgress) -> None:
        seen.append(progress)
        if len(seen) > chunks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await bring(store, PEOPLE, chunk_rows=2, progress=stop)
    cut = await import_status(store, seen[-1].import_id)
    assert (cut.status, cut.rows) == ("running", 2 * chunks)
    report = await bring(store, PEOPLE, chunk_rows=5, restart=restart, now=NOW + timedelta(hours=1))
    assert report.status == "finished"
    assert (report.id == cut.id) is not restart
    found = await people(store)
    if restart:  # what the first run brought in is dated by it, what the second did by the second
        before = await people(other_ledger)
        for one in (*found, *before):
            one["joined_at"], one["consents"] = None, sorted({c[:5] for c in one["consents"]})
        assert found == before
        assert (await import_status(store, cut.id)).status == "failed"
    else:
        assert found == await people(other_ledger)
        assert report.sentences == expected.sentences
        assert await problems(store, report) == await problems(other_ledger, expected)


async def test_an_import_with_other_options_is_another_one(store: Store) -> None:
    def stop(progress: ImportProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await bring(store, PEOPLE, progress=stop)
    report = await bring(store, PEOPLE, attestation=MEMBERSHIP)
    async with store.read() as connection:
        states = (await connection.execute(select(import_job.c.status).order_by(import_job.c.id))).scalars().all()
    assert states == ["failed", "finished"]
    assert report.rows == 12


async def test_two_processes_at_once_bring_everybody_in_once(store: Store, database_url: str) -> None:
    other = Store(database_url)
    text = HEADER + "".join(f"P{n},X,{2025550100 + n % 100},p{n}@example.org,yes,,\n" for n in range(300))
    reports = await asyncio.gather(bring(store, text, chunk_rows=20), bring(other, text, chunk_rows=33))
    assert {report.status for report in reports} == {"finished"}
    assert len(await people(store)) == 300
    # They work on one import together, or the second found the first one finished.
    numbers = {report.id: report for report in reports}
    assert sum(report.new for report in numbers.values()) == 300
    assert {report.rows for report in reports} == {300}
    await other.aclose()


async def test_a_process_that_is_behind_another_skips_what_is_done(store: Store, database_url: str) -> None:
    """The second process runs while the first stands at its beginning, and is killed on its way."""
    text = HEADER + "".join(f"P{n},X,{2025550100 + n},p{n}@example.org,yes,,\n" for n in range(12))

    def die(progress: ImportProgress) -> None:
        if progress.rows >= 5:
            raise KeyboardInterrupt

    async def overtake() -> None:
        other = Store(database_url)
        with pytest.raises(KeyboardInterrupt):
            await bring(other, text, chunk_rows=5, progress=die)
        await other.aclose()

    def begin(progress: ImportProgress) -> None:
        if progress.rows == 0:
            thread = threading.Thread(target=asyncio.run, args=(overtake(),))
            thread.start()
            thread.join()

    report = await bring(store, text, chunk_rows=2, progress=begin)
    assert (report.rows, report.new, report.merged_in_file) == (12, 12, 0)
    assert len(await people(store)) == 12


async def test_a_dry_run_counts_the_same_and_writes_nothing(
    store: Store, sqlite_template: Path, tmp_path: Path
) -> None:
    await bring(store, HEADER + "Ann,Lee,2025550101,,yes,,\nAnn,Lee,,ann@example.org,,,\nBob,Ray,2025550102,,,,\n")
    before = await people(store)
    dry = await bring(store, PEOPLE, dry_run=True, chunk_rows=2)
    assert await people(store) == before
    async with store.read() as connection:
        jobs = (await connection.execute(select(import_job.c.id))).all()
    assert len(jobs) == 1
    real = await bring(store, PEOPLE)
    assert (dry.id, dry.dry_run) == (0, True)
    counts = (
        "rows",
        "new",
        "updated",
        "unchanged",
        "merged_in_file",
        "households",
        "bad_rows",
        "records_joined",
        "silenced",
    )
    assert {name: getattr(dry, name) for name in counts} == {name: getattr(real, name) for name in counts}
    assert dry.first_problems == real.first_problems


async def test_bad_files_leave_nothing_behind(ledger: Store) -> None:
    for text in ("", "Ann,Lee,2025550123\n", "colour\nred\n", "email\na\0b\n", ",".join("abc" * 4_000)):
        with pytest.raises(BadInput):
            await bring(ledger, text)
    async with ledger.read() as connection:
        assert (await connection.execute(select(import_job.c.id))).all() == []


async def test_a_file_that_is_not_there(ledger: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.csv: the file cannot be read"):
        await bring(ledger, tmp_path / "nowhere.csv")
