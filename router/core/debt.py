"""Report-back debt: when those who acted must have been told what came of it (issue 5; the number is policy).

An ask that anybody acted on owes them a report-back, be it a plain ask, an alert or a ballot. It falls due so many days
after its deadline or its goal, whichever came first. A progress note starts the days anew: they count from the note or
from the deadline, whichever is later. A report-back that was sent pays for good.
"""

from __future__ import annotations

from datetime import datetime, timedelta

NOT_ACTING = ("click", "no", "refund")
"""Kinds of action that are no act: who opened a link, said NO or got their money back took part in nothing."""


def due_at(*, ends_at: datetime, goal_met_at: datetime | None, noted_at: datetime | None, grace: timedelta) -> datetime:
    """When the report-back of an ask falls due.

    `ends_at` is its deadline, or where it has none the moment after which nothing of it leaves; `noted_at` is when the
    last progress note was written, `grace` how long after all that there is time.
    """
    if noted_at is not None:
        return max(ends_at, noted_at) + grace
    return (ends_at if goal_met_at is None else min(ends_at, goal_met_at)) + grace


def with_warning(due: datetime, *, known: datetime | None, now: datetime, grace: timedelta) -> datetime:
    """Nobody falls into debt unwarned: one that nobody had reckoned before it was over leaves the whole time from now.

    `known` is what was reckoned last, None for the first time.
    """
    return now + grace if known is None and due <= now else due
