"""SHARE: whoever was asked gets their own link to pass the ask on, and the page on which they see what it brings."""

from __future__ import annotations

from router.community.forwarding import forward_link, shared_link
from router.community.turn import Answer, Turn
from router.core.ladder import Rung
from router.core.model import DeliveryRef
from router.deeds import Deed, keep_deed

_WORD = Rung.SHARE.value
"""The word, and the kind of action that says that they took the link. That they passed it on shows once it is
followed (`community.forwarding`)."""

_SOURCE = "reply"


async def answer(turn: Turn) -> Answer | None:
    """The link, whatever the ask wants; None where the message is about something else."""
    asked = turn.asked
    if asked is None or asked.ask.kind.is_service or asked.member_id != turn.owner.member_id or not _wants_link(turn):
        return None
    if asked.is_over(turn.now):
        return turn.say_once("conversation.over")
    deed = Deed(
        asked.member_id, asked.campaign_id, _WORD, _SOURCE, f"{asked.campaign_id}:{asked.member_id}:{_WORD}",
        turn.event.at, turn.channel, turn.owner.address_id,
    )  # fmt: skip
    await keep_deed(turn.connection, next(turn.ids), deed, turn.moves, now=turn.now)
    ref = DeliveryRef(asked.month, asked.delivery_id)
    words = turn.say("sharing.link", link=forward_link(turn.runtime, ref), page=shared_link(turn.runtime, ref))
    return turn.once(f"{_WORD} {asked.campaign_id}", words)


def _wants_link(turn: Turn) -> bool:
    """SHARE answers every ask, so it is looked for also where the ask did not offer it."""
    if turn.intent.kind == _WORD:
        return turn.intent.certain
    if turn.intent.kind != "none" or _WORD not in turn.event.text.casefold():
        return False
    meant = turn.runtime.keywords.classify(turn.event.text, turn.owner.locale, offered=(_WORD.upper(),))
    return meant.kind == _WORD and meant.certain
