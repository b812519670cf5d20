"""RSVP, HOST, a postcode, a number of guests, a rating: the conversation about events.

`masked` reads messages for other people, `rating` how an evening was, `hosting` what it takes to open an event,
`coming` everything about seats.
"""

from __future__ import annotations

from router.community import coming, hosting, masked, rating
from router.community.turn import Answer, Handler, Turn

_PARTS: tuple[Handler, ...] = (masked.answer, rating.answer, hosting.answer, coming.answer)
"""In the order in which they are asked: words for somebody else may hold any keyword."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    if turn.event.group:
        return None
    for part in _PARTS:
        if (said := await part(turn)) is not None:
            return said
    return None
