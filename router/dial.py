"""Wishes in words: LESS, MORE, PAUSE, EMAIL ME INSTEAD, as they were written to us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.keywords_intent import CHANNEL, Intent
from router.core.keywords_values import pause_days
from router.preferences import Wishes, write_wishes
from router.store.bulk import in_numbers, numbers
from router.store.tables import member

PAUSE_DAYS = 14
"""How long a pause is where nobody says."""

TURNS = ("less", "more", "pause")
"""Intents that turn the dial."""

WISHES = (*TURNS, CHANNEL)
"""Intents after which what waits for the member is decided anew."""


async def turn_dial(connection: AsyncConnection, members: Sequence[int], intent: Intent, *, now: datetime) -> int:
    """Do what the words say for these members; returns the days of a pause, else 0.

    LESS is one ask a week, MORE is everything again and ends a pause. Neither touches consent: that is STOP and START.
    """
    days = 0
    wishes = Wishes(dial=Dial.EVERYTHING, paused_until=now)
    if intent.kind == "less":
        wishes = Wishes(dial=Dial.WEEKLY)
    elif intent.kind == "pause":
        days = pause_days(intent.value, now.date()) or PAUSE_DAYS
        wishes = Wishes(paused_until=now + timedelta(days=days))
    if members:
        await write_wishes(connection, members, wishes, now=now)
    return days


async def prefer_channel(
    connection: AsyncConnection, members: Sequence[int], channel: str, *, now: datetime
) -> set[int]:
    """From now on this channel comes first, for those of these members who can be written to there; returns them."""
    rows = await connection.execute(
        text(
            "SELECT DISTINCT a.member_id FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash"
            f" AND s.channel = a.channel WHERE a.member_id {in_numbers(connection, 'ids')} AND a.channel = :channel"
            " AND a.state = 'active' AND a.consent = 'granted' AND s.reason IS NULL"
        ),
        {"ids": numbers(connection, members), "channel": channel},
    )
    able = set(rows.scalars())
    if able:
        await write_wishes(connection, sorted(able), Wishes(first=channel), now=now)
    return able


async def quiet_group(connection: AsyncConnection, group_id: int, until: datetime, *, now: datetime) -> None:
    """No asks are posted in this group before `until`; a moment that is over ends its quiet."""
    await connection.execute(
        update(member)
        .where(member.c.id == group_id, member.c.kind == "group")
        .values(paused_until=until if until > now else None, updated_at=now)
    )
