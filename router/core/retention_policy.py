"""The ``[retention]`` tree of ``config/policy.toml``: how long what is kept of people stays."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Months = Annotated[int, Field(ge=1, le=120)]
_Days = Annotated[int, Field(ge=1, le=3650)]

LINKS_LIVE = 3
"""Months: the link by which somebody unsubscribes leads through the message it stands in, and must work for 60 days
(CASL, section 11; CAN-SPAM asks for 30)."""


class RetentionPolicy(BaseModel):
    """Whole months after that of the campaign or of the arrival; days after the thing was over."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    automatic: bool
    """Whether a worker does it each night; else whoever calls ``outreach retention --apply``."""
    hour: Annotated[int, Field(ge=0, le=23)]
    """UTC; when nights are quiet."""
    messages: Annotated[int, Field(ge=LINKS_LIVE, le=120)]
    """Who was sent what, every try and every receipt."""
    answers: _Months
    """The words of our own answers to single people."""
    received: _Months
    """The words that people wrote to us."""
    parked_receipts: _Days
    """Receipts that match no message of ours."""
    import_problems: _Days
    """What was wrong with which line of an imported file."""
    webhooks: _Days
    """What another system never took."""
    notices: _Days
    """What the operator has looked at."""
    invitations: _Days
    """Invitations that were used or have run out."""

    @model_validator(mode="after")
    def _words_go_first(self) -> Self:
        if self.answers > self.messages:
            raise ValueError("answers cannot be kept for longer than the messages that they are the words of")
        return self


def oldest_kept(now: datetime, months: int) -> int:
    """The first month, as yyyymm, of which `months` whole ones after it are not yet over."""
    count = now.year * 12 + now.month - 1 - months
    return count // 12 * 100 + count % 12 + 1
