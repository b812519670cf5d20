"""Can an ask with a deadline be sent in time: what each channel carries, what overflows to which, and by when.

A *pipe* is a channel with what it carries in a second, over all its senders. A *crowd* is people with the same *ways*:
channels in the order in which they would be tried, each with the moment from which they may be written to. All times
are whole milliseconds since 1970 UTC.

A pipe is busy whenever something may leave. So messages that may leave at different moments and must all have left by
one end fit if and only if, from each moment on, what may leave from then on takes no longer than until the end (the
one-machine case with release times and a common due date: Lawler and Moore, Management Science 16, 1969, 77-84).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Ways = tuple[tuple[str, int], ...]
"""(channel, may leave from then on), the best first."""

_ROUNDING = 1e-6
"""A message that is short of room by so little, because fractions were added up, has room."""

_MOST_SENDERS = 20
"""Further senders that are worth proposing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipe:
    """What one channel can carry."""

    rate: float = 0.0
    """Units (messages; SMS: segments) per second over all its senders; 0: no limit of ours."""
    each: float = 1.0
    """Units of one message, on average."""
    senders: int = 1
    allowance: float = math.inf
    """Messages that the daily allowances let through until the end."""
    queued: Mapping[int, float] = field(default_factory=dict)
    """Units that wait already and go first: may leave from then on → how many."""


class Load:
    """One pipe filling up with messages that must all have left by `end`."""

    def __init__(self, pipe: Pipe, *, start: int, end: int) -> None:
        self._pipe = pipe
        self._start = start
        self._end = end
        self._units: dict[int, float] = defaultdict(float)
        self._seen: dict[int, tuple[int, int]] = {}
        self._last = start
        self.messages = 0
        """How many it has taken."""
        for at, units in pipe.queued.items():
            if at < end:
                self._units[max(at, start)] += units

    def room(self, at: int) -> int:
        """How many more that may leave from `at` on would all leave in time."""
        at = max(at, self._start)
        if at >= self._end:
            return 0
        most = self._pipe.allowance - self.messages
        if self._pipe.rate:
            after = sum(units for moment, units in self._units.items() if moment > at)
            moments = sorted({at, *(moment for moment in self._units if moment <= at)}, reverse=True)
            for moment in moments:
                after += self._units.get(moment, 0.0)
                carried = self._pipe.rate * (self._end - moment) / 1000
                most = min(most, (carried - after) / self._pipe.each)
        return max(0, math.floor(min(most, 1e12) + _ROUNDING))

    def take(self, at: int, people: int = 1) -> int:
        """Take as many of so many as leave in time; returns how many."""
        known = self._seen.get(at)
        # Each message taken since costs at most one place of those that were found then.
        if known is None or known[0] - (self.messages - known[1]) < people:
            known = self._seen[at] = self.room(at), self.messages
        taken = min(people, known[0] - (self.messages - known[1]))
        if taken:
            self._add(max(at, self._start), taken)
        return taken

    def squeeze(self, at: int, people: int = 1) -> None:
        """Take them although they are late: what comes after them has to wait for them."""
        self._add(max(at, self._start), people)
        self._seen.clear()

    def _add(self, at: int, people: int) -> None:
        self._units[at] += people * self._pipe.each
        self._last = max(self._last, at)
        self.messages += people

    @property
    def finishes_at(self) -> int:
        """When the last that it has taken leaves, after what waited before."""
        clock = float(self._start)
        for moment, units in sorted(self._units.items()):
            if moment > self._last:
                break
            took = units / self._pipe.rate * 1000 if self._pipe.rate else 0.0
            clock = max(clock, moment) + took
        return math.ceil(clock - _ROUNDING)


@dataclass(slots=True)
class Share:
    """What becomes of those who would get the ask on one channel first."""

    wanted: int = 0
    """How many would."""
    in_time: int = 0
    """How many get it in time here, those that overflowed to here counted in."""
    overflow: dict[str, int] = field(default_factory=dict)
    """To which channel how many of them overflow."""
    late: int = 0
    """How many of them get it on no channel in time."""
    finishes_at: int = 0
    """When the last of those in time leaves."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a launch can do before its end."""

    channels: Mapping[str, Share]
    last_at: int
    """When the last of those in time leaves."""

    @property
    def late(self) -> int:
        """How many are reached too late."""
        return sum(share.late for share in self.channels.values())

    @property
    def in_time(self) -> int:
        """How many are reached in time."""
        return sum(share.in_time for share in self.channels.values())


def forecast(crowds: Mapping[Ways, int], pipes: Mapping[str, Pipe], *, start: int, end: int) -> Forecast:
    """Send everybody by the first of their ways that still gets there in time.

    Who has no further way goes first, then who may be written to first. Nobody gives way to somebody whose first
    choice was another channel.
    """
    loads = {channel: Load(pipe, start=start, end=end) for channel, pipe in pipes.items()}
    shares: dict[str, Share] = {}
    waiting = {ways: people for ways, people in crowds.items() if ways and people}
    for ways, people in waiting.items():
        shares.setdefault(ways[0][0], Share()).wanted += people
    turn = 0
    while waiting:
        for ways, people in sorted(waiting.items(), key=lambda one: (len(one[0]) > turn + 1, one[0][turn][1], one[0])):
            channel, at = ways[turn]
            taken = loads[channel].take(at, people)
            waiting[ways] -= taken
            if not taken:
                continue
            shares.setdefault(channel, Share()).in_time += taken
            if turn:
                overflow = shares[ways[0][0]].overflow
                overflow[channel] = overflow.get(channel, 0) + taken
        turn += 1
        for ways, people in waiting.items():
            if len(ways) <= turn:
                shares[ways[0][0]].late += people
        waiting = {ways: people for ways, people in waiting.items() if people and len(ways) > turn}
    for channel, share in shares.items():
        share.finishes_at = loads[channel].finishes_at
    last = max((share.finishes_at for share in shares.values() if share.in_time), default=start)
    return Forecast(shares, last)


def latest_start(
    crowds: Mapping[Ways, int], pipes: Mapping[str, Pipe], *, earliest: int, start: int, end: int
) -> int | None:
    """The latest moment, to the minute, from `earliest` to `start` at which a launch still reaches all in time.

    None where there is none. Who could be written to at `start` is taken to be free all the time before.
    """

    def fits(moment: int) -> bool:
        sooner: dict[Ways, int] = defaultdict(int)
        for ways, people in crowds.items():
            sooner[tuple((name, moment if at <= start else at) for name, at in ways)] += people
        return forecast(sooner, pipes, start=moment, end=end).late == 0

    low, high = 0, (start - earliest) // 60_000
    if not fits(earliest):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(earliest + middle * 60_000) else (low, middle - 1)
    return earliest + low * 60_000


def senders_needed(
    crowds: Mapping[Ways, int], pipes: Mapping[str, Pipe], channel: str, *, start: int, end: int
) -> int | None:
    """How many more senders of this channel, like those it has, would reach all in time; None where none would.

    Allowances belong to accounts, so further senders of an account do not raise them.
    """
    pipe = pipes[channel]
    if not pipe.rate:
        return None
    for more in range(1, _MOST_SENDERS + 1):
        wider = replace(pipe, rate=pipe.rate * (pipe.senders + more) / pipe.senders)
        if forecast(crowds, {**pipes, channel: wider}, start=start, end=end).late == 0:
            return more
    return None
