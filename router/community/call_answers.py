"""CALL, DONE and what became of a call, by reply."""

from __future__ import annotations

from datetime import UTC

from sqlalchemy import text

from router.community.call_booking import book, try_again
from router.community.call_outcomes import finish, give_up, nobody_answered, note_words
from router.community.call_talk import About, Step, asks, town_of
from router.community.turn import Answer, Turn
from router.core.calling import MOST_WORDS, Where, read_report, read_wish
from router.core.content_render import clean
from router.core.keywords_intent import NO, NONE, POSTCODE, YES
from router.core.ladder import Rung
from router.core.model import CampaignStatus
from router.store.tables import from_ms

_STEPS = frozenset(Step)

_SHORT = 80
"""Characters of a sentence that a word of ours in it may still decide ("it was busy")."""

_ONLY_A_TIME = 12
"""Characters of a message that is hardly more than the time of a call ("yes 15:00")."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    about = await _about(turn)
    if about is None:
        return None
    report = read_report(turn.event.text)
    match _word(turn, about):
        case "done" if report is not None or about.meant.kind == "done":
            return await finish(turn, about, clean(report or "", MOST_WORDS))
        case "busy":
            return await try_again(turn, about)
        case "no_answer":
            return await nobody_answered(turn, about)
        case "no":
            return await give_up(turn, about)
        case "call":
            return await book(turn, about)
    wanted = about.meant.suggestion if about.step == Step.PLACE else ""
    if (about.meant.kind == POSTCODE and about.meant.certain) or wanted == POSTCODE:
        return await book(turn, about, Where("", about.meant.value, await town_of(turn, about.meant.value)))
    if about.step == Step.PLACE and about.meant.kind == NONE and not asks(turn):
        return await book(turn, about, Where(turn.event.text.strip()[:200]))
    if about.step == Step.WORDS and about.meant.kind == NONE and not asks(turn):
        return await note_words(turn, about)
    return None


async def _about(turn: Turn) -> About | None:
    """The call that a message is about: the last ask's, else the one that our own last words were about."""
    step = turn.dialog.step if turn.dialog.step in _STEPS else ""
    if turn.asked is not None and turn.asked.ask.wants is Rung.CALL:
        mine = step if turn.dialog.campaign_id == turn.asked.campaign_id else ""
        return About(
            campaign_id=turn.asked.campaign_id,
            meant=turn.intent,
            cancelled=turn.asked.status is CampaignStatus.CANCELLED,
            over=turn.asked.is_over(turn.now),
            step=mine,
        )
    if not step or turn.event.button:
        return None
    meant = turn.runtime.keywords.classify(turn.event.text, turn.owner.locale, offered=Rung.CALL.words)
    if meant.kind in (YES, NO) or (turn.intent.kind != NONE and turn.intent != meant):
        return None  # the last ask has a better claim to these words
    row = (
        await turn.connection.execute(
            text("SELECT status, expires_at FROM campaign WHERE id = :id"), {"id": turn.dialog.campaign_id}
        )
    ).one_or_none()
    if row is None:
        return None
    cancelled = row.status == CampaignStatus.CANCELLED
    over = cancelled or (row.expires_at is not None and turn.now >= from_ms(row.expires_at))
    return About(campaign_id=turn.dialog.campaign_id, meant=meant, cancelled=cancelled, over=over, step=step)


def _word(turn: Turn, about: About) -> str:
    """Which of the words of a call it is, "" for none. A word in a short sentence counts where we waited for it."""
    meant, said = about.meant, turn.event.text
    if meant.kind in ("done", "busy", "no_answer", "call"):
        return meant.kind
    if meant.kind == YES:
        return "call"
    if meant.kind == NO:
        return "no"
    if meant.kind != NONE or asks(turn):
        return ""
    if meant.suggestion == "done" and read_report(said) is not None:
        return "done"
    if meant.suggestion in ("busy", "no_answer") and about.step and len(said) <= _SHORT:
        return meant.suggestion
    waited_for = meant.suggestion == "call" or about.step == Step.RESULT
    named = len(said) <= (_SHORT if waited_for else _ONLY_A_TIME) and read_wish(said, UTC, turn.now) is not None
    return "call" if named else ""
