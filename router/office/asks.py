"""Asks as an organizer finds them: the list, those that wait for somebody, and what was done with one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Row, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import fold
from router.core.ask import Ask
from router.core.model import AskKind, CampaignStatus, DeliveryStatus
from router.office.limits import may_see
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.audience import WENT_OUT
from router.store.bulk import in_numbers, numbers
from router.store.tables import ask_version, audit, campaign

_S = CampaignStatus
SHELVES: Mapping[str, tuple[CampaignStatus, ...]] = {
    "": tuple(_S),
    "drafts": (_S.DRAFT,),
    "ready": (_S.APPROVED, _S.SCHEDULED),
    "running": (_S.RUNNING, _S.PAUSED),
    "over": (_S.FINISHED, _S.CANCELLED, _S.REPORTED),
}
"""What the list can be narrowed to."""

_AT_ONCE, _MOST_LOOKS = 100, 10
"""Rows that are read at a time, and how often for one page: somebody may see few of many."""

_MOST_WAITING = 20
_MOST_DEEDS = 200


class AskLine(BaseModel):
    """An ask as a list shows it."""

    model_config = ConfigDict(frozen=True)

    id: int
    title: str
    kind: AskKind
    status: CampaignStatus
    created_by: str
    created_at: datetime
    launched_at: datetime | None
    recipients: int
    """How many its audience had when it was counted last."""
    reached: int
    """Messages that reached somebody, or may have."""


class AskPage(BaseModel):
    """Some asks, the newest first."""

    model_config = ConfigDict(frozen=True)

    asks: list[AskLine]
    next: int | None
    """What to give as `before` for the next page; None where this is the last."""


class Deed(BaseModel):
    """Something that was done with an ask."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    who: str
    what: str
    """``save``, ``edit``, ``approve``, ``launch`` …"""
    detail: dict[str, Any]


async def list_asks(
    runtime: Runtime, organizer: Organizer, *, shelf: str = "", limit: int = 50, before: int | None = None
) -> AskPage:
    """The asks that the organizer may see, of one of the `SHELVES`."""
    found: list[Row[Any]] = []
    states = [status.value for status in SHELVES[shelf]]
    async with runtime.store.read() as connection:
        for _ in range(_MOST_LOOKS):
            older = true() if before is None else campaign.c.id < before
            rows = await _read(connection, campaign.c.status.in_(states), older, limit=_AT_ONCE)
            for row in rows:
                if _sees(organizer, row):
                    found.append(row)
                if len(found) > limit:
                    break
                before = row.id
            if len(found) > limit or len(rows) < _AT_ONCE:
                break
        else:
            return AskPage(asks=await _lines(connection, found), next=before)
        return AskPage(
            asks=await _lines(connection, found[:limit]), next=found[limit - 1].id if len(found) > limit else None
        )


async def asks_to_approve(runtime: Runtime, organizer: Organizer) -> list[AskLine]:
    """The newest asks that nobody approved yet and that are of others."""
    unapproved = campaign.c.approved_by.is_(None), campaign.c.status.in_([_S.DRAFT.value, _S.PAUSED.value])
    async with runtime.store.read() as connection:
        rows = await _read(connection, *unapproved, limit=_AT_ONCE)
        others = [row for row in rows if not _is_by(organizer, row) and _sees(organizer, row)]
        return await _lines(connection, others[:_MOST_WAITING])


async def unfinished_asks(runtime: Runtime, organizer: Organizer) -> list[AskLine]:
    """The newest asks of the organizer's own that nobody launched yet."""
    states = campaign.c.status.in_([_S.DRAFT.value, _S.APPROVED.value])
    async with runtime.store.read() as connection:
        rows = await _read(connection, states, limit=_AT_ONCE)
        own = [row for row in rows if _is_by(organizer, row) and _sees(organizer, row)]
        return await _lines(connection, own[:_MOST_WAITING])


async def asks_seen(runtime: Runtime, organizer: Organizer, campaigns: Collection[int]) -> set[int]:
    """Those of these campaigns that the organizer may see."""
    if organizer.audience is None:
        return set(campaigns)
    async with runtime.store.read() as connection:
        rows = await _read(connection, campaign.c.id.in_(sorted(campaigns)), limit=len(campaigns))
        return {row.id for row in rows if _sees(organizer, row)}


async def running_asks(runtime: Runtime, organizer: Organizer, *, limit: int = 10) -> list[int]:
    """The newest asks that run, pause, or begin at a known time."""
    states = campaign.c.status.in_([_S.SCHEDULED.value, _S.RUNNING.value, _S.PAUSED.value])
    async with runtime.store.read() as connection:
        rows = await _read(connection, states, limit=_AT_ONCE)
    return [row.id for row in rows if _sees(organizer, row)][:limit]


async def anything_launched(runtime: Runtime) -> bool:
    """Whether any ask was ever launched here."""
    query = select(campaign.c.id).where(campaign.c.launched_at.is_not(None)).limit(1)
    async with runtime.store.read() as connection:
        return await connection.scalar(query) is not None


async def deeds_of(runtime: Runtime, campaign_id: int) -> list[Deed]:
    """What was done with a campaign and by whom, the latest first."""
    query = (
        select(audit.c.at, audit.c.who, audit.c.what, audit.c.detail)
        .where(audit.c.subject == str(campaign_id), audit.c.what.like("campaign.%"))
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .limit(_MOST_DEEDS)
    )
    async with runtime.store.read() as connection:
        return [
            Deed(at=at, who=who, what=what.partition(".")[2], detail=detail)
            for at, who, what, detail in await connection.execute(query)
        ]


async def _read(connection: AsyncConnection, *where: ColumnElement[bool], limit: int) -> list[Row[Any]]:
    """Rows of campaigns with their present words, the newest first; the standing one of replies is none."""
    query = (
        select(campaign, ask_version.c.saved_by, ask_version.c.document)
        .join(
            ask_version,
            (ask_version.c.campaign_id == campaign.c.id) & (ask_version.c.version == campaign.c.text_version),
        )
        .where(campaign.c.kind != AskKind.REPLY.value, *where)
        .order_by(campaign.c.id.desc())
        .limit(limit)
    )
    return list((await connection.execute(query)).all())


def _sees(organizer: Organizer, row: Row[Any]) -> bool:
    return organizer.audience is None or may_see(organizer, Ask.model_validate(row.document))


def _is_by(organizer: Organizer, row: Row[Any]) -> bool:
    return fold(organizer.name) in (fold(row.created_by), fold(row.saved_by))


async def _lines(connection: AsyncConnection, rows: Collection[Row[Any]]) -> list[AskLine]:
    counted = await connection.execute(
        text(
            "SELECT campaign_id, status, CAST(sum(count) AS bigint) FROM tally"
            f" WHERE campaign_id {in_numbers(connection, 'ids')} GROUP BY campaign_id, status"
        ),
        {"ids": numbers(connection, [row.id for row in rows])},
    )
    reached: Counter[int] = Counter()
    for number, status, count in counted:
        reached[number] += count if DeliveryStatus(status) in WENT_OUT else 0
    return [
        AskLine(
            id=row.id,
            title=row.title,
            kind=AskKind(row.kind),
            status=CampaignStatus(row.status),
            created_by=row.created_by,
            created_at=row.created_at,
            launched_at=row.launched_at,
            recipients=row.recipients,
            reached=reached[row.id],
        )
        for row in rows
    ]
