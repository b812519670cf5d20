"""When the people of an event are written to: a day before it, two hours before, and the morning after."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import IntEnum

from router.core.zones import known_zone

DAY_BEFORE = timedelta(days=1)
"""Time enough to give a seat back to somebody else."""

SOON_BEFORE = timedelta(hours=2)
"""When people look up the way."""

REST = timedelta(hours=8)
"""Between the end of an evening and the question how it was, at least."""

MORNING = time(10)
"""By the clock of the place; each guest's own quiet hours hold besides."""


class Reminder(IntEnum):
    """What is said, in this order; a guest's `rsvp.reminded` is the last that they got."""

    TOMORROW = 1
    SOON = 2
    RATE = 3


def due(starts_at: datetime, ends_at: datetime, zone: str, now: datetime) -> Reminder | None:
    """What is to be said now, None for nothing yet. What is overtaken by the next one is left out."""
    if now >= rating_at(ends_at, zone):
        return Reminder.RATE
    if starts_at - SOON_BEFORE <= now < starts_at:
        return Reminder.SOON
    return Reminder.TOMORROW if starts_at - DAY_BEFORE <= now < starts_at else None


def next_moment(starts_at: datetime, ends_at: datetime, zone: str, now: datetime) -> datetime | None:
    """When to look at the event again after what is due `now` was said; None for never."""
    moments = (starts_at - DAY_BEFORE, starts_at - SOON_BEFORE, rating_at(ends_at, zone))
    return next((at for at in moments if at > now), None)


def rating_at(ends_at: datetime, zone: str) -> datetime:
    """The morning after an event, by the clock of its place."""
    info = known_zone(zone) or UTC
    rested = (ends_at + REST).astimezone(info)
    morning = datetime.combine(rested.date(), MORNING, tzinfo=info)
    if morning < rested:
        morning = datetime.combine(rested.date() + timedelta(days=1), MORNING, tzinfo=info)
    return morning.astimezone(UTC)
