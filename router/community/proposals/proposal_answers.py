"""PROPOSE, SECOND 7 and REPORT 7, written to us in private."""

from __future__ import annotations

import re

from router.community.proposals.model import Said, Who
from router.community.proposals.pages_links import propose_link
from router.community.proposals.seconding import report, second
from router.community.proposals.submitting import propose
from router.community.turn import Answer, Turn
from router.core.proposing import with_its_end

_IDEA = re.compile(r"(\d{1,9})\b[\s:,.-]*(.*)", re.DOTALL)
"""The number of an idea, and what is said about it."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else: an everyday sentence with one of these words, or a report about
    something that is no idea."""
    match turn.intent.kind:
        case "propose":
            said = await _propose(turn) if turn.intent.certain else None
        case "second":
            said = await _second(turn) if turn.intent.certain else None
        case "report":
            said = await _report(turn)
        case _:
            return None
    return None if said is None else _say(turn, said)


async def _propose(turn: Turn) -> Said:
    words = with_its_end(turn.intent.value, turn.event.text)
    return await propose(turn.runtime, turn.connection, _who(turn), words, turn.ids, now=turn.now)


async def _second(turn: Turn) -> Said:
    number = turn.intent.value.lstrip("#")
    if not number.isascii() or not number.isdigit():
        return Said("proposals.which")
    return await second(turn.runtime, turn.connection, _who(turn), int(number), now=turn.now)


async def _report(turn: Turn) -> Said | None:
    found = _IDEA.fullmatch(turn.intent.value)
    if found is None or not (turn.intent.certain or not found[2]):
        return None
    return await report(turn.runtime, turn.connection, _who(turn), int(found[1]), found[2], now=turn.now)


def _who(turn: Turn) -> Who:
    owner = turn.owner
    return Who(owner.member_id, turn.event_hash, turn.channel, owner.address_id, 0, owner.locale)


def _say(turn: Turn, said: Said) -> Answer:
    """The same sentence about the same idea once. Who asks how it is done gets the page that is theirs alone."""
    words = turn.say(said.phrase, **said.values)
    if said.phrase in ("proposals.how", "proposals.long"):
        words = f"{words} {propose_link(turn.runtime, turn.owner.address_id, now=turn.now)}"
    return turn.once(f"{said.phrase} {said.number}", words)
