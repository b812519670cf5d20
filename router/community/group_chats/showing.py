"""The tally under our posts in groups is brought up to date, in place: many answers, one edit.

An edit is a sending like any other: it takes the account's and the chat's tokens, and only a group that still lets us
post is edited. No transaction is open while the provider is awaited. An edit that is made twice does no harm.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.group_chats.posts import Post, Settled, accounts_due, posts_due, read_tally_line, settle
from router.core import consent
from router.core.attention import Dial
from router.core.channel import Editing, OutboundMessage
from router.core.consent import Allow
from router.core.errors import FailureClass, Moved, Refused, SendError, Throttled, Unavailable
from router.core.model import DeliveryRef
from router.core.phrases import say
from router.core.tallying import with_lines
from router.goals import recent_progress
from router.letters import Letter, Writer, Writers
from router.limits import Bucket
from router.runtime import Runtime
from router.senders import Pool, Sender, pools_of
from router.store.leases import give_lease_back, take_lease
from router.store.people import read_members_by_id

log = logging.getLogger(__name__)

LEASE = "tallies"

AT_ONCE = 5
"""Edits of one account under way at once: far fewer than a blast, which they must not hold up."""

GIVE_UP = 30
"""After so many failures in a row, two and a half hours at the shipped pauses, a post is left as it is."""

_NOT_FOR_GOOD = frozenset({FailureClass.SENDER_CONFIG, FailureClass.UNKNOWN})
"""Refusals that say nothing of the post: our own set-up is at fault, or nobody knows."""


class _Edit(NamedTuple):
    """A post and what is to stand in its place."""

    post: Post
    message: OutboundMessage
    line: str


async def show_tallies(runtime: Runtime, owner: str, *, now: datetime, writers: Writers | None = None) -> bool:
    """Edit the posts that are due, where no other process does; whether there may be more right away."""
    async with runtime.store.read() as connection:
        due = await accounts_due(connection, now=now)
    lasts = runtime.settings.lease_ms
    if not due or not await runtime.store.transact(
        lambda connection: take_lease(connection, LEASE, owner, lasts=lasts)
    ):
        return False
    shower = _Shower(runtime, writers or Writers(runtime), now)
    senders = {(one.channel, one.label): (pool, one) for pool in pools_of(runtime) for one in pool.senders}
    ours = [senders[account] for account in due if account in senders]
    more = [await shower.show(pool, sender) for pool, sender in ours if isinstance(sender.adapter, Editing)]
    return any(more)


async def stop_showing(runtime: Runtime, owner: str) -> None:
    """Leave it to another process at once."""
    await runtime.store.transact(lambda connection: give_lease_back(connection, LEASE, owner))


class _Shower:
    """One look at the posts that are due at `now`."""

    def __init__(self, runtime: Runtime, writers: Writers, now: datetime) -> None:
        self._runtime = runtime
        self._policy = runtime.policy.groups
        self._writers = writers
        self._now = now

    async def show(self, pool: Pool, sender: Sender) -> bool:
        """Bring posts of one account up to date, as many as it has tokens for; whether there may be more."""
        granted = (await self._runtime.limits.take(sender.bucket, AT_ONCE, spare=sender.spare)).granted
        if not granted:
            return False
        planned: list[tuple[Post, _Edit | Settled]] = []
        try:
            async with self._runtime.store.read() as connection:
                posts = await posts_due(connection, pool.spec.name, sender.label, limit=granted, now=self._now)
                planned = [(post, await self._plan(connection, post, sender)) for post in posts]
        finally:
            spent = sum(isinstance(plan, _Edit) for _, plan in planned)
            await self._runtime.limits.give_back(sender.bucket, granted - spent)
        found = await asyncio.gather(*[self._carry_out(plan, pool, sender) for _, plan in planned])
        for (post, _), settled in zip(planned, found, strict=True):
            await self._settle(post, settled)
        return len(planned) == granted

    async def _settle(self, post: Post, settled: Settled) -> None:
        async def work(connection: AsyncConnection) -> None:
            await settle(connection, self._policy, post, settled, now=self._now)

        await self._runtime.store.transact(work)

    # ── what is to stand there ────────────────────────────────────────────────────────────────────────────────────

    async def _plan(self, connection: AsyncConnection, post: Post, sender: Sender) -> _Edit | Settled:
        """The edit of a post, or why there is none now."""
        member = (await read_members_by_id(connection, [post.group_id])).get(post.group_id)
        address = next((one for one in member.addresses if one.id == post.address_id), None) if member else None
        if member is None or address is None:
            return Settled(closed=True)
        allow = consent.check(address, erased=member.erased)
        if not isinstance(allow, Allow) or member.dial is Dial.PAUSED:
            return Settled(closed=post.is_over)
        if member.paused_until is not None and member.paused_until > self._now:
            return Settled(later=member.paused_until)
        line = await read_tally_line(connection, post)
        if line == post.shown and not post.is_over:
            return Settled(line=line)
        if not post.provider_id:
            return self._failed(post)
        letter = Letter(
            ref=DeliveryRef(post.month, post.delivery_id), member=member, allow=allow, attempts=1, hop=0, costs=False,
            valid_seconds=1, expires_at=None, variant=post.variant,
        )  # fmt: skip
        writer = await self._writer(connection, post)
        try:
            written = writer.write(letter, self._now, sender=sender.name)
        except Exception:
            log.exception("campaign %s cannot be put into words for its post %s", post.campaign_id, letter.ref)
            return Settled(closed=True)
        lines = (line, say("groups.ended", post.locale)) if post.is_over else (line,)
        text = with_lines(written.text, *lines, most=self._runtime.specs[post.channel].max_length)
        buttons = () if post.is_over else written.buttons
        return _Edit(post, replace(written, text=text, buttons=buttons), line)

    async def _writer(self, connection: AsyncConnection, post: Post) -> Writer:
        """In the words that the post left with; how far a goal is, it says as of now."""
        writer = await self._writers.get(connection, post.campaign_id, post.text_version, post.channel)
        if writer.shows_total and (goal := writer.ask.goal):
            progress = await recent_progress(self._runtime.store, connection, post.campaign_id, goal, now=self._now)
            writer.know_total(progress.reached)
        return writer

    # ── the provider ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _carry_out(self, plan: _Edit | Settled, pool: Pool, sender: Sender) -> Settled:
        if isinstance(plan, Settled):
            return plan
        post, place = plan.post, pool.place_of(plan.message.to)
        try:
            wait = (await self._runtime.limits.take_each([place]))[0] if place is not None else 0.0
        except Unavailable as error:
            wait = error.retry_after
        if wait > 0:
            await self._runtime.limits.give_back(sender.bucket, 1)
            return Settled(later=self._now + timedelta(seconds=wait))
        assert isinstance(sender.adapter, Editing), "no other account is shown"
        try:
            await sender.adapter.edit(post.provider_id, plan.message)
        except SendError as error:
            return await self._refused(post, error, place or sender.bucket)
        except Exception:
            log.exception("channel %s failed in a way its contract does not know", post.channel)
            return self._failed(post)
        return Settled(line=plan.line, edited=True, closed=post.is_over)

    async def _refused(self, post: Post, error: SendError, place: Bucket) -> Settled:
        if isinstance(error, Throttled):
            pause = error.retry_after or self._policy.edit_pause(post.failures).total_seconds()
            await self._runtime.limits.pause(place.name, pause)
            return Settled(later=self._now + timedelta(seconds=pause))
        if isinstance(error, Moved) or (isinstance(error, Refused) and error.failure not in _NOT_FOR_GOOD):
            return Settled(closed=True)  # the message is gone, or we may not write there any more
        return self._failed(post)

    def _failed(self, post: Post) -> Settled:
        """Try again after a pause that grows from failure to failure."""
        later = self._now + self._policy.edit_pause(post.failures)
        return Settled(later=later, failed=True, closed=post.failures + 1 >= GIVE_UP)
