"""What came of an idea, in the words of who proposed it: drafts of the report-backs to those who said yes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from router.community.proposals.rows import NOTICE
from router.community.proposals.telling import REPORT_STEP
from router.community.report_backs import ReportBackIn, ask_of_report, keep_report
from router.community.turn import Answer, Dialog, Turn
from router.core.errors import BadInput, NotAllowed
from router.core.phrases import LANGUAGES, say
from router.core.proposal_words import literal, title_of
from router.core.proposing import tidy
from router.drafting import check_words, write_draft
from router.store.debts import count_acted
from router.store.notices import notify
from router.store.tables import proposal, proposal_campaign

LONGEST = 1_000
"""Characters, so that a text message carries them with their frame."""


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else: a word that means something, or too few to be a report."""
    if turn.dialog.step != REPORT_STEP or turn.intent.kind != "none":
        return None
    words = tidy(turn.event.text)
    if sum(c.isalnum() for c in words) < turn.runtime.policy.proposals.shortest:
        return None
    if len(words) > LONGEST:
        return Answer(words=turn.say("ideas.report_long", longest=LONGEST))
    number = int(turn.dialog.detail["number"])
    row = (await turn.connection.execute(select(proposal).where(proposal.c.number == number))).one()
    try:
        drafts = await _draft(turn, row, words)
    except BadInput:
        return Answer(words=turn.say("ideas.report_unsendable"))
    if not drafts:
        return None
    await notify(turn.connection, NOTICE, str(number), _notice(number, drafts), now=turn.now)
    return Answer(words=turn.say("ideas.report_taken", number=number), next=Dialog(told=turn.dialog.told))


async def _draft(turn: Turn, row: Row[Any], words: str) -> list[int]:
    """One draft for each of the idea's asks that somebody said yes to; an organizer lets them go."""
    values = {"organization": turn.runtime.settings.organization, "number": row.number, "text": words}
    texts = {language: literal(say("ideas.reported", language, **values)) for language in LANGUAGES}
    own = turn.owner.locale.partition("-")[0].lower()
    body = ReportBackIn(text=words, locale=own if own in LANGUAGES else LANGUAGES[0], texts=texts)
    drafts = []
    for campaign_id in await _acted_on(turn, row.id):
        ask = ask_of_report(body, campaign_id, title_of(row.number, row.text))
        check_words(turn.runtime, ask)
        draft, by = next(turn.ids), f"idea {row.number}"
        try:
            async with turn.connection.begin_nested():
                await write_draft(turn.connection, draft, next(turn.ids), ask, by=by, now=turn.now)
                await keep_report(
                    turn.connection, next(turn.ids), next(turn.ids), campaign_id, body, draft, by=by, now=turn.now
                )
        except NotAllowed:
            continue  # an organizer reported on it already
        drafts.append(draft)
    return drafts


async def _acted_on(turn: Turn, proposal_id: int) -> list[int]:
    asks = select(proposal_campaign.c.campaign_id).where(proposal_campaign.c.proposal_id == proposal_id)
    found = (await turn.connection.execute(asks.order_by(proposal_campaign.c.campaign_id))).scalars().all()
    return [campaign_id for campaign_id in found if await count_acted(turn.connection, campaign_id)]


def _notice(number: int, drafts: list[int]) -> str:
    named = ", ".join(str(draft) for draft in drafts)
    return f"the proposer of idea {number} wrote what came of it: read, approve and launch campaign {named}"
