"""What a slow channel of a running ask cannot deliver before its deadline moves to each member's next channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.surge import Load, Pipe
from router.moving import MOST, Move
from router.overflow import Memory, Room, Watch, known_weights, loads_of, memory_of
from router.pipes import due_of, read_pipes, read_waiting
from router.plans import Route, prepare
from router.runtime import Runtime
from router.store.campaigns import lock_campaign
from router.store.tables import to_ms

_BATCHES = 4
"""Batches that one look may move people out of."""

_STUCK = timedelta(seconds=30)
"""A batch in which nobody could be moved is looked at again after so long."""

_WATCHED = timedelta(seconds=60)
"""So long a channel must have been busy before what it sent is taken for what it can send …"""

_GAP = timedelta(seconds=10)
"""… without a look missing for so long."""


async def relieve(runtime: Runtime, *, now: datetime) -> int:
    """Move those whom a slow channel of a running ask cannot reach before its deadline to their next channel.

    Those whose turn comes last are moved first, each once; who has no other channel that gets there in time stays.
    Returns how many were moved.
    """
    return sum([await _relieve(runtime, prepared, now) for prepared in await _asks_with_a_deadline(runtime, now)])


async def _asks_with_a_deadline(runtime: Runtime, now: datetime) -> list[Route]:
    known = memory_of(runtime).deadlines
    found = []
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(
                    "SELECT id, text_version FROM campaign WHERE status = 'running' AND kind <> 'reply'"
                    " AND goal_met_at IS NULL AND expires_at > :now ORDER BY id"
                ),
                {"now": to_ms(now)},
            )
        ).all()
        for row in rows:
            if known.get((row.id, row.text_version)) is False:
                continue
            campaign = await lock_campaign(connection, row.id)
            prepared = None if campaign is None else await prepare(runtime, connection, campaign)
            has_one = prepared is not None and prepared.ask.deadline is not None and prepared.ask.deadline > now
            known[row.id, row.text_version] = has_one
            if prepared is not None and has_one:
                found.append(prepared)
    running = {(row.id, row.text_version) for row in rows}
    for key in [key for key in known if key not in running]:
        del known[key]
    return found


async def _relieve(runtime: Runtime, prepared: Route, now: datetime) -> int:
    """Move people of one ask, from the end of each queue that is too long."""
    memory, campaign, deadline = memory_of(runtime), prepared.campaign, prepared.ask.deadline
    assert deadline is not None, "only asks with a deadline are looked after"
    due = due_of(deadline, runtime.policy.surge.spare_minutes, now)
    lane = int(prepared.lane)
    async with runtime.store.read() as connection:
        ours = await read_waiting(connection, lane=lane, due=deadline, only=campaign.id)
        if not ours:
            return 0
        pipes = await read_pipes(
            runtime, connection, prepared.plan.channels, lane=lane, weights=known_weights(runtime, prepared), now=now,
            due=due, without=campaign.id,
        )  # fmt: skip
        pipes = await _as_seen(connection, memory, prepared, pipes, now)
        loads = loads_of(runtime, prepared, pipes, now, due)
        late = _late(ours, loads)
        batches = await _last_batches(connection, campaign.id, late, now) if late else []
    room = Room(loads, late)
    moved = looked = 0
    for one in batches:
        if looked == _BATCHES:
            break
        if late[one.channel] <= 0 or memory.stuck.get(one.id, now) > now:
            continue
        looked += 1
        ids = await runtime.store.take_ids(2 * MOST)
        some = await Move(runtime, prepared, one, room, min(MOST, late[one.channel]), ids, now).run()
        late[one.channel] -= some
        moved += some
        if not some:
            memory.stuck[one.id] = now + _STUCK
    memory.stuck = {number: until for number, until in memory.stuck.items() if until > now}
    return moved


def _late(ours: Mapping[str, Mapping[int, float]], loads: Mapping[str, Load]) -> dict[str, int]:
    """channel → how many of ours will not have left in time. `loads` are filled with the others."""
    late: dict[str, int] = {}
    for channel, waiting in ours.items():
        load = loads.get(channel)
        if load is None:
            continue
        for at, messages in sorted(waiting.items()):
            people = int(messages)
            taken = load.take(at, people)
            if taken < people:
                late[channel] = late.get(channel, 0) + people - taken
    return late


async def _as_seen(
    connection: AsyncConnection, memory: Memory, prepared: Route, pipes: Mapping[str, Pipe], now: datetime
) -> dict[str, Pipe]:
    """The pipes at the rate that was seen, where a channel had something to send all the time and sent less."""
    campaign = prepared.campaign
    rows = await connection.execute(
        text(
            "SELECT t.channel, sum(t.count) AS sent, EXISTS (SELECT 1 FROM batch b WHERE b.campaign_id = :id"
            " AND b.channel = t.channel AND b.open AND b.stage <= :stage AND b.not_before <= :now) AS busy"
            " FROM tally t JOIN campaign c ON c.id = t.campaign_id WHERE c.status = 'running'"
            " AND t.status IN ('sent', 'delivered', 'read', 'failed', 'unknown') GROUP BY t.channel"
        ),
        {"id": campaign.id, "stage": campaign.stage, "now": to_ms(now)},
    )
    seen = dict(pipes)
    for channel, sent, busy in rows:
        key = f"{campaign.id} {channel}"
        watch = memory.watched.get(key)
        if not busy or watch is None or now - watch.seen > _GAP or sent < watch.sent:
            memory.watched.pop(key, None)
            if busy:
                memory.watched[key] = Watch(now, now, int(sent))
            continue
        watch.seen = now
        took = now - watch.since
        if took < _WATCHED or channel not in seen:
            continue
        pipe = seen[channel]
        units = max(1e-6, (int(sent) - watch.sent) * pipe.each / took.total_seconds())
        seen[channel] = replace(pipe, rate=min(pipe.rate or units, units))
        if took > 2 * _WATCHED:  # what was long ago says little of now
            memory.watched[key] = Watch(now - _WATCHED, now, int(sent) - round(units / pipe.each * 60))
    return seen


async def _last_batches(connection: AsyncConnection, campaign_id: int, late: Mapping[str, int], now: datetime) -> Any:
    """The open batches of these channels, those that leave last first."""
    names = {f"channel{place}": name for place, name in enumerate(sorted(late))}
    rows = await connection.execute(
        text(
            "SELECT id, channel, stage, first_id, last_id FROM batch WHERE campaign_id = :id AND open"
            f" AND channel IN ({', '.join(':' + name for name in names)})"
            " ORDER BY CASE WHEN not_before <= :now THEN 0 ELSE not_before END DESC, stage DESC, not_before DESC,"
            " id DESC LIMIT :most"
        ),
        {**names, "id": campaign_id, "now": to_ms(now), "most": 100},
    )
    return rows.all()
