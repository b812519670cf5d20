"""A campaign's steps from state to state: each checked and written in one transaction, with its audit row.

A refusal says who can do what about it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed, NotFound
from router.core.model import CampaignStatus
from router.runtime import Runtime
from router.store.campaigns import CampaignRow, lock_campaign, move_campaign, write_audit
from router.views import CampaignView, view_campaign

_S = CampaignStatus

Check = Callable[[AsyncConnection, CampaignRow], Awaitable[dict[str, Any]]]
"""What a step of a campaign, whose row is locked, depends on: values to write, or a refusal."""


async def take_step(
    runtime: Runtime,
    campaign_id: int,
    what: str,
    moves: Mapping[CampaignStatus, CampaignStatus],
    *,
    by: str,
    now: datetime,
    check: Check | None = None,
    **values: object,
) -> CampaignView:
    """Take a step: from a state that `moves` names to the one it leads to, where `check` has no objection."""
    [audit] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        row = await lock_existing(connection, campaign_id)
        if row.status not in moves:
            raise NotAllowed(wrong_state(row, what, [state for state, to in moves.items() if to is not state]))
        more = await check(connection, row) if check is not None else {}
        await move_campaign(connection, campaign_id, (row.status,), moves[row.status], **values, **more)
        await keep_audit(connection, audit, campaign_id, what, by, now)

    await runtime.store.transact(work)
    runtime.signals.wake()
    return await view_campaign(runtime, campaign_id)


_NEXT: Mapping[CampaignStatus, str] = {
    _S.DRAFT: "an organizer can approve it: outreach approve {id}",
    _S.APPROVED: "an organizer can launch it: outreach launch {id}",
    _S.SCHEDULED: "an organizer can pause or cancel it: outreach pause {id}",
    _S.RUNNING: "an organizer can pause or cancel it: outreach pause {id}",
    _S.PAUSED: "an organizer can resume or cancel it: outreach resume {id}",
    _S.FINISHED: "that is for good; anybody who may write campaigns can save another",
    _S.CANCELLED: "that is for good; anybody who may write campaigns can save another",
    _S.REPORTED: "that is for good; anybody who may write campaigns can save another",
}
"""What can be done with a campaign in a state in which the wish of the moment cannot be granted."""


def wrong_state(row: CampaignRow, what: str, wanted: Sequence[CampaignStatus]) -> str:
    """Why a campaign cannot take this step, and what can be done with it instead."""
    states = " or ".join(state.value for state in wanted)
    next_ = _NEXT[row.status].format(id=row.id)
    return f"this campaign is {row.status.value}; only one that is {states} can {what}; {next_}"


def not_editable(row: CampaignRow) -> str:
    """Why a campaign's words cannot be changed now, and what comes first."""
    is_under_way = row.status in (_S.SCHEDULED, _S.RUNNING)
    next_ = f"pause it, then edit it: outreach pause {row.id}" if is_under_way else _NEXT[row.status].format(id=row.id)
    return f"this campaign is {row.status.value}; {next_}"


async def lock_existing(connection: AsyncConnection, campaign_id: int) -> CampaignRow:
    """The campaign, locked for a change of its state. Raises `NotFound`."""
    row = await lock_campaign(connection, campaign_id, exclusively=True)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    return row


async def keep_audit(
    connection: AsyncConnection, number: int, campaign_id: int, what: str, by: str, now: datetime, **detail: object
) -> None:
    """Who did what to a campaign."""
    await write_audit(
        connection, number, who=by, what=f"campaign.{what}", subject=str(campaign_id), detail=detail, now=now
    )
