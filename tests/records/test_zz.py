"""Laws of an import that hold whatever is in the file."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from router.records.imports import ImportProgress
from router.store.engine import Store
from tests.records.ledger import NOW, bring, people, suppressed


def _reachable(name: str, key: str, phone: str, email: str, *rest: str) -> tuple[str, ...]:
    """A key alone means nobody the first time and somebody the second time, so it comes with an address."""
    return (name, key, phone, email or ("a@example.org" if key else ""), *rest)


WHO = [("Ann", "k1"), ("Ann", ""), ("ann", ""), ("Sam", "k2"), ("Sam", ""), ("Zoë", ""), ("", "")]
"""Names with the organization's own keys. A key has one name: else a file can be read in two ways."""

ROWS = st.lists(
    st.tuples(
        st.sampled_from(WHO),
        st.sampled_from(["2025550101", "2025550102", "+447700900103", "12", ""]),
        st.sampled_from(["a@example.org", "b@example.org", ""]),
        st.sampled_from(["yes", "no", ""]),
        st.sampled_from(["2024-01-01", "2025-01-01", ""]),
        st.sampled_from(["x", "y", ""]),
    ).map(lambda row: _reachable(*row[0], *row[1:])),
    min_size=1,
    max_size=9,
)
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes; the examples are short anyway
)


def as_csv(rows: list[tuple[str, ...]]) -> str:
    return "name,member_id,phone,email,consent,consent_date,tags\n" + "".join(",".join(row) + "\n" for row in rows)


class Fresh:
    """A ledger for one example."""

    def __init__(self, template: Path, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.sqlite3"
        for file in folder.glob(f"{name}.sqlite3*"):
            file.unlink()
        shutil.copy(template, self._path)

    async def __aenter__(self) -> Store:
        self.store = Store(f"sqlite:///{self._path}")
        return self.store

    async def __aexit__(self, *_: object) -> None:
        await self.store.aclose()


def content(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the ledger says of people, spelling and evidence apart."""
    return sorted(({**one, "name": one["name"].casefold()} for one in found), key=repr)


@SETTINGS
@given(rows=ROWS, size=st.integers(1, 4))
def test_chunks_make_no_difference_and_a_second_time_makes_none(
    rows: list[tuple[str, ...]], size: int, sqlite_template: Path, tmp_path: Path
) -> None:
    async def go() -> None:
        text = as_csv(rows)
        async with Fresh(sqlite_template, tmp_path, "one") as one, Fresh(sqlite_template, tmp_path, "other") as other:
            whole = await bring(one, text)
            pieces = await bring(other, text, chunk_rows=size)
            assert await people(other) == await people(one)
            assert await suppressed(other) == await suppressed(one)
            assert pieces.sentences == whole.sentences
            assert whole.rows == whole.new + whole.updated + whole.unchanged + whole.merged_in_file + whole.bad_rows
            # Who a row without a name means is a guess that more knowledge may change.
            named = as_csv([row for row in rows if row[0]])
            await bring(other, named)
            once, silent = await people(other), await suppressed(other)
            await bring(other, named, chunk_rows=size, now=NOW + timedelta(days=1))
            assert content(await people(other)) == content(once)
            assert await suppressed(other) == silent

    asyncio.run(go())


@SETTINGS
@given(rows=ROWS, size=st.integers(1, 4), at=st.integers(0, 4), data=st.data())
def test_stopped_anywhere_and_taken_up_again_is_as_never_stopped(
    rows: list[tuple[str, ...]], size: int, at: int, data: st.DataObject, sqlite_template: Path, tmp_path: Path
) -> None:
    def stop(progress: ImportProgress) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    left = at

    async def go() -> None:
        text = as_csv(rows)
        async with Fresh(sqlite_template, tmp_path, "one") as one, Fresh(sqlite_template, tmp_path, "other") as other:
            whole = await bring(one, text)
            try:
                report = await bring(other, text, chunk_rows=size, progress=stop)
            except KeyboardInterrupt:
                report = await bring(other, text, chunk_rows=data.draw(st.integers(1, 9)))
            assert (report.status, report.rows) == ("finished", whole.rows)
            assert await people(other) == await people(one)

    asyncio.run(go())


@pytest.mark.parametrize("text", [as_csv([("Ann", "k1", "2025550101", "a@example.org", "no", "", "x")])])
def test_a_no_survives_whatever_comes_after(text: str, sqlite_template: Path, tmp_path: Path) -> None:
    @SETTINGS
    @given(rows=ROWS)
    def law(rows: list[tuple[str, ...]]) -> None:
        async def go() -> None:
            async with Fresh(sqlite_template, tmp_path, "one") as one:
                await bring(one, text)
                await bring(one, as_csv(rows))
                found = [a for p in await people(one) if p["external_id"] == "k1" for a in p["addresses"]]
                assert {a[2] for a in found if a[1] in ("+12025550101", "a@example.org")} == {"revoked"}

        asyncio.run(go())

    law()
