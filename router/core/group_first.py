"""Group first: whoever is in a group's chat hears of an ask there, and gets a message of their own only if they did not
answer in time (FACTS.md 4.0).

That holds for asks. What is owed to everybody, and what somebody needs because of what they did, goes to each at once;
so does an alert.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from router.core.ask import Ask
from router.core.goals import REFUND
from router.core.launch_policy import Wait
from router.core.model import AskKind
from router.core.waterfall import CLICK

NO_ANSWERS = frozenset({CLICK, REFUND})
"""Kinds of action that answer nothing: a click may be a mail scanner's, a refund is about money given before."""


def wait_of(ask: Ask, first: Wait) -> timedelta | None:
    """How long the members of a group have to answer there; None where an ask goes to everybody at once."""
    if not ask.groups or ask.alert or not _spares(ask):
        return None
    return timedelta(minutes=first.urgent if ask.is_urgent else first.normal)


def wait_until(own: datetime, asked_at: datetime, wait: timedelta, end: datetime) -> datetime:
    """From when on somebody may be written to whose group is asked at `asked_at`, and who else could be from `own` on.

    At most half of what is left until the ask's `end` goes by. A group that hears of it so much later than the member
    could, because there it is night, is not waited for.
    """
    if asked_at > own + wait:
        return own
    return max(own, asked_at + min(wait, (end - asked_at) / 2))


def is_answer(kind: str, ask: Ask) -> bool:
    """Whether somebody who did this, a NO included, need not be sent the ask any more, not even a first time."""
    return kind not in NO_ANSWERS and _spares(ask)


def _spares(ask: Ask) -> bool:
    return ask.kind is AskKind.ASK and not ask.purpose.is_owed
