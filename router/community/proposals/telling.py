"""What the one who proposed an idea hears of it, in their language, where they wrote from if they can."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import Saying, tell, where_to_write
from router.community.proposals.pages_links import idea_link
from router.community.turn import ask_somebody
from router.core.phrases import say
from router.core.proposal_stages import Results
from router.runtime import Runtime
from router.store.tallies import Moves

REPORT_STEP = "idea_report"
"""Their next words say what came of it (`proposals.report_answers`)."""

REPORT_WITHIN = timedelta(days=14)

_STALE = timedelta(days=3)
"""News that could not be told within so long (quiet hours, a provider that is down) are on the idea's page anyway."""


async def tell_proposer(
    runtime: Runtime,
    connection: AsyncConnection,
    about: Row[Any],
    phrase: str,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
    may_report: bool = False,
    **values: object,
) -> None:
    """Tell them a phrase about their idea, the row `about`; `may_report` asks them to write what came of it.

    ``{organization}``, ``{number}`` and ``{link}`` are filled in. Who can be written to nowhere is passed over. Uses
    three of `ids`.
    """
    to = await where_to_write(connection, about.member_id, prefer=about.address_id)
    if to is None:
        return
    known = await connection.scalar(text("SELECT locale FROM member WHERE id = :id"), {"id": about.member_id})
    locale = str(known or about.locale)
    link = idea_link(runtime, about.number)
    filling = {"organization": runtime.settings.organization, "number": about.number, "link": link, **values}
    words = say(phrase, locale, **filling)
    if may_report:
        words = f"{words} {say('ideas.report', locale, days=REPORT_WITHIN.days)}"
        detail = {"number": about.number}
        await ask_somebody(connection, about.member_id, REPORT_STEP, until=now + REPORT_WITHIN, detail=detail)
    await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now, until=now + _STALE)


def counts_of(results: Results) -> dict[str, object]:
    """What fills a phrase that tells of results."""
    return {"reached": results.reached, "yes": results.yes, "no": results.no}
