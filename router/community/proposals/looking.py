"""An idea as it is found when its next step is due."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.asking import region_of
from router.community.proposals.results import count_results
from router.community.proposals.rows import count_in_group
from router.core.model import CampaignStatus
from router.core.proposal_rules import is_binding
from router.core.proposal_stages import UNKNOWN, AskState, Stage, Stands, route_of
from router.runtime import Runtime
from router.store.tables import campaign, member, proposal

HELD = "its idea waits for two organizers"
"""Why an ask is paused; only such a pause ends by itself."""

_S = CampaignStatus
_STATES = {
    _S.DRAFT: AskState.NEW,
    _S.APPROVED: AskState.NEW,
    _S.FINISHED: AskState.OVER,
    _S.REPORTED: AskState.OVER,
    _S.CANCELLED: AskState.CANCELLED,
}


class Case(NamedTuple):
    """An idea, and the ask of its present stage."""

    about: Row[Any]
    """Its row."""
    stands: Stands
    campaign_status: CampaignStatus | None
    people: int
    """Whom that ask goes to."""


async def look_at(runtime: Runtime, number: int) -> Case:
    """All that the next step of idea `number` depends on."""
    async with runtime.store.read() as connection:
        about = (await connection.execute(select(proposal).where(proposal.c.number == number))).one()
        status, ask, people = await _ask_of(connection, about.campaign_id)
        is_out = ask in (AskState.OUT, AskState.OVER)
        stands = Stands(
            status=about.status,
            stage=Stage(about.stage),
            route=route_of(
                has_group=await _has_group(connection, about.group_id), has_region=region_of(about) is not None
            ),
            group_seconds=await count_in_group(connection, about),
            seconds=about.seconds,
            objections=about.objections,
            is_binding=is_binding(about.rule, runtime.policy.proposals),
            ask=ask,
            since=about.stage_since,
            results=await count_results(connection, about.campaign_id, about.group_id) if is_out else UNKNOWN,
        )
    return Case(about, stands, status, people)


async def _has_group(connection: AsyncConnection, group_id: int) -> bool:
    there = (member.c.id == group_id) & (member.c.kind == "group") & member.c.erased_at.is_(None)
    return bool(group_id) and await connection.scalar(select(member.c.id).where(there)) is not None


async def _ask_of(connection: AsyncConnection, campaign_id: int) -> tuple[CampaignStatus | None, AskState | None, int]:
    if not campaign_id:
        return None, None, 0
    columns = (campaign.c.status, campaign.c.pause_reason, campaign.c.recipients)
    row = (await connection.execute(select(*columns).where(campaign.c.id == campaign_id))).one()
    status = CampaignStatus(row.status)
    rests = status is _S.PAUSED and row.pause_reason == HELD
    return status, AskState.RESTING if rests else _STATES.get(status, AskState.OUT), row.recipients
