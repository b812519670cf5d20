"""Webhooks that the simulated providers call: due times, bounded concurrency, a few tries where nobody listens."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

CONCURRENCY = 32
"""Calls under way at once."""
TIME_LIMIT = 15.0
"""Seconds that Twilio waits for a webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One call of a webhook."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    until_taken: bool = False
    """Whether an answer of 500 and above is tried again too, as SendGrid does and Twilio does not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook said; status 0 where there was no answer."""

    status: int
    body: str


Build = Callable[[], Post | None]
"""Makes the call when it is due (signatures hold a time); None means that there is nobody to call."""
Done = Callable[[Answer], None]


class Callbacks:
    """All calls that are due or will be."""

    def __init__(self, counters: Counter[str]) -> None:
        self.tries = 3
        self.pause = 1.0
        self._counters = counters
        self._due: list[tuple[float, int, Build, Done | None]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def schedule(self, delay: float, build: Build, done: Done | None = None) -> None:
        """Make a call after `delay` seconds; `done` gets its answer."""
        if self._closed:
            return
        heapq.heappush(self._due, (asyncio.get_running_loop().time() + delay, next(self._order), build, done))
        self._idle.clear()
        self._arm()

    def chain(self, delay: float, builds: Sequence[Build]) -> None:
        """Make calls one after the other, each `delay` seconds after the one before was answered."""
        if builds:
            self.schedule(delay, builds[0], lambda _: self.chain(delay, builds[1:]))

    @property
    def pending(self) -> int:
        """How many calls are due, under way or yet to come due."""
        return len(self._due) + len(self._running)

    async def idle(self) -> None:
        """Return once no call is pending."""
        await self._idle.wait()

    async def aclose(self) -> None:
        """Give what is under way a moment and drop the rest; takes less than a second."""
        self._closed = True
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=0.5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        self._idle.set()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due and len(self._running) < CONCURRENCY:
            self._timer = asyncio.get_running_loop().call_at(self._due[0][0], self._start)

    def _start(self) -> None:
        self._timer = None
        # A timer may fire up to one clock tick early.
        now = asyncio.get_running_loop().time() + 0.002
        while self._due and self._due[0][0] <= now and len(self._running) < CONCURRENCY:
            _, _, build, done = heapq.heappop(self._due)
            task = asyncio.create_task(self._call(build, done))
            self._running.add(task)
            task.add_done_callback(self._ended)
        self._arm()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "a callback failed", "exception": error})
        if not self._due and not self._running:
            self._idle.set()
        elif not self._closed:
            self._arm()

    async def _call(self, build: Build, done: Done | None) -> None:
        post = build()
        answer = Answer(0, "")
        for attempt in range(max(1, self.tries)):
            if post is None:
                break
            if attempt:
                await asyncio.sleep(self.pause)
            answer = await self._try(post)
            if 0 < answer.status < 500 or (answer.status and not post.until_taken):
                break
        if post is not None:
            taken = 200 <= answer.status < 300
            self._counters["callbacks_taken" if taken else f"callbacks_answered_{answer.status}"] += 1
        if done is not None:
            done(answer)

    async def _try(self, post: Post) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIME_LIMIT), cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            # The address is used letter by letter as it was given, because the signature covers it.
            async with self._session.post(
                URL(post.url, encoded=True), data=post.body, headers=dict(post.headers), allow_redirects=False
            ) as response:
                return Answer(response.status, (await response.content.read(65_536)).decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return Answer(0, "")
