"""The ``[inbox]`` tree of ``config/policy.toml``, and how fast a paced ask may leave by it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PARTS = 6
"""The messages of one `InboxPolicy.answer_time` leave in so many parts, so that a crowd which answers more than
expected is noticed early."""


class InboxPolicy(BaseModel):
    """How long people wait for an answer, and how many conversations the organizers bear."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    alarm_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)]
    """Whoever waits for an answer longer than this is brought to everybody's notice, once."""
    claim_hours: Annotated[int, Field(ge=1, le=7 * 24)]
    """A claim that its organizer has not used for so long is void."""
    threads_per_organizer: Annotated[int, Field(ge=1, le=10_000)]
    """Conversations without an answer that one organizer bears at a time."""
    reply_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """Of those who get a paced ask, how many will write something that only a person can answer."""
    answer_minutes: Annotated[int, Field(ge=1, le=24 * 60)]
    """Within so long of getting it."""

    @property
    def alarm_after(self) -> timedelta:
        """How long somebody may wait."""
        return timedelta(minutes=self.alarm_minutes)

    @property
    def claim_lasts(self) -> timedelta:
        """How long an unused claim holds."""
        return timedelta(hours=self.claim_hours)

    @property
    def answer_time(self) -> timedelta:
        """How long after a message its answers are still expected."""
        return timedelta(minutes=self.answer_minutes)

    def capacity(self, organizers: int) -> int:
        """Conversations without an answer that so many organizers bear; whoever launched it counts as one."""
        return max(1, organizers) * self.threads_per_organizer

    def per_hour(self, organizers: int) -> float:
        """Messages of paced asks that can leave in an hour where every conversation is answered in time."""
        return self.capacity(organizers) / self.reply_share / self.answer_minutes * 60


def room(policy: InboxPolicy, organizers: int, *, waiting: int, recent: int, lately: int) -> int:
    """How many messages of paced asks may be let out now.

    `waiting` is how many conversations wait for an answer, `recent` how many messages were let out within the last
    `answer_time` and `lately` how many of them in the last of its `PARTS`. Answers to recent ones are still to come, so
    they take room as if they were there: waiting + share of recent never passes the capacity by this.
    """
    bears = policy.capacity(organizers)
    free = (bears - waiting) / policy.reply_share - recent
    part = bears / policy.reply_share / PARTS - lately
    return max(0, math.floor(min(free, part)))
