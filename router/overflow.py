"""An ask with a deadline on channels that cannot deliver it in time: it overflows to each member's next one.

While its audience is routed, `Room` counts what still fits. What then turns out to be too slow is `router.relief`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.model import Member
from router.core.routing import Deliver, Hold, House, Plan, route
from router.core.staging import wait_of
from router.core.surge import Load, Pipe
from router.pipes import due_of, minute_of, read_pipes, weights_of
from router.plans import Route
from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import to_ms

V = TypeVar("V")

_FRESH = timedelta(seconds=1)
"""A room is counted anew after so long; in between it counts what it lets through itself."""


class Room:
    """What still fits on each channel before an ask's deadline, counted down while its audience is routed."""

    def __init__(self, loads: Mapping[str, Load] | None = None, full: Iterable[str] = ()) -> None:
        self._loads = dict(loads or {})
        self._full = frozenset(full)

    def route(self, member: Member, plan: Plan, house: House, *, now: datetime) -> Deliver | Hold:
        """The decision of `core.routing.route`, by a channel that gets there in time where the member has one.

        Where they have none, they keep the channel that they would have had, at the end of its queue.
        """
        return self.settle(lambda full: route(member, plan, house, now=now, full=full), lambda verdict: verdict)

    def settle(self, decide: Callable[[Set[str]], V], verdict_of: Callable[[V], Deliver | Hold]) -> V:
        """What `decide` says, given the channels that are full, until it names none that cannot take one more."""
        full: Set[str] = self._full
        while True:
            found = decide(full)
            verdict = verdict_of(found)
            if not isinstance(verdict, Deliver) or not self._loads:
                return found
            channel, at = verdict.address.channel, minute_of(verdict.not_before)
            load = self._loads.get(channel)
            is_late = load is not None and not load.take(at)
            if is_late and channel not in full:
                full |= {channel}
                continue
            if is_late and load is not None:
                load.squeeze(at)
            for other in verdict.also:
                if (beside := self._loads.get(other.channel)) is not None and not beside.take(at):
                    beside.squeeze(at)
            return found

    def move(
        self, member: Member, plan: Plan, house: House, channel: str, without: set[int], *, now: datetime
    ) -> Deliver | None:
        """Where somebody who waits on `channel` would get it in time instead; None where nowhere."""
        full = self._full | {channel}
        while True:
            verdict = route(member, plan, house, now=now, without=without, full=full)
            if not isinstance(verdict, Deliver) or verdict.address.channel in full:
                return None
            load = self._loads.get(verdict.address.channel)
            if load is None or load.take(minute_of(verdict.not_before)):
                return replace(verdict, also=())
            full |= {verdict.address.channel}


UNBOUNDED = Room()
"""For an ask without a deadline: everything fits."""


@dataclass(slots=True)
class Watch:
    """How many a channel had sent when it was first seen to be busy, and when that was."""

    since: datetime
    seen: datetime
    sent: int


@dataclass(slots=True)
class Memory:
    """What this process remembers of one ledger between looks."""

    rooms: dict[int, tuple[datetime, int, Room]] = field(default_factory=dict)
    weights: dict[tuple[int, int], dict[str, float]] = field(default_factory=dict)
    deadlines: dict[tuple[int, int], bool] = field(default_factory=dict)
    stuck: dict[int, datetime] = field(default_factory=dict)
    watched: dict[str, Watch] = field(default_factory=dict)


_MEMORIES: WeakKeyDictionary[Store, Memory] = WeakKeyDictionary()


def memory_of(runtime: Runtime) -> Memory:
    """What is remembered of this runtime's ledger."""
    return _MEMORIES.setdefault(runtime.store, Memory())


async def room_for(runtime: Runtime, connection: AsyncConnection, prepared: Route, *, now: datetime) -> Room:
    """What fits before the ask's deadline beside everything that waits already."""
    deadline, campaign = prepared.ask.deadline, prepared.campaign
    if deadline is None or deadline <= now:
        return UNBOUNDED
    rooms = memory_of(runtime).rooms
    made, epoch, room = rooms.get(campaign.id, (now - _FRESH, 0, UNBOUNDED))
    if now - _FRESH < made <= now and epoch == campaign.epoch:
        return room
    due = due_of(deadline, runtime.policy.surge.spare_minutes, now)
    channels = prepared.plan.channels | prepared.plan.group_channels
    pipes = await read_pipes(
        runtime, connection, channels, lane=prepared.lane, weights=known_weights(runtime, prepared), now=now, due=due
    )
    room = Room(loads_of(runtime, prepared, pipes, now, due))
    rooms.clear()  # of others, which may be long over; each is counted in a few milliseconds
    rooms[campaign.id] = now, campaign.epoch, room
    return room


def known_weights(runtime: Runtime, prepared: Route) -> dict[str, float]:
    """Units of one message of this ask, by channel, worked out once."""
    known = memory_of(runtime).weights
    key = prepared.campaign.id, prepared.campaign.text_version
    if key not in known:
        known.clear()
        known[key] = weights_of(runtime, prepared.ask, prepared.plan.channels)
    return known[key]


def loads_of(
    runtime: Runtime, prepared: Route, pipes: Mapping[str, Pipe], now: datetime, due: datetime
) -> dict[str, Load]:
    """The channels as they begin once the stages that lie ahead have been waited for."""
    campaign = prepared.campaign
    ahead = max(0, len(prepared.shares) - campaign.stage)
    wait = timedelta(0)
    if ahead and campaign.starts_at is not None:
        wait = wait_of(runtime.policy.guard, prepared.ask, campaign.recipients, campaign.starts_at) * ahead
    return {name: Load(pipe, start=to_ms(now + wait), end=to_ms(due)) for name, pipe in pipes.items()}
