"""What is written or pressed in a group: whose business it is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from router.community.group_chats.answers import answer_in_group
from router.community.group_chats.commands import obey
from router.community.group_chats.turn import GroupTurn
from router.store.engine import is_passing
from router.store.tallies import Moves

log = logging.getLogger(__name__)

Handler = Callable[[GroupTurn], Awaitable[bool]]
"""``async def handler(turn) -> bool``: whether it was its business."""

HANDLERS: tuple[Handler, ...] = (obey, answer_in_group)
"""In the order in which they are asked."""


async def hear_in_group(turn: GroupTurn) -> None:
    """Do what a message in a group says. One that is nobody's business is chatter; it changes nothing.

    A rule that breaks undoes what it did and nothing else, as in `community.dialogue.converse`.
    """
    moves = Moves()
    try:
        async with turn.connection.begin_nested():
            its_own = replace(turn, moves=moves)
            for handler in HANDLERS:
                if await handler(its_own):
                    break
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("message %d: no rule could do what it says in its group", turn.inbound_id)
    else:
        turn.moves.update(moves)
