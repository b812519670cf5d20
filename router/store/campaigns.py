"""Campaign rows: read, locked and moved from state to state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.errors import NotFound
from router.core.model import AskKind, CampaignStatus
from router.store.bulk import for_share, for_update, is_sqlite, sql
from router.store.tables import ask_version, audit, campaign, from_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """What the processes need of a campaign, without its words."""

    id: int
    month: int
    kind: AskKind
    status: CampaignStatus
    epoch: int
    text_version: int
    starts_at: datetime | None
    expires_at: datetime | None
    stage: int = 99
    """Batches up to this one may leave."""
    recipients: int = 0
    raised_until: datetime | None = None
    """Until then a second approver has raised the contact budget to its ceiling for it."""
    goal_met_at: datetime | None = None
    """Since then nobody is asked any more."""

    @property
    def is_alive(self) -> bool:
        """Whether something of it may still be sent, now or after a pause."""
        return self.status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED, CampaignStatus.FINISHED)


_TURN, _TURN_SHARED = "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"


async def lock_campaign(
    connection: AsyncConnection, campaign_id: int, *, exclusively: bool = False, in_turn: bool = False
) -> CampaignRow | None:
    """One campaign, held against changes of its state (or for one) until the transaction ends. First lock of all.

    Those who hold it on and on, each with the next before the last lets go, must take it `in_turn`: behind whoever
    waits already to change it. PostgreSQL's row locks know no queue for that, its advisory locks do. The row is locked,
    and read as it is by then, once it is their turn.
    """
    lock = for_update(connection, "c") if exclusively else for_share(connection, "c")
    queue = ""
    if (exclusively or in_turn) and not is_sqlite(connection):
        queue = f"WITH turn AS MATERIALIZED (SELECT {_TURN if exclusively else _TURN_SHARED}(:id)) "
    row = (
        await connection.execute(
            sql(
                f"{queue}SELECT c.id, c.month, c.kind, c.status, c.epoch, c.text_version, c.starts_at, c.expires_at,"
                " c.stage, c.recipients, c.raised_until, c.goal_met_at"
                f" FROM campaign c{', turn' if queue else ''} WHERE c.id = :id{lock}"
            ),
            {"id": campaign_id},
        )
    ).one_or_none()
    if row is None:
        return None
    return CampaignRow(
        id=row.id,
        month=row.month,
        kind=AskKind(row.kind),
        status=CampaignStatus(row.status),
        epoch=row.epoch,
        text_version=row.text_version,
        starts_at=None if row.starts_at is None else from_ms(row.starts_at),
        expires_at=None if row.expires_at is None else from_ms(row.expires_at),
        stage=row.stage,
        recipients=row.recipients,
        raised_until=None if row.raised_until is None else from_ms(row.raised_until),
        goal_met_at=None if row.goal_met_at is None else from_ms(row.goal_met_at),
    )


async def read_ask(connection: AsyncConnection, campaign_id: int, version: int | None = None) -> Ask:
    """The ask of a campaign in this version of its words, the newest where None. Raises `NotFound`."""
    query = select(ask_version.c.document).where(ask_version.c.campaign_id == campaign_id)
    query = (
        query.order_by(ask_version.c.version.desc()).limit(1)
        if version is None
        else query.where(ask_version.c.version == version)
    )
    document = await connection.scalar(query)
    if document is None:
        raise NotFound("there is no such campaign")
    return Ask.model_validate(document)


async def write_ask(
    connection: AsyncConnection, campaign_id: int, version: int, ask: Ask, *, by: str, now: datetime
) -> None:
    """Keep one more version of the words."""
    await connection.execute(
        insert(ask_version).values(
            campaign_id=campaign_id, version=version, document=ask.model_dump(mode="json"), saved_by=by, saved_at=now
        )
    )


async def move_campaign(
    connection: AsyncConnection, campaign_id: int, from_: Collection[CampaignStatus], to: CampaignStatus, **values: Any
) -> bool:
    """Guarded change of state; False where the campaign was in none of the states `from_`. Raises its epoch."""
    result = await connection.execute(
        update(campaign)
        .where(campaign.c.id == campaign_id, campaign.c.status.in_([state.value for state in from_]))
        .values(status=to.value, epoch=campaign.c.epoch + 1, **values)
    )
    return result.rowcount == 1


async def write_audit(
    connection: AsyncConnection,
    number: int,
    *,
    who: str,
    what: str,
    subject: str,
    detail: dict[str, Any],
    now: datetime,
) -> None:
    """Who did what, in the same transaction as the deed."""
    await connection.execute(
        insert(audit).values(id=number, at=now, who=who, what=what, subject=subject, detail=detail)
    )
