"""WHY by reply: what our last message was, why it came, and where all the rest about them stands."""

from __future__ import annotations

from router.community.turn import Answer, Turn
from router.core.catalogue import spoken, translator
from router.core.errors import NotFound
from router.core.explaining import Reader
from router.door import link_in
from router.why import explain

LONGEST = 300
"""Characters of the answer: two text messages. The sentences of `router.why` are added while there is room."""


async def answer(turn: Turn) -> Answer | None:
    """Answered once for each message that they may mean."""
    if turn.intent.kind != "why" or not turn.intent.certain:
        return None
    settings = turn.runtime.settings
    contact = settings.help_contact or settings.public_url
    asked, page = turn.asked, await _page(turn)
    if asked is None:
        return turn.once("joining.why_nothing", f"{turn.say('joining.why_nothing', contact=contact)}{page}")
    reader = Reader(speak=translator(spoken(turn.owner.locale) or "en"))
    why = await explain(turn.connection, asked.member_id, asked.campaign_id, now=turn.now, reader=reader)
    told = _fitting(why.for_member, LONGEST - len(page) - len(_words(turn, asked.ask.title, "", contact)))
    return turn.once(f"why {asked.campaign_id}", _words(turn, asked.ask.title, told, contact) + page)


async def _page(turn: Turn) -> str:
    """The link to their own page; "" where several people have this address: it is for one of them only."""
    if len(turn.owners) != 1:
        return ""
    try:
        link = await link_in(turn.connection, turn.runtime, turn.owner.member_id, now=turn.now)
    except NotFound:  # the chat of a group
        return ""
    return f" {turn.say('door.link', link=link)}"


def _words(turn: Turn, title: str, told: str, contact: str) -> str:
    return " ".join(turn.say("joining.why", title=title[:60], told=told, contact=contact).split())


def _fitting(sentences: list[str], room: int) -> str:
    """As many of the sentences as fit, from the first on."""
    said = ""
    for sentence in sentences:
        longer = f"{said} {sentence}".strip()
        if len(longer) >= room:
            break
        said = longer
    return said
