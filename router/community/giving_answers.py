"""GIVE, and how far the goal is."""

from __future__ import annotations

from router.community.giving import say_total
from router.community.turn import Answer, Asked, Turn
from router.core.giving import read_amount
from router.core.keywords_intent import AMOUNT, NUMBER, YES
from router.core.ladder import Rung
from router.core.links import action_token
from router.core.model import DeliveryRef
from router.deeds import Deed, keep_deed
from router.goals import recent_progress

PLEDGE = "give"
"""The action of somebody who says that they will give. What arrived is ``gave``, and only that counts."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    asked = turn.asked
    if asked is None or asked.ask.wants is not Rung.GIVE:
        return None
    meant = turn.intent
    if meant.kind == "total":
        return await _total(turn, asked)
    if meant.kind not in (PLEDGE, YES, AMOUNT, NUMBER) or not asked.ask.link:
        return None
    if asked.is_over(turn.now):
        return turn.say_once("conversation.over")
    await _pledge(turn, asked)
    words = turn.say("giving.link", link=_own_link(turn, asked))
    if asked.ask.goal is not None:
        words = f"{words}\n{await _how_far(turn, asked)}"
    return Answer(words=words)


async def _total(turn: Turn, asked: Asked) -> Answer | None:
    """Without a goal there is none that would be public; a person answers."""
    if asked.ask.goal is None:
        return None
    return Answer(words=f"{turn.runtime.settings.organization}: {await _how_far(turn, asked)}")


async def _how_far(turn: Turn, asked: Asked) -> str:
    assert asked.ask.goal is not None
    progress = await recent_progress(
        turn.runtime.store, turn.connection, asked.campaign_id, asked.ask.goal, now=turn.now
    )
    return say_total(progress, asked.ask.goal.currency, turn.owner.locale)


async def _pledge(turn: Turn, asked: Asked) -> None:
    meant = turn.intent
    said = meant.value or ("" if meant.guests is None else str(meant.guests))
    amount, currency = read_amount(said, asked.ask.goal.currency if asked.ask.goal else "") or (0, "")
    deed = Deed(
        turn.owner.member_id, asked.campaign_id, PLEDGE, "keyword", turn.event.event_id[:200], turn.event.at,
        turn.channel, turn.owner.address_id, amount, currency,
    )  # fmt: skip
    await keep_deed(turn.connection, next(turn.ids), deed, turn.moves, now=turn.now)


def _own_link(turn: Turn, asked: Asked) -> str:
    token = action_token(turn.runtime.key, DeliveryRef(asked.month, asked.delivery_id))
    return f"{turn.runtime.settings.public_url.rstrip('/')}/a/{token}"
