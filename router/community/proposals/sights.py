"""Ideas as anybody may read them: never a person, and nothing that waits for organizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.results import count_results
from router.core.event_words import country_name
from router.core.proposal_stages import Results, Stage
from router.runtime import Runtime
from router.store.tables import proposal, proposal_campaign

AT_ONCE = 20
"""Ideas on one page."""

PUBLIC = ("open", "refused", "done")


class Idea(NamedTuple):
    """One idea as the public sees it."""

    number: int
    text: str
    region: str
    seconds: int
    status: str
    standing: str
    """Where it stands, in a sentence."""
    refused_by: str
    """The sentence of the published rule that it was refused by."""
    is_final: bool
    """Whether no objection lifts that refusal."""
    objections: int
    results: Sequence[tuple[str, Results]] = ()
    """Who was asked, and what they said; on an idea's own page only."""


_ASKED: Mapping[Stage, str] = {
    Stage.GROUP: "Its own group",
    Stage.TEST: "A few people, drawn by lot",
    Stage.REGION: "Its region",
    Stage.ALL: "Everybody else",
}


async def list_ideas(runtime: Runtime, *, before: int = 0) -> tuple[list[Idea], int]:
    """Ideas, the newest first, those before number `before` where it is given; and where the next page begins, 0 for
    nowhere."""
    query = select(proposal).where(proposal.c.status.in_(PUBLIC)).order_by(proposal.c.number.desc())
    if before:
        query = query.where(proposal.c.number < before)
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query.limit(AT_ONCE + 1))).all()
    shown = rows[:AT_ONCE]
    return [_idea(runtime, row) for row in shown], shown[-1].number if len(rows) > AT_ONCE else 0


async def own_ideas(runtime: Runtime, member_id: int) -> frozenset[int]:
    """The numbers of a member's own ideas that they can still take back."""
    query = select(proposal.c.number).where(
        proposal.c.member_id == member_id, proposal.c.status.in_(("open", "refused"))
    )
    async with runtime.store.read() as connection:
        return frozenset((await connection.execute(query)).scalars())


async def one_idea(runtime: Runtime, number: int) -> Idea | None:
    """One idea with what those said who were asked; None where there is none to be seen."""
    async with runtime.store.read() as connection:
        query = select(proposal).where(proposal.c.number == number, proposal.c.status.in_(PUBLIC))
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return _idea(runtime, row)._replace(results=await _results(connection, row))


async def _results(connection: AsyncConnection, row: Row[Any]) -> list[tuple[str, Results]]:
    """Of its asks that are out; a stage that is being asked changes from look to look."""
    query = (
        select(proposal_campaign.c.campaign_id, proposal_campaign.c.stage)
        .where(proposal_campaign.c.proposal_id == row.id)
        .order_by(proposal_campaign.c.campaign_id)
    )
    asks = (await connection.execute(query)).all()
    return [(_ASKED[Stage(ask.stage)], await count_results(connection, ask.campaign_id, row.group_id)) for ask in asks]


def _idea(runtime: Runtime, row: Row[Any]) -> Idea:
    rule = runtime.policy.proposals.rules.get(row.rule) if row.status == "refused" else None
    region = [row.place, country_name(row.country, "en") if row.country else ""]
    return Idea(
        number=row.number,
        text=row.text,
        region=", ".join(part for part in region if part),
        seconds=row.seconds,
        status=row.status,
        standing=_standing(row),
        refused_by=rule.sentence if rule else "",
        is_final=rule.binding if rule else False,
        objections=row.objections,
    )


def _standing(row: Row[Any]) -> str:
    stage = Stage(row.stage)
    if row.status == "done":
        return "Everybody was asked." if stage is Stage.ALL else "It goes no further."
    if row.status == "refused":
        return "Organizers refused to ask more people."
    if row.campaign_id:
        return f"Being asked now: {_ASKED[stage].lower()}."
    if row.stage_since is not None:
        return f"It goes further on {_day(row.next_at)}, unless organizers refuse it by a published rule."
    return "It gathers seconds."


def _day(at: datetime | None) -> str:
    return f"{at:%-d %B %Y, %H:%M} UTC" if at else "the next day"
