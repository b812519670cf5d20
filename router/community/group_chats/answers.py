"""An answer under one of our posts in a group."""

from __future__ import annotations

from router.community.group_chats.turn import GroupTurn
from router.deeds import act_on

ANSWERS = ("yes", "no", "number", "postcode", "amount")
"""Kinds of intents that answer an ask whatever it asks."""


async def answer_in_group(turn: GroupTurn) -> bool:
    """Keep an answer as an action where we know who it is; False where it is none."""
    if not (turn.event.button or turn.intent.kind in ANSWERS):
        return False
    await act_on(
        turn.runtime, turn.connection, turn.channel, turn.owners, turn.ids, turn.intent.kind, turn.event, turn.moves,
        turn.now,
    )  # fmt: skip
    return True
