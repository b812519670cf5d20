"""What all of a conversation about a call needs: of which campaign it is, what is waited for, whose line it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from router.community.call_book import Caller
from router.community.calls import CallLine, read_lines
from router.community.turn import Answer, Dialog, Turn, member_of
from router.core.calling import Where, line_for
from router.core.keywords_intent import STOP, Intent
from router.deeds import Deed, keep_deed

_QUESTION = re.compile(r"[?؟¿]")


class Step(StrEnum):
    """What the conversation about calls waits for."""

    RESULT = "call"
    """DONE, BUSY or NO ANSWER."""
    WORDS = "call_words"
    """How it went."""
    PLACE = "call_place"
    """Where they live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """A turn that is about a call: of which campaign, and how it is meant."""

    campaign_id: int
    meant: Intent
    cancelled: bool
    over: bool
    """Its time is past, or it was cancelled. Where it has lines, their hours count instead."""
    step: str
    """Of `Step`, "" where the conversation is about something else."""


def told_next(turn: Turn, about: About, words: str) -> Answer:
    """Say this, and wait for what comes of the call."""
    return Answer(words=words, next=Dialog(step=Step.RESULT, campaign_id=about.campaign_id))


async def line_of(turn: Turn, lines: Sequence[CallLine], person: Any, told: Where | None) -> CallLine | None:
    """The line for somebody: by what they told us just now, else by what we know of them."""
    known = told or Where(person.place, person.postcode)
    by_id = {line.id: line for line in lines}
    places = {line.place: line.id for line in lines}
    found = line_for(places, known)
    if (found is None or not by_id[found].place) and told is None and person.postcode:
        found = line_for(places, known._replace(town=await town_of(turn, person.postcode)))
    return None if found is None else by_id[found]


async def their_line(turn: Turn, about: About) -> int:
    """The number of the line for whoever writes, 0 where there is none."""
    lines = await read_lines(turn.connection, about.campaign_id)
    line = await line_of(turn, lines, await member_of(turn.connection, turn.owner.member_id), None)
    return 0 if line is None else line.id


async def town_of(turn: Turn, postcode: str) -> str:
    """The name of a postcode's place, "" where we have none."""
    found = await turn.connection.scalar(
        text(
            "SELECT p.name FROM postcode p JOIN member m ON m.id = :member"
            " WHERE p.code = :code AND p.country = CASE WHEN m.country = '' THEN :home ELSE m.country END"
        ),
        {
            "member": turn.owner.member_id,
            "code": "".join(postcode.upper().split()),
            "home": turn.runtime.settings.default_region,
        },
    )
    return str(found or "")


async def keep(turn: Turn, about: About, kind: str) -> None:
    """Keep what they did, once however often they say so."""
    member_id = turn.owner.member_id
    deed = Deed(
        member_id, about.campaign_id, kind, "keyword", f"{about.campaign_id}:{member_id}:{kind}", turn.event.at,
        turn.channel, turn.owner.address_id,
    )  # fmt: skip
    await keep_deed(turn.connection, next(turn.ids), deed, turn.moves, now=turn.now)


def caller_of(turn: Turn, about: About) -> Caller:
    """Whoever writes, where they write from."""
    return Caller(about.campaign_id, turn.owner.member_id, turn.channel, turn.owner.address_id)


def asks(turn: Turn) -> bool:
    """Whether a person answers it: a question, or what may be a wish to hear no more."""
    return turn.intent.suggestion == STOP or _QUESTION.search(turn.event.text) is not None
