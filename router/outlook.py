"""Whether an ask with a deadline can be done, by when and by which channels, and what would help where it cannot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from router.core.ask import Ask
from router.core.staging import shares_of, wait_of
from router.core.surge import Forecast, Pipe, Share, Ways, forecast, latest_start, senders_needed
from router.headcount import Fate
from router.pipes import due_of, weights_of
from router.runtime import Runtime
from router.store.tables import from_ms, to_ms


class ChannelOutlook(BaseModel):
    """What becomes of those who would get it on one channel first."""

    model_config = ConfigDict(frozen=True)

    wanted: int
    """How many would."""
    in_time: int
    """How many get it in time on this channel, those that overflow to here among them."""
    overflow: dict[str, int]
    """channel → how many of them get it there instead."""
    late: int
    """How many of them would get it on no channel in time."""
    finishes_at: datetime
    """When the last of those in time leaves."""


class Surge(BaseModel):
    """Whether an ask with a deadline can be done."""

    model_config = ConfigDict(frozen=True)

    due: datetime
    """When the last should have left: some minutes before the deadline."""
    last_at: datetime
    """When the last of those in time leaves."""
    late: int
    """How many would be reached too late."""
    can_be_done: bool
    sentence: str
    """All of this in words, and what would help."""
    channels: dict[str, ChannelOutlook]


def surge_of(
    runtime: Runtime, ask: Ask, fates: Iterable[Fate], pipes: Mapping[str, Pipe], *, starts_at: datetime, now: datetime
) -> Surge | None:
    """The outlook of an ask whose audience was counted; None where it has no deadline."""
    if ask.deadline is None:
        return None
    due = due_of(ask.deadline, runtime.policy.surge.spare_minutes, starts_at)
    crowds: dict[Ways, int] = defaultdict(int)
    beside: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for fate in fates:
        if fate.reason is not None:
            continue
        crowds[fate.ways] += fate.people.total()
        for channel in fate.also:  # the further messages of an alert stand in everybody's way
            beside[channel][fate.ways[0][1]] += fate.people.total() * pipes[channel].each
    pipes = {name: _with(pipe, beside[name]) for name, pipe in pipes.items()}
    policy, recipients = runtime.policy.guard, sum(crowds.values())
    stages = len(shares_of(policy, ask, recipients, starts_at))
    waits = wait_of(policy, ask, recipients, starts_at) * stages
    start, end = to_ms(starts_at + waits), to_ms(due)
    found = forecast(crowds, pipes, start=start, end=end)
    asleep = sum(people for ways, people in crowds.items() if all(at >= end for _, at in ways))
    if found.late:
        awake = {ways: people for ways, people in crowds.items() if any(at < end for _, at in ways)}
        earliest = to_ms(now + waits) if starts_at > now else start
        help_ = list(_remedies(runtime, ask, awake, pipes, found, earliest=earliest, start=start, end=end))
        sentence = _cannot(runtime, found, pipes, asleep, help_, waits_ms=start - to_ms(starts_at))
    else:
        last = from_ms(found.last_at)
        minutes = int((ask.deadline - last).total_seconds() // 60)
        sentence = f"It can be done: the last leaves at {last:%H:%M} UTC, {_minutes(minutes)} before the deadline."
    return Surge(
        due=due,
        last_at=from_ms(found.last_at),
        late=found.late,
        can_be_done=not found.late,
        sentence=sentence,
        channels={name: _told(share) for name, share in sorted(found.channels.items())},
    )


def _with(pipe: Pipe, beside: Mapping[int, float]) -> Pipe:
    queued = dict(pipe.queued)
    for at, units in beside.items():
        queued[at] = queued.get(at, 0.0) + units
    return replace(pipe, queued=queued)


def _told(share: Share) -> ChannelOutlook:
    return ChannelOutlook(
        wanted=share.wanted,
        in_time=share.in_time,
        overflow=dict(share.overflow),
        late=share.late,
        finishes_at=from_ms(share.finishes_at),
    )


def _slowest(found: Forecast) -> str:
    return max(found.channels, key=lambda name: (found.channels[name].late, name))


def _remedies(
    runtime: Runtime,
    ask: Ask,
    crowds: Mapping[Ways, int],
    pipes: Mapping[str, Pipe],
    found: Forecast,
    *,
    earliest: int,
    start: int,
    end: int,
) -> Iterator[tuple[str, int]]:
    """(what alone would reach all in time whom it is not night for until then, at which moment if it is one)."""
    channel = _slowest(found)
    if forecast(crowds, pipes, start=start, end=end).late == 0:
        return
    sooner = latest_start(crowds, pipes, earliest=earliest, start=start, end=end) if earliest < start else None
    if sooner is not None:
        yield "start by", sooner
    pipe = pipes[channel]
    more = senders_needed(crowds, pipes, channel, start=start, end=end)
    if more is not None:
        kind = "number" if runtime.specs[channel].address_kind == "phone" else "account"
        several = "a second" if pipe.senders == 1 else "one more"
        yield f"add {several} {kind}" if more == 1 else f"add {more} more {kind}s", 0
    if ask.picture is not None and not runtime.specs[channel].media:
        plain = weights_of(runtime, ask.model_copy(update={"picture": None}), [channel])
        with_it = weights_of(runtime, ask, [channel])
        each = pipe.each * plain.get(channel, 1.0) / with_it.get(channel, 1.0)
        if forecast(crowds, {**pipes, channel: replace(pipe, each=each)}, start=start, end=end).late == 0:
            yield "drop the picture", 0
    if pipe.each > 1 and forecast(crowds, {**pipes, channel: replace(pipe, each=1.0)}, start=start, end=end).late == 0:
        yield "shorten it to one segment", 0


def _cannot(
    runtime: Runtime,
    found: Forecast,
    pipes: Mapping[str, Pipe],
    asleep: int,
    remedies: list[tuple[str, int]],
    *,
    waits_ms: int,
) -> str:
    said = [f"It cannot: {found.late:,} people would be reached too late"]
    if asleep:
        said.append(f"for {asleep:,} of them it is night until then")
    if found.late > asleep:
        channel = _slowest(found)
        pipe = pipes[channel]
        units = "segments" if runtime.specs[channel].counts_segments else "messages"
        if pipe.rate:
            said.append(f"{channel} sends {pipe.rate:g} {units} a second")
        if pipe.allowance < math.inf:
            said.append(f"{channel} lets {pipe.allowance:,.0f} messages through until then")
        told = [f"{what} {from_ms(at - waits_ms):%H:%M} UTC" if at else what for what, at in remedies]
        if told:
            said.append(" or ".join(filter(None, [", ".join(told[:-1]), told[-1]])))
        else:
            said.append("it takes more than one step: more senders, a shorter text, fewer people or a later deadline")
    return "; ".join(said) + "."


def _minutes(count: int) -> str:
    if count < 120:
        return f"{count} minute{'' if count == 1 else 's'}"
    return f"{count / 60:.1f} hours"
