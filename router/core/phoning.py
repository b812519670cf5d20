"""Ringing up people whom an ask did not reach: whom a call could still reach, and what may come of one.

A call takes more of somebody's attention than a message, so it goes only where the message failed for a reason that
was nobody's wish: whoever said STOP anywhere, turned the dial down, took a pause, was left in peace for the contact
budget, the lot or a goal, or never agreed to hear from us on that number, is not rung up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from router.core.model import Reason

PHONE_CHANNELS: Final = ("sms", "whatsapp")
"""Channels whose addresses are telephone numbers."""

MENDABLE: Final = frozenset(
    {
        Reason.NO_ADDRESS,
        Reason.ADDRESS_DEAD,
        Reason.NO_CHANNEL,
        Reason.NO_TEMPLATE,
        Reason.CHANNEL_RULES,
        Reason.TOO_SLOW,
        Reason.QUIET_HOURS,
        Reason.EXPIRED,
        Reason.UNREACHABLE,
        Reason.REFUSED,
        Reason.CONTENT,
        Reason.SENDER_CONFIG,
        Reason.UNSETTLED,
    }
)
"""Why somebody was not reached, where a call does what the message could not."""


class CallResult(StrEnum):
    """What came of ringing somebody up."""

    REACHED = "reached"
    """They were spoken to, and said neither yes nor no."""
    NO_ANSWER = "no_answer"
    """They stay on the list."""
    WRONG_NUMBER = "wrong_number"
    """The number is somebody else's: it is used no more."""
    STOP = "stop"
    """They want to hear no more: as if they had written STOP."""
    YES = "yes"
    NO = "no"

    @property
    def deed(self) -> str:
        """The kind of action that it is; "" where it is none."""
        return self.value if self in (CallResult.YES, CallResult.NO) else ""

    @property
    def is_final(self) -> bool:
        """Whether nobody rings them up about this ask again."""
        return self is not CallResult.NO_ANSWER
