"""What people may tell the bot in a group, and who does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from router.community.group_chats.evenings import list_events, take_seat
from router.community.group_chats.ideas import take_idea
from router.community.group_chats.membership import note_member
from router.community.group_chats.quieting import be_quiet, explain
from router.community.group_chats.speaking import answer
from router.community.group_chats.turn import GroupTurn
from router.core.bot_commands import EVENTS, PROPOSE, QUIET, REPORT, RSVP, SECOND, WHY, Command, read_command
from router.core.keywords_intent import HELP


async def obey(turn: GroupTurn) -> bool:
    """Do what a command says; False where it is none. A member of ours who gives one is known to be in the group."""
    command = read_command(turn.event.text, turn.intent)
    if command is None:
        return False
    for owner in turn.owners:
        await note_member(turn.connection, turn.group.id, owner.member_id, "spoke", now=turn.now)
    await _DOES[command.name](turn, command)
    return True


async def _help(turn: GroupTurn, command: Command) -> None:
    await answer(turn, turn.say("commands.help"))


_DOES: Mapping[str, Callable[[GroupTurn, Command], Awaitable[None]]] = {
    EVENTS: list_events,
    RSVP: take_seat,
    PROPOSE: take_idea,
    SECOND: take_idea,
    REPORT: take_idea,
    WHY: explain,
    QUIET: be_quiet,
    HELP: _help,
}
