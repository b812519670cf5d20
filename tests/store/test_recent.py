"""Figures that may be a moment old: who waits for them, and how old they become."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from router.store.engine import Store
from router.store.recent import Recent

BEGAN = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Counter:
    """A figure that is another each time it is read, and whose reading can be held up."""

    def __init__(self) -> None:
        self.times = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = False

    async def read(self) -> int:
        self.times += 1
        found = self.times
        await self.may_end.wait()
        if self.fails:
            raise OSError("the ledger is away")
        return found


@pytest.fixture
async def store() -> Store:
    return Store("sqlite:///:memory:")


async def test_a_figure_is_read_once_for_all_until_it_is_too_old(store: Store) -> None:
    figure, recent = Counter(), Recent[int](MINUTE)
    seen = [await recent.get(store, 7, figure.read, now=BEGAN + timedelta(seconds=at)) for at in (0, 20, 59, 60, 61)]
    assert seen == [1, 1, 1, 2, 2]


async def test_a_figure_half_as_old_as_it_may_be_is_read_ahead_and_nobody_waits(store: Store) -> None:
    figure, recent = Counter(), Recent[int](MINUTE, read_ahead=True)
    assert await recent.get(store, 7, figure.read, now=BEGAN) == 1
    figure.may_end.clear()
    late = BEGAN + timedelta(seconds=31)
    assert [await recent.get(store, 7, figure.read, now=late) for _ in range(3)] == [1, 1, 1]
    await asyncio.sleep(0)
    assert figure.times == 2, "one reads for all"
    figure.may_end.set()
    await asyncio.sleep(0.01)
    assert await recent.get(store, 7, figure.read, now=late) == 2
    assert await recent.get(store, 7, figure.read, now=late + MINUTE) == 3, "nobody looked for long: this one waits"


async def test_a_figure_that_cannot_be_read_ahead_is_said_and_tried_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    figure, recent = Counter(), Recent[int](MINUTE, read_ahead=True)
    assert await recent.get(store, 7, figure.read, now=BEGAN) == 1
    figure.fails = True
    assert await recent.get(store, 7, figure.read, now=BEGAN + timedelta(seconds=40)) == 1
    await asyncio.sleep(0.01)
    assert "OSError" in caplog.text
    figure.fails = False
    assert await recent.get(store, 7, figure.read, now=BEGAN + timedelta(seconds=41)) == 1
    await asyncio.sleep(0.01)
    assert await recent.get(store, 7, figure.read, now=BEGAN + timedelta(seconds=42)) == 3


async def test_a_figure_says_itself_how_old_it_may_be_and_whether_it_is_read_ahead(store: Store) -> None:
    figure = Counter()
    recent = Recent[int](lambda it: MINUTE if it > 1 else MINUTE / 4, read_ahead=lambda it: it > 1)
    seen = []
    for at in (0, 14, 15, 44, 46, 47):
        seen.append(await recent.get(store, 7, figure.read, now=BEGAN + timedelta(seconds=at)))
        await asyncio.sleep(0.01)
    assert seen == [1, 1, 2, 2, 2, 3]
