"""The member's dial: LESS, MORE and PAUSE, as they were written to us. What is queued obeys at its next look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.keywords_intent import Intent
from router.core.keywords_values import pause_days
from router.store.tables import member

PAUSE_DAYS = 14
"""How long a pause is where nobody says."""

TURNS = ("less", "more", "pause")
"""Intents that turn it."""


async def turn_dial(connection: AsyncConnection, members: Sequence[int], intent: Intent, *, now: datetime) -> int:
    """Do what the words say for these members; returns the days of a pause, else 0.

    LESS is one ask a week, MORE is everything again and ends a pause. Neither touches consent: that is STOP and START.
    """
    days = 0
    values: dict[str, object] = {"dial": Dial.EVERYTHING.value, "paused_until": None}
    if intent.kind == "less":
        values = {"dial": Dial.WEEKLY.value}
    elif intent.kind == "pause":
        days = pause_days(intent.value, now.date()) or PAUSE_DAYS
        values = {"paused_until": now + timedelta(days=days)}
    await connection.execute(update(member).where(member.c.id.in_(list(members))).values(values))
    return days
