"""Figures of campaigns that many look at and that may be a moment old: read once, shown to all until then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from router.logs import without_values
from router.store.engine import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

_MOST_KEPT = 1_000
"""Campaigns of a ledger."""


class Recent(Generic[T]):
    """One figure of each campaign, as it was at most `lasts` ago."""

    def __init__(
        self,
        lasts: timedelta | Callable[[T], timedelta],
        *,
        keeps: Callable[[T], bool] = lambda _: True,
        read_ahead: bool | Callable[[T], bool] = False,
    ) -> None:
        """`lasts` may depend on the figure: one that takes long to read may be older.

        `keeps` says of a figure whether it is worth keeping; one that is quickly read need never be old.

        With `read_ahead` one that is half as old as it may be is read anew beside, so that nobody waits while people
        look; `read` then opens a connection of its own.
        """
        self._lasts = lasts if callable(lasts) else lambda _: lasts
        self._keeps = keeps
        self._read_ahead = read_ahead if callable(read_ahead) else lambda _: read_ahead
        self._kept: WeakKeyDictionary[Store, dict[int, tuple[datetime, T]]] = WeakKeyDictionary()
        self._reading: dict[tuple[int, int], asyncio.Task[T]] = {}

    async def get(self, store: Store, campaign_id: int, read: Callable[[], Awaitable[T]], *, now: datetime) -> T:
        """The figure of a campaign; `read` gets it from the ledger where the one we have is too old."""
        kept = self._kept.setdefault(store, {})
        known = kept.get(campaign_id)
        if known is None or not known[0] <= now < known[0] + self._lasts(known[1]):
            return await self._read(kept, campaign_id, read, now)
        place = id(kept), campaign_id
        if now >= known[0] + self._lasts(known[1]) / 2 and self._read_ahead(known[1]) and place not in self._reading:
            task = self._reading[place] = asyncio.create_task(self._read(kept, campaign_id, read, now))
            task.add_done_callback(lambda done: self._ended(place, done))
        return known[1]

    async def _read(
        self, kept: dict[int, tuple[datetime, T]], campaign_id: int, read: Callable[[], Awaitable[T]], now: datetime
    ) -> T:
        found = await read()
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        if self._keeps(found):
            kept[campaign_id] = now, found
        else:
            kept.pop(campaign_id, None)
        return found

    def _ended(self, place: tuple[int, int], done: asyncio.Task[T]) -> None:
        del self._reading[place]
        if not done.cancelled() and (error := done.exception()) is not None:
            log.warning("a figure could not be read ahead: %s", without_values(error))
