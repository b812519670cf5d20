"""Ideas as anybody may read them: never a person, and nothing that waits for organizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.results import count_results
from router.core.catalogue import Translator, gettext_noop, translator
from router.core.event_words import country_name, time_of_day
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
    """The sentence of the published rule that it was refused by, as the policy has it."""
    is_final: bool
    """Whether no objection lifts that refusal."""
    objections: int
    results: Sequence[tuple[str, Results]] = ()
    """Who was asked, in English, and what they said; on an idea's own page only."""


_ASKED: Mapping[Stage, str] = {
    Stage.GROUP: gettext_noop("Its own group"),
    Stage.TEST: gettext_noop("A few people, drawn by lot"),
    Stage.REGION: gettext_noop("Its region"),
    Stage.ALL: gettext_noop("Everybody else"),
}


async def list_ideas(runtime: Runtime, *, before: int = 0, language: str = "en") -> tuple[list[Idea], int]:
    """Ideas, the newest first, those before number `before` where it is given; and where the next page begins, 0 for
    nowhere. Where each stands is said in `language`, one of `core.phrases.LANGUAGES`."""
    query = select(proposal).where(proposal.c.status.in_(PUBLIC)).order_by(proposal.c.number.desc())
    if before:
        query = query.where(proposal.c.number < before)
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query.limit(AT_ONCE + 1))).all()
    shown = rows[:AT_ONCE]
    return [_idea(runtime, row, translator(language)) for row in shown], shown[-1].number if len(rows) > AT_ONCE else 0


async def own_ideas(runtime: Runtime, member_id: int) -> frozenset[int]:
    """The numbers of a member's own ideas that they can still take back."""
    query = select(proposal.c.number).where(
        proposal.c.member_id == member_id, proposal.c.status.in_(("open", "refused"))
    )
    async with runtime.store.read() as connection:
        return frozenset((await connection.execute(query)).scalars())


async def one_idea(runtime: Runtime, number: int, *, language: str = "en") -> Idea | None:
    """One idea with what those said who were asked; None where there is none to be seen."""
    async with runtime.store.read() as connection:
        query = select(proposal).where(proposal.c.number == number, proposal.c.status.in_(PUBLIC))
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return _idea(runtime, row, translator(language))._replace(results=await _results(connection, row))


async def _results(connection: AsyncConnection, row: Row[Any]) -> list[tuple[str, Results]]:
    """Of its asks that are out; a stage that is being asked changes from look to look."""
    query = (
        select(proposal_campaign.c.campaign_id, proposal_campaign.c.stage)
        .where(proposal_campaign.c.proposal_id == row.id)
        .order_by(proposal_campaign.c.campaign_id)
    )
    asks = (await connection.execute(query)).all()
    return [(_ASKED[Stage(ask.stage)], await count_results(connection, ask.campaign_id, row.group_id)) for ask in asks]


def _idea(runtime: Runtime, row: Row[Any], speak: Translator) -> Idea:
    rule = runtime.policy.proposals.rules.get(row.rule) if row.status == "refused" else None
    region = [row.place, country_name(row.country, speak.language) if row.country else ""]
    return Idea(
        number=row.number,
        text=row.text,
        region=", ".join(part for part in region if part),
        seconds=row.seconds,
        status=row.status,
        standing=_standing(row, speak),
        refused_by=rule.sentence if rule else "",
        is_final=rule.binding if rule else False,
        objections=row.objections,
    )


def _standing(row: Row[Any], speak: Translator) -> str:
    stage = Stage(row.stage)
    if row.status == "done":
        everybody = stage is Stage.ALL
        return speak.gettext("Everybody was asked.") if everybody else speak.gettext("It goes no further.")
    if row.status == "refused":
        return speak.gettext("Organizers refused to ask more people.")
    if row.campaign_id:
        return speak.gettext("Being asked now: %(who)s.", who=speak.gettext(_ASKED[stage]))
    if row.stage_since is None:
        return speak.gettext("It gathers seconds.")
    if row.next_at is None:
        return speak.gettext("It goes further on the next day, unless organizers refuse it by a published rule.")
    when = f"{speak.day(row.next_at)}, {time_of_day(row.next_at, 'UTC', speak.language)} UTC"
    return speak.gettext("It goes further on %(when)s, unless organizers refuse it by a published rule.", when=when)
