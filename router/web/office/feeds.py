"""The live figures of asks, read once for all who look: a task for each ask that is looked at, and one round a second.

So two hundred viewers cost the ledger what one costs. Sessions are looked after in the same way: one query for all
viewers of an ask, a few times a minute; whoever is signed out, or may do something else now, is shown the door.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from aiohttp import web

from router.core.explaining import OBJECTIONS
from router.live import Live, per_second, read_live
from router.office.sessions import Session, still_signed_in
from router.runtime import Runtime
from router.web.office.show import render
from router.web.problems import without_values

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds from one round of queries to the next."""
CHECKED_EVERY = 10.0
"""Seconds from one look at the viewers' sessions to the next (house rule)."""
_POINTS, _CURVES = 900, 50
"""So many points of a curve are kept for whoever comes later, of so many asks; minutes are in the ledger."""


class Point(NamedTuple):
    """One moment of the curves; `router.curves.Point` is the same of what was written down."""

    at: int
    """Milliseconds."""
    rates: dict[str, float]
    """channel → messages that left each second."""
    left: dict[str, int]
    """channel → handed over so far."""
    delivered: dict[str, int]


@dataclass(eq=False, slots=True)
class Viewer:
    """Somebody who looks."""

    session: Session
    is_out: bool = False
    """Their session is over."""


class Feed:
    """One ask, while somebody looks at it."""

    def __init__(
        self, runtime: Runtime, campaign_id: int, points: deque[Point], *, every: float, checked_every: float
    ) -> None:
        self._runtime = runtime
        self._id = campaign_id
        self._every = every
        self._checked_every = checked_every
        self._changed = asyncio.Event()
        self._stopped = asyncio.Event()
        self.viewers: set[Viewer] = set()
        self.live: Live | None = None
        self.html = ""
        self.version = 0
        """Goes up when what is shown changes."""
        self.points = points
        self._news: dict[int, tuple[bytes, int]] = {}
        self.rounds = 0
        self.is_over = False
        """Nothing more will come: the ask is over, or its figures cannot be read."""

    async def run(self) -> None:
        """Round after round, until the ask is over or nobody looks any more."""
        loop, before, read_at = asyncio.get_running_loop(), None, 0.0
        checked_at = loop.time()
        try:
            while not (self.is_over or self._stopped.is_set()):
                began = loop.time()
                if began - checked_at >= self._checked_every:
                    await self._check_sessions()
                    checked_at = began
                live = await read_live(self._runtime, self._id)
                self._take(live, per_second(before, live, began - read_at))
                before, read_at = live, began
                self._tell()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), max(0.0, began + self._every - loop.time()))
        except Exception as error:
            log.error("the live figures of campaign %s end: %s", self._id, without_values(error))
        finally:
            self.is_over = True
            self._tell()

    def stop(self) -> None:
        """No further round."""
        self._stopped.set()

    async def after(self, version: int, viewer: Viewer, seconds: float) -> None:
        """Wait for a change after this version, for the end, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (self.version > version or self.is_over or viewer.is_out):
                    await self._changed.wait()

    def news(self, at: int) -> tuple[bytes, int]:
        """The figures as they stand and the points of the curves later than `at`, as events; and the latest point.

        Nearly all viewers have seen the same, so it is written out once for them.
        """
        known = self._news.get(at)
        if known is None:
            fresh = list(takewhile(lambda point: point.at > at, reversed(self.points)))[::-1]
            points = json.dumps([point._asdict() for point in fresh], separators=(",", ":"))
            known = event("", self.html) + event("points", points), fresh[-1].at if fresh else at
            self._news[at] = known
        return known

    def _take(self, live: Live, rates: dict[str, float]) -> None:
        self.rounds += 1
        self._news.clear()
        left = {channel: figures.left for channel, figures in live.channels.items()}
        delivered = {channel: figures.delivered for channel, figures in live.channels.items()}
        point = Point(int(self._runtime.clock().timestamp() * 1000), rates, left, delivered)
        # Of a line that stays level the two ends are enough.
        if len(self.points) >= 2 and all(earlier[1:] == point[1:] for earlier in (self.points[-1], self.points[-2])):
            self.points.pop()
        self.points.append(point)
        html = render("_live.html", live=live, rates=rates, objections=OBJECTIONS)
        if html != self.html or self.live is None or live.status is not self.live.status:
            self.live, self.html = live, html
            self.version += 1
        self.is_over = live.is_over

    async def _check_sessions(self) -> None:
        viewers = list(self.viewers)
        lasting = await still_signed_in(
            self._runtime, [viewer.session for viewer in viewers], now=self._runtime.clock()
        )
        for viewer in viewers:
            viewer.is_out = viewer.session.token_hash not in lasting

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Feeds:
    """All asks that are looked at."""

    def __init__(self, runtime: Runtime, *, every: float = EVERY, checked_every: float = CHECKED_EVERY) -> None:
        self._runtime = runtime
        self._every = every
        self._checked_every = checked_every
        self._by_id: dict[int, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._points: OrderedDict[int, deque[Point]] = OrderedDict()

    def feed_of(self, campaign_id: int) -> Feed | None:
        """The ask, where somebody looks at it."""
        return self._by_id.get(campaign_id)

    def points_of(self, campaign_id: int) -> list[Point]:
        """What this process saw of an ask while somebody looked at it, earliest first."""
        return list(self._points.get(campaign_id, ()))

    @contextlib.asynccontextmanager
    async def watching(self, campaign_id: int, session: Session) -> AsyncIterator[tuple[Feed, Viewer]]:
        """One more viewer of an ask; with the last one who goes its rounds end."""
        feed = self._by_id.get(campaign_id)
        if feed is None or feed.is_over:
            feed = self._by_id[campaign_id] = self._begin(campaign_id)
        viewer = Viewer(session)
        feed.viewers.add(viewer)
        try:
            yield feed, viewer
        finally:
            feed.viewers.discard(viewer)
            if not feed.viewers:
                feed.stop()
                if self._by_id.get(campaign_id) is feed:
                    del self._by_id[campaign_id]

    async def close(self, _app: web.Application) -> None:
        """Let all viewers go: the server stops."""
        for feed in self._by_id.values():
            feed.stop()
        await asyncio.gather(*self._tasks)

    def _begin(self, campaign_id: int) -> Feed:
        points = self._points.setdefault(campaign_id, deque(maxlen=_POINTS))
        self._points.move_to_end(campaign_id)
        while len(self._points) > _CURVES:
            self._points.popitem(last=False)
        feed = Feed(self._runtime, campaign_id, points, every=self._every, checked_every=self._checked_every)
        task = asyncio.create_task(feed.run(), name=f"live-{campaign_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return feed


FEEDS = web.AppKey("feeds", Feeds)


def event(name: str, text: str) -> bytes:
    """One of the server-sent events."""
    lines = [f"event: {name}"] if name else []
    return ("\n".join([*lines, *(f"data: {line}" for line in text.splitlines() or [""])]) + "\n\n").encode()
