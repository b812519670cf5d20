"""Browsers that members subscribed to notifications: how one joins, and whose it is."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.binding import IDS_PER_BINDING, bind_address
from router.core.address import address_hash
from router.core.errors import NotAllowed, NotFound
from router.rerouting import follow_wishes
from router.runtime import Runtime
from router.stops import bury_address

MOST_BROWSERS = 10
"""Of one member that are written to. A lost link must not become a way to have us call on hosts without end."""


async def join_browser(
    runtime: Runtime, member_id: int, channel: str, account: str, value: str, *, wording: str, now: datetime
) -> None:
    """Write to this browser (`value`: see ``core/push.py``) when the member is asked something.

    A browser has one owner: who shares it with others gets its notifications if they allowed them last. Raises
    `NotFound` where there is no such member, `NotAllowed` where they have too many browsers or this one was stopped.
    """
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, value)
    ids = await runtime.store.take_ids(IDS_PER_BINDING)

    async def work(connection: AsyncConnection) -> None:
        if await _is_stopped(connection, channel, hash_):
            raise NotAllowed("this browser was told to stop; open the page again and allow notifications anew")
        if await _count_others(connection, member_id, channel, hash_) >= MOST_BROWSERS:
            raise NotAllowed("you get notifications in too many browsers; stop them in one that you do not use")
        await bury_address(connection, hash_, channel)
        bound = await bind_address(
            runtime, connection, member_id, channel, account, value, iter(ids),
            source="browser permission", wording=wording, now=now,
        )  # fmt: skip
        if not bound:
            raise NotFound("This link belongs to nobody any more.")

    await runtime.store.transact(work)
    await follow_wishes(runtime, [member_id], channels=True, now=now)


async def owns_browser(runtime: Runtime, member_id: int, channel: str, value: str) -> bool:
    """Whether this browser is one of the member's."""
    hash_ = address_hash(runtime.key, runtime.specs[channel].address_kind, value)
    async with runtime.store.read() as connection:
        found = await connection.scalar(
            text("SELECT 1 FROM address WHERE member_id = :member AND channel = :channel AND hash = :hash"),
            {"member": member_id, "channel": channel, "hash": hash_},
        )
    return found is not None


async def _is_stopped(connection: AsyncConnection, channel: str, hash_: str) -> bool:
    found = await connection.scalar(
        text("SELECT 1 FROM suppression WHERE address_hash = :hash AND channel = :channel"),
        {"hash": hash_, "channel": channel},
    )
    return found is not None


async def _count_others(connection: AsyncConnection, member_id: int, channel: str, hash_: str) -> int:
    count = await connection.scalar(
        text(
            "SELECT count(*) FROM address WHERE member_id = :member AND channel = :channel AND hash <> :hash"
            " AND state = 'active' AND consent = 'granted'"
        ),
        {"member": member_id, "channel": channel, "hash": hash_},
    )
    return int(count or 0)
