"""The open ledger: what each ask was, how many it reached and what came of it, for everybody. Never a person.

Everything is a count of many, at most five minutes old. Asks to few people do not stand here, because among few a
count can tell of one (`OpenPolicy`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import fold
from router.community.giving import say_total
from router.core.ask import ANY_CHANNEL, Ask
from router.core.model import AskKind, CampaignStatus, Member
from router.core.roles import Role
from router.goals import read_progress
from router.letters import renderer_of
from router.runtime import Runtime
from router.store.audience import WENT_OUT
from router.store.debts import count_acted
from router.store.recent import Recent
from router.store.running import read_known_ask
from router.store.spendings import read_spending
from router.store.tables import campaign, organizer, reaction, report_back
from router.store.tallies import read_tally

AT_ONCE = 20
"""Asks on a page."""

_REPORTS = 20
_SENT = (CampaignStatus.RUNNING.value, CampaignStatus.FINISHED.value)


class Report(BaseModel):
    """What people were told came of it."""

    model_config = ConfigDict(frozen=True)

    kind: str
    text: str
    media: str
    at: datetime


class SoFar(BaseModel):
    """How far a goal is, in people or in whole units of a currency."""

    model_config = ConfigDict(frozen=True)

    reached: int
    target: int
    currency: str
    """"" where people are counted."""


class Entry(BaseModel):
    """One ask as anybody may see it."""

    model_config = ConfigDict(frozen=True)

    id: int
    title: str
    kind: AskKind
    status: CampaignStatus
    began_at: datetime
    words: str
    """As somebody reads them of whom nothing is known."""
    locale: str
    """The language of `words`."""
    reached: dict[str, int]
    """channel → messages that arrived, or may have."""
    left_in_peace: int
    """Decisions not to send it to somebody: quiet, budget, no consent."""
    acted: int
    """People who did something because of it."""
    did: dict[str, int]
    """What they did, by kind → how many people."""
    asked_for_silence: int
    approved_by: str
    """A role, never a name; "" where nobody had to."""
    cost: dict[str, float]
    """currency → what its messages cost."""
    goal: str
    """How far its goal is, in words; "" without one."""
    so_far: SoFar | None
    """The same in numbers."""
    reports: list[Report]
    """The newest first."""


_entries: Recent[Entry | None] = Recent(timedelta(minutes=5))


async def list_entries(runtime: Runtime, *, before: int | None = None, now: datetime) -> tuple[list[Entry], int | None]:
    """Asks that went out, the newest first, and the id to go on from; None at the end."""
    query = _public(runtime, now).order_by(campaign.c.id.desc()).limit(AT_ONCE + 1)
    if before is not None:
        query = query.where(campaign.c.id < before)
    async with runtime.store.read() as connection:
        found = [int(number) for (number,) in await connection.execute(query)]
    entries = [await read_entry(runtime, number, now=now) for number in found[:AT_ONCE]]
    return [entry for entry in entries if entry is not None], found[AT_ONCE - 1] if len(found) > AT_ONCE else None


async def read_entry(runtime: Runtime, campaign_id: int, *, now: datetime) -> Entry | None:
    """One ask; None where it did not go out, or to too few."""
    return await _entries.get(runtime.store, campaign_id, lambda: _read(runtime, campaign_id, now), now=now)


def _public(runtime: Runtime, now: datetime) -> Select[Any]:
    """The ids of asks whose undo time is over, to more people than the policy's few."""
    return select(campaign.c.id).where(
        campaign.c.launched_at.is_not(None),
        campaign.c.starts_at <= now,
        campaign.c.recipients > runtime.policy.open.above_people,
        campaign.c.kind != AskKind.REPLY.value,
    )


async def _read(runtime: Runtime, campaign_id: int, now: datetime) -> Entry | None:
    async with runtime.store.read() as connection:
        if await connection.scalar(_public(runtime, now).where(campaign.c.id == campaign_id)) is None:
            return None
        row = (await connection.execute(select(campaign).where(campaign.c.id == campaign_id))).one()
        ask = await read_known_ask(runtime.store, connection, campaign_id, row.text_version)
        reached, peace = await _messages(connection, campaign_id)
        reactions = select(reaction.c.count).where(reaction.c.campaign_id == campaign_id)
        goal, so_far = "", None
        if ask.goal is not None:
            progress = await read_progress(connection, campaign_id, ask.goal)
            goal = say_total(progress, ask.goal.currency, "en")
            so_far = SoFar(reached=progress.reached, target=progress.target, currency=ask.goal.currency)
        words, locale = _words(runtime, ask)
        return Entry(
            id=row.id,
            title=row.title,
            kind=AskKind(row.kind),
            status=CampaignStatus(row.status),
            began_at=row.starts_at,
            words=words,
            locale=locale,
            reached=reached,
            left_in_peace=peace,
            acted=await count_acted(connection, campaign_id),
            did=await _did(connection, campaign_id),
            asked_for_silence=sum((await connection.execute(reactions)).scalars()),
            approved_by=await _role(connection, row),
            cost=await read_spending(connection, campaign_id),
            goal=goal,
            so_far=so_far,
            reports=await _reports(connection, campaign_id),
        )


async def _messages(connection: AsyncConnection, campaign_id: int) -> tuple[dict[str, int], int]:
    """Channel → how many arrived; and how many were not sent for somebody's sake."""
    reached: dict[str, int] = {}
    peace = 0
    for channel, status, _, count in await read_tally(connection, campaign_id):
        if status in WENT_OUT:
            reached[channel] = reached.get(channel, 0) + count
        elif status == "held":
            peace += count
    return reached, peace


async def _did(connection: AsyncConnection, campaign_id: int) -> dict[str, int]:
    """Kind of action → how many people, the most frequent first."""
    rows = await connection.execute(
        text(
            "SELECT kind, count(DISTINCT member_id) AS people FROM action WHERE campaign_id = :id"
            " GROUP BY kind ORDER BY people DESC, kind"
        ),
        {"id": campaign_id},
    )
    return {row.kind: row.people for row in rows}


async def _role(connection: AsyncConnection, row: Row[Any]) -> str:
    """In which role somebody approved it. Whoever is no organizer any more, or used a token, was one of them."""
    if not row.approved_by:
        return ""
    query = select(organizer.c.role).where(organizer.c.name_key == fold(row.approved_by))
    role = await connection.scalar(query)
    return Role(role).value if role else "organizer"


async def _reports(connection: AsyncConnection, campaign_id: int) -> list[Report]:
    """Progress notes, and results once they are being sent."""
    carrier = campaign.alias()
    query = (
        select(report_back.c.kind, report_back.c.text, report_back.c.media, report_back.c.at)
        .outerjoin(carrier, carrier.c.id == report_back.c.sent_as)
        .where(report_back.c.campaign_id == campaign_id)
        .where((report_back.c.kind == "progress") | carrier.c.status.in_(_SENT))
        .order_by(report_back.c.id.desc())
        .limit(_REPORTS)
    )
    return [Report.model_validate(dict(found._mapping)) for found in await connection.execute(query)]


def _words(runtime: Runtime, ask: Ask) -> tuple[str, str]:
    """The ask's text in its own language, addressed to nobody, with no link of anybody's; and that language."""
    locale = ask.default_locale
    texts = ask.texts[locale]
    channel = ANY_CHANNEL if ANY_CHANNEL in texts else next(iter(texts))
    plain = replace(
        next(iter(runtime.specs.values())),
        name=channel, counts_segments=False, subject=False, html=False, media=False, templates=False, buttons=0,
    )  # fmt: skip
    found = renderer_of(runtime, ask).render(
        Member(id=0, locale=locale), channel, plain, link=ask.link, unsubscribe_url=""
    )
    return found.text.strip(), found.locale
