"""``/propose``, ``/second 7``, ``/report 7``: asks from below, spoken of where others hear it, in numbers only."""

from __future__ import annotations

from router.community.group_chats.speaking import answer_alone, answer_once, known_member, meet_stranger
from router.community.group_chats.turn import GroupTurn
from router.community.proposals.model import Said, Who
from router.community.proposals.seconding import report, second
from router.community.proposals.submitting import propose
from router.core.bot_commands import PROPOSE, SECOND, Command
from router.owners import Owner

_PERSONAL = frozenset(
    f"proposals.{name}"
    for name in (
        "own", "own_report", "already", "same_phone", "enough", "reported", "members_only", "newcomer", "again",
        "waits", "too_soon",
    )
)  # fmt: skip
"""What is about who wrote, not about the idea: they alone are told."""


async def take_idea(turn: GroupTurn, command: Command) -> None:
    """A member makes an idea, carries one, or finds that it should not stand; somebody we do not know is shown the way
    to us instead."""
    member = await known_member(turn)
    if member is None:
        await meet_stranger(turn)
        return
    said = await _do(turn, command, member)
    if said.phrase in _PERSONAL:
        await answer_alone(turn, member, said.phrase, **said.values)
    elif said.phrase:
        words = turn.say(said.phrase, **said.values)
        await answer_once(turn, words[:200], words)


async def _do(turn: GroupTurn, command: Command, member: Owner) -> Said:
    runtime, connection, now = turn.runtime, turn.connection, turn.now
    locale = member.locale or turn.group.locale
    who = Who(member.member_id, turn.person_hash, turn.channel, member.address_id, turn.group.id, locale)
    number = command.number or 0
    if command.name == PROPOSE:
        return await propose(runtime, connection, who, command.text, turn.ids, now=now)
    if command.name == SECOND:
        return await second(runtime, connection, who, number, now=now)
    return await report(runtime, connection, who, number, command.text, now=now)
