"""Ideas as organizers see them: the list, and one with what members and organizers hold of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotFound
from router.runtime import Runtime
from router.store.tables import proposal, proposal_report, proposal_vote


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProposalView(_View):
    """An idea, without who proposed it."""

    number: int
    """What people write: SECOND 7."""
    text: str
    locale: str
    country: str
    place: str
    """Its region, that of its proposer."""
    group_id: int
    """The group in which it was made; 0 for none."""
    status: str
    """``open``, ``held``, ``refused``, ``removed``, ``withdrawn`` or ``done``."""
    stage: str
    """Who was asked last: "" for nobody, ``group``, ``test``, ``region``, ``all``."""
    seconds: int
    reports: int
    """Since organizers last looked."""
    objections: int
    """Seconds against its refusal."""
    rule: str
    """The published rule by which it was refused or removed; of an open one, that whose refusal members lifted."""
    reason: str
    """Why it is held (``reports``, ``crowd``, ``language`` or in words), or what organizers wrote; ``kept`` once they
    have looked."""
    campaign_id: int
    """The ask of its present stage, 0 where there is none."""
    next_at: datetime | None
    """When its next step is looked at."""
    created_at: datetime
    changed_at: datetime


class VoteView(_View):
    """What one organizer holds of an idea."""

    what: str
    """``keep``, ``remove`` or ``refuse``."""
    by: str
    rule: str
    reason: str
    at: datetime


class ReportView(_View):
    """Why a member finds that an idea should not stand; not who."""

    reason: str
    at: datetime


class OneProposal(_View):
    """An idea with what there is to decide about it."""

    proposal: ProposalView
    member_id: int
    """Who proposed it."""
    votes: list[VoteView]
    reported: list[ReportView]


async def list_proposals(
    runtime: Runtime,
    *,
    status: str = "",
    limit: int = 50,
    after: int = 0,
    among: ColumnElement[bool] | None = None,
) -> list[ProposalView]:
    """Ideas by their number, those after number `after`; of one status, and `among` those only, where it is given."""
    query = select(proposal).where(proposal.c.number > after).order_by(proposal.c.number).limit(limit)
    if among is not None:
        query = query.where(among)
    if status:
        query = query.where(proposal.c.status == status)
    async with runtime.store.read() as connection:
        return [_view(row) for row in await connection.execute(query)]


async def read_proposal(runtime: Runtime, number: int) -> OneProposal:
    """One idea by its number. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        return await one_of(connection, number)


async def one_of(connection: AsyncConnection, number: int) -> OneProposal:
    """The same, inside the caller's transaction."""
    row = (await connection.execute(select(proposal).where(proposal.c.number == number))).one_or_none()
    if row is None:
        raise NotFound("there is no such idea")
    votes = select(proposal_vote).where(proposal_vote.c.proposal_id == row.id)
    reports = select(proposal_report).where(proposal_report.c.proposal_id == row.id)
    return OneProposal(
        proposal=_view(row),
        member_id=row.member_id,
        votes=[
            VoteView(**{name: getattr(one, name) for name in VoteView.model_fields})
            for one in await connection.execute(votes.order_by(proposal_vote.c.at, proposal_vote.c.by))
        ],
        reported=[
            ReportView(reason=one.reason, at=one.at)
            for one in await connection.execute(reports.order_by(proposal_report.c.at, proposal_report.c.member_id))
        ],
    )


def _view(row: Row[Any]) -> ProposalView:
    return ProposalView(**{name: getattr(row, name) for name in ProposalView.model_fields})
