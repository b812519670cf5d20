"""Figures of campaigns that many look at and that may be a moment old: read once, shown to all until then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from router.store.engine import Store

T = TypeVar("T")

_MOST_KEPT = 1_000
"""Campaigns of a ledger."""


class Recent(Generic[T]):
    """One figure of each campaign, as it was at most `lasts` ago."""

    def __init__(self, lasts: timedelta, *, keeps: Callable[[T], bool] = lambda _: True) -> None:
        """`keeps` says of a figure whether it is worth keeping; one that is quickly read need never be old."""
        self._lasts = lasts
        self._keeps = keeps
        self._kept: WeakKeyDictionary[Store, dict[int, tuple[datetime, T]]] = WeakKeyDictionary()

    async def get(self, store: Store, campaign_id: int, read: Callable[[], Awaitable[T]], *, now: datetime) -> T:
        """The figure of a campaign; `read` gets it from the ledger where the one we have is too old."""
        kept = self._kept.setdefault(store, {})
        known = kept.get(campaign_id)
        if known is not None and known[0] <= now < known[0] + self._lasts:
            return known[1]
        found = await read()
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        if self._keeps(found):
            kept[campaign_id] = now, found
        return found
