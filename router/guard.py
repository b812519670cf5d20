"""Stops what goes wrong while it goes wrong, and tells the operator.

A campaign whose words are refused too often pauses itself, and so does one that annoys people or fails too often
(`watch_campaigns`). A sender whose breaker opens is written down for all processes and for the operator.
"""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import FailureClass, NotAllowed, NotFound
from router.core.guarding import Count, Matter, find
from router.core.standing import State
from router.launch import pause_campaign
from router.outcomes import Outcome
from router.runtime import Runtime
from router.senders import Pool, Sender
from router.store.notices import clear, notify
from router.store.reactions import read_running, write_baseline, write_stop
from router.store.standings import StandingRow, read_standings, write_standings

log = logging.getLogger(__name__)

_CAMPAIGNS = 200
"""Campaigns whose last messages are remembered."""


class Guard:
    """Watches what comes of messages, in one process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._last: OrderedDict[int, deque[bool]] = OrderedDict()

    async def take(self, campaign_id: int, outcomes: Sequence[Outcome], pool: Pool, *, changed: bool) -> None:
        """Look at what came of a claim; `changed` says that a breaker of the pool opened or closed."""
        tried = [outcome for outcome in outcomes if outcome.was_tried]
        if tried:
            await self.refused(campaign_id, [_is_content(outcome) for outcome in tried])
        if changed:
            await self.write(pool.senders)

    async def refused(self, campaign_id: int, refusals: Iterable[bool]) -> None:
        """Take note which of a campaign's messages were refused for their words; pause it where it is too many.

        "Above 2 % of the last 500" (FACTS.md 1.7, CONTENT), counted from the first message on.
        """
        policy = self._runtime.policy.guard
        last = self._last.setdefault(campaign_id, deque(maxlen=policy.of_last))
        self._last.move_to_end(campaign_id)
        last.extend(refusals)
        while len(self._last) > _CAMPAIGNS:
            self._last.popitem(last=False)
        refused = sum(last)
        if refused <= policy.content_refusals * policy.of_last:
            return
        reason = f"providers refused the words of {refused} of its last {len(last)} messages"
        await stop(self._runtime, campaign_id, reason, now=self._runtime.clock())
        last.clear()

    async def write(self, senders: Sequence[Sender]) -> None:
        """Write the senders' standings down, and tell the operator of those that rest."""
        now = self._runtime.clock()

        async def work(connection: AsyncConnection) -> None:
            await write_standings(connection, [_row(sender, now) for sender in senders])
            for sender in senders:
                subject = f"{sender.channel}/{sender.label}"
                if sender.standing.state is State.OPEN:
                    sentence = f"{subject} rests until {sender.standing.until:%H:%M} UTC: {sender.standing.reason}"
                    await notify(connection, "sender", subject, sentence, now=now)
                elif sender.standing.state is State.CLOSED:
                    await clear(connection, "sender", subject, now=now)

        for sender in senders:
            if sender.standing.state is State.OPEN:
                log.error("%s/%s rests: %s", sender.channel, sender.label, sender.standing.reason)
        await self._runtime.store.transact(work)

    async def read(self, pools: Sequence[Pool], since: datetime | None) -> datetime | None:
        """Learn what other processes wrote after `since` of these senders; returns when the last was written."""
        async with self._runtime.store.read() as connection:
            rows = await read_standings(connection)
        known = {(sender.channel, sender.account, sender.name): sender for pool in pools for sender in pool.senders}
        for row in rows:
            sender = known.get((row.channel, row.account, row.name))
            if sender is None or (since is not None and row.updated_at <= since):
                continue
            standing = sender.standing
            standing.weight = row.weight
            if row.state == State.OPEN.value and standing.state is not State.OPEN:
                standing.state, standing.until, standing.reason = State.OPEN, row.until, row.reason
            elif row.state == State.CLOSED.value and standing.state is not State.CLOSED:
                standing.close()
        return max((row.updated_at for row in rows), default=since)


async def watch_campaigns(runtime: Runtime, *, now: datetime) -> int:
    """Stop every running ask that does worse than the limits allow; returns how many.

    Everything is counted from its first message on, or from the moment when somebody resumed it after it was stopped.
    """
    async with runtime.store.read() as connection:
        running = await read_running(connection, now=now)
    stopped = 0
    for one in running:
        if one.stopped_in is not None and one.stopped_in < one.epoch and one.baseline is None:
            await runtime.store.transact(partial(write_baseline, one=one))
            continue
        baseline = one.baseline or {}
        counts = {watch: count.since(baseline.get(str(watch), Count())) for watch, count in one.counts.items()}
        finding = find(counts, runtime.policy.guard.limits, watches=len(Matter) * len(runtime.channels) + 1)
        if finding is not None:
            await runtime.store.transact(partial(write_stop, campaign_id=one.id, epoch=one.epoch, now=now))
            await stop(runtime, one.id, finding.sentence, now=now)
            stopped += 1
    return stopped


async def stop(runtime: Runtime, campaign_id: int, why: str, *, now: datetime) -> None:
    """Pause a campaign with the reason and who can lift it, and tell the operator."""
    reason = f"{why}. {lifting(campaign_id)}"
    log.error("campaign %s is paused: %s", campaign_id, why)
    with contextlib.suppress(NotAllowed, NotFound):
        await pause_campaign(runtime, campaign_id, by="router", reason=reason, now=now)
        sentence = f"Campaign {campaign_id} is paused: {reason}"
        await runtime.store.transact(
            lambda connection: notify(connection, "campaign", str(campaign_id), sentence, now=now)
        )


def lifting(campaign_id: int) -> str:
    """Who can lift a stop, and how."""
    return (
        "Change its words or cancel it; an organizer who may launch campaigns can resume it with"
        f" outreach resume {campaign_id} or POST /api/v1/campaigns/{campaign_id}/resume"
    )


def _is_content(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.failure is FailureClass.CONTENT


def _row(sender: Sender, now: datetime) -> StandingRow:
    standing = sender.standing
    return StandingRow(
        sender.channel,
        sender.account,
        sender.name,
        standing.state.value,
        standing.reason,
        standing.until,
        round(standing.weight, 6),
        now,
    )
