"""Reading one ahead: what is asked for when, and what becomes of it when somebody stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from router.read_ahead import one_ahead


class Shelf:
    """Pieces that are handed out one by one, and what has become of them."""

    def __init__(self, pieces: int, *, fails_at: int | None = None) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self._pieces = pieces
        self._fails_at = fails_at

    async def read(self) -> AsyncIterator[int]:
        for piece in range(self._pieces):
            self.begun.append(piece)
            try:
                await asyncio.sleep(0.001)
            finally:
                self.ended.append(piece)
            if piece == self._fails_at:
                raise LookupError("the ledger is away")
            yield piece


async def test_the_next_piece_is_asked_for_and_only_one() -> None:
    shelf = Shelf(4)
    seen = []
    async for piece in one_ahead(shelf.read()):
        seen.append((piece, list(shelf.begun)))
        await asyncio.sleep(0.01)  # time for more than one
    assert seen == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2, 3]), (3, [0, 1, 2, 3])]


async def test_nothing_at_all_is_no_piece() -> None:
    assert [piece async for piece in one_ahead(Shelf(0).read())] == []


async def test_what_goes_wrong_ahead_is_told_after_the_pieces_before_it() -> None:
    pieces = one_ahead(Shelf(4, fails_at=2).read())
    assert [await anext(pieces), await anext(pieces)] == [0, 1]
    with pytest.raises(LookupError, match="away"):
        await anext(pieces)


async def test_who_stops_leaves_nothing_being_read() -> None:
    shelf = Shelf(4)
    async with contextlib.aclosing(one_ahead(shelf.read())) as pieces:
        await anext(pieces)
    assert (shelf.begun, shelf.ended) == ([0, 1], [0, 1])
    assert len(asyncio.all_tasks()) == 1
