"""Raising the contact budget to its ceiling for one urgent ask: a second organizer, a reason, an end (FACTS.md 4.2).

It applies to whom is routed from then on, and to further hops; whoever was held before stays held. What it adds, and
how often one member may be asked above the caps at all, is decided by ``core/budget.py``. It lifts no consent, no STOP,
no legal hours and no pause of the member's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import fold, read_approval, who_of
from router.core.ask import Ask
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import CampaignStatus
from router.runtime import Runtime
from router.store.campaigns import lock_campaign, move_campaign, read_ask, write_audit
from router.views import CampaignView, view_campaign

LONGEST_HOURS = 24
"""It ends by then (FACTS.md 4.2)."""

SHORTEST_REASON = 10
"""Characters; what is shorter tells nobody anything."""

_OVER = (CampaignStatus.FINISHED, CampaignStatus.CANCELLED, CampaignStatus.REPORTED)


async def raise_budget(
    runtime: Runtime, campaign_id: int, *, by: str, reason: str, hours: int, now: datetime
) -> CampaignView:
    """Let an urgent ask reach people above the usual caps for so many hours. Raising it again begins anew.

    Raises `BadInput` for a reason or a time that cannot be, `NotAllowed` where the ask or who asks is not the right
    one, `NotFound`.
    """
    reason = " ".join(reason.split())
    if len(reason) < SHORTEST_REASON:
        raise BadInput(f"say in {SHORTEST_REASON} characters or more why it cannot wait", place="reason")
    if not 1 <= hours <= LONGEST_HOURS:
        raise BadInput(f"give it 1 to {LONGEST_HOURS} hours", place="hours")
    [audit] = await runtime.store.take_ids(1)
    until = now + timedelta(hours=hours)

    async def work(connection: AsyncConnection) -> None:
        row = await lock_campaign(connection, campaign_id, exclusively=True)
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        if row.status in _OVER:
            raise NotAllowed(f"this campaign is {row.status.value}; whoever may write campaigns can save another")
        _check(await read_ask(connection, campaign_id, row.text_version), campaign_id)
        asked = await read_approval(runtime, connection, campaign_id, recipients=row.recipients)
        if fold(by) in asked.authors:
            raise NotAllowed(
                f"{who_of(asked.others)} must raise it, because it takes somebody beside its author:"
                f" outreach raise {campaign_id} --by NAME, or POST /api/v1/campaigns/{campaign_id}/raise"
            )
        values = {"raised_by": by, "raised_reason": reason[:400], "raised_until": until}
        await move_campaign(connection, campaign_id, (row.status,), row.status, **values)
        detail = {"reason": reason[:400], "until": until.isoformat()}
        await write_audit(
            connection, audit, who=by, what="campaign.raise", subject=str(campaign_id), detail=detail, now=now
        )

    await runtime.store.transact(work)
    runtime.signals.wake()
    return await view_campaign(runtime, campaign_id)


def _check(ask: Ask, campaign_id: int) -> None:
    """Only what is urgent and would cost contact budget."""
    if ask.kind.is_service:
        raise NotAllowed(
            f"a {ask.kind.value} costs no contact budget, so there is nothing to raise; launch it as it is"
        )
    if not ask.is_urgent:
        raise NotAllowed(
            "only an urgent ask may raise the contact budget; whoever may write campaigns can make it urgent before"
            f" its launch: urgent = true with a deadline (PUT /api/v1/campaigns/{campaign_id}/ask)"
        )
