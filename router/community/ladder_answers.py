"""SIGN, VOLUNTEER, DONE: what people say they did on an ask that wanted it, and what comes next."""

from __future__ import annotations

from router.community.forwarding import shared_deed
from router.community.rungs import words_for
from router.community.turn import Answer, Turn
from router.core.ladder import Rung
from router.deeds import Deed, keep_deed

_WORDS = {
    Rung.SIGN: frozenset({"sign", "done", "yes"}),
    Rung.SHARE: frozenset({"done"}),
    Rung.VOLUNTEER: frozenset({"volunteer", "done", "yes"}),
}
"""What an ask wants → the kinds of intents that say it is done. To sign or to help is done by saying so; YES to an ask
to share is a promise, and stays an action of its own; SHARE brings the link (`community.sharing_answers`)."""

SOURCE = "reply"
"""Where these actions come from, whether they were written or pressed."""


async def answer(turn: Turn) -> Answer | None:
    """Keep the deed, once for each member and campaign, and thank them with the next step."""
    asked = turn.asked
    if asked is None or turn.dialog.step or asked.member_id != turn.owner.member_id:
        return None
    if turn.intent.kind not in _WORDS.get(asked.ask.wants, ()) or not turn.intent.certain:
        return None
    if asked.is_over(turn.now):
        return turn.say_once("conversation.over")
    kind = asked.ask.wants.done
    how = turn.event.at, turn.channel, turn.owner.address_id
    deed = Deed(asked.member_id, asked.campaign_id, kind, SOURCE, f"{asked.campaign_id}:{asked.member_id}:{kind}", *how)
    if asked.ask.wants is Rung.SHARE:
        deed = shared_deed(asked.campaign_id, asked.member_id, *how)
    words = turn.say(f"ladder.{kind}")
    if await keep_deed(turn.connection, next(turn.ids), deed, turn.moves, now=turn.now):
        following = await words_for(turn.runtime, turn.connection, asked.member_id, turn.owner.locale, now=turn.now)
        words = f"{words} {following}".strip()
    return turn.once(f"ladder.{kind} {asked.campaign_id}", words)
