"""Report-backs: what people's part achieved, written for everybody to read and sent to those who acted.

A progress note stands in public and starts the days of the debt anew. A result is sent as a campaign of its own, by the
same steps as any blast (preview, approval above so many, guard, pacing), to those who acted, on the channel that they
acted on; it costs no budget, and once it has been sent the debt is paid (`store.debts.settle`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.approval import ApprovalMissing
from router.community.debts import reckon_again
from router.core.ask import LOCALE, Ask, AskPicture
from router.core.ask import Text as Words
from router.core.errors import NotAllowed, NotFound
from router.core.model import AskKind, CampaignStatus
from router.drafting import save_campaign
from router.launch import approve_campaign, launch_campaign
from router.runtime import Runtime
from router.steps import keep_audit, lock_existing
from router.store.campaigns import lock_campaign
from router.store.debts import count_acted
from router.store.tables import campaign, report_back
from router.store.tallies import read_tally

_LONGEST = 4_000
"""Characters of a report-back; what is sent must also fit its channel."""

Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in the same transaction; it gets the report-back's number."""


class ReportBackIn(BaseModel):
    """What came of a campaign, as an organizer tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["progress", "result"] = "result"
    """A result is sent to those who acted; a progress note stands in public only and gives you more time."""
    text: Annotated[str, Field(min_length=1, max_length=_LONGEST)]
    """As the public reads it, and in ``locale`` those who acted, unless `texts` has words of their own for them."""
    locale: Annotated[str, Field(pattern=LOCALE)] = "en"
    texts: Annotated[
        dict[Annotated[str, Field(pattern=LOCALE)], Annotated[str, Field(min_length=1, max_length=_LONGEST)]],
        Field(max_length=50),
    ] = {}
    """locale → what those who acted read. ``{{ others }}`` is how many acted beside them, ``{{ my_action }}`` what they
    did, ``{{ my_amount }}`` what they gave."""
    media: Annotated[str, Field(max_length=1_000, pattern=r"^(https://[^\s]+)?$")] = ""
    """A picture (say in `alt` what it shows) or the link to a video or a page, whose clicks are counted."""
    alt: Annotated[str, Field(max_length=400)] = ""
    """What the picture shows, for those who cannot see it; leave it out for a link."""

    @model_validator(mode="after")
    def _fits_together(self) -> ReportBackIn:
        if self.alt and not self.media:
            raise ValueError("alt says what a picture shows; give its address in media")
        if self.kind == "progress" and self.texts:
            raise ValueError("a progress note is not sent, so it has no texts; leave them out, or write a result")
        return self


class ReportBackView(BaseModel):
    """One report-back, and what came of its sending."""

    model_config = ConfigDict(frozen=True)

    id: int
    campaign_id: int
    kind: str
    text: str
    media: str
    at: datetime
    sent_as: int | None
    """The campaign that carries it; None for a progress note."""
    status: CampaignStatus | None
    """How that campaign stands."""
    missing: str
    """What it still takes before it leaves; "" where nothing."""
    reached: int
    """Messages that were sent, of these …"""
    delivered: int
    read: int
    clicks: int
    """People who opened its link."""
    opt_outs: int
    """Who asked for silence after it."""


class PublicReport(BaseModel):
    """One report-back as anybody may read it."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    title: str
    kind: str
    text: str
    media: str
    at: datetime


async def write_report_back(
    runtime: Runtime, campaign_id: int, body: ReportBackIn, *, by: str, now: datetime, along: Along | None = None
) -> ReportBackView:
    """Write a report-back about a campaign; a result is launched, or left as a draft until a second organizer approves.

    `along` is written with it. Raises `NotFound`, `NotAllowed` where there is nobody to report to or it was reported
    already, `BadInput` for words that could not be sent.
    """
    async with runtime.store.read() as connection:
        about = await _about(connection, campaign_id)
        acted = await count_acted(connection, campaign_id)
    if not acted:
        raise NotAllowed("nobody has acted on this campaign, so nobody is owed a report-back; save an ask instead")
    number, audit = await runtime.store.take_ids(2)

    async def keep(connection: AsyncConnection, sent_as: int) -> None:
        if along is not None:
            await along(connection, number)
        await keep_report(connection, number, audit, campaign_id, body, sent_as, by=by, now=now)
        if not sent_as:
            await reckon_again(runtime, connection, campaign_id, now=now)

    if body.kind == "progress":
        await runtime.store.transact(lambda connection: keep(connection, 0))
        return await view_report_back(runtime, number)
    saved = await save_campaign(runtime, ask_of_report(body, campaign_id, about.title), by=by, now=now, along=keep)
    missing = ""
    try:
        await approve_campaign(runtime, saved.id, by=by, now=now)
    except ApprovalMissing as error:
        missing = f"{error}; then outreach launch {saved.id}, or POST /api/v1/campaigns/{saved.id}/launch"
    else:
        await launch_campaign(runtime, saved.id, by=by, now=now)
    view = await view_report_back(runtime, number)
    return view.model_copy(update={"missing": missing})


async def keep_report(
    connection: AsyncConnection,
    number: int,
    audit: int,
    campaign_id: int,
    body: ReportBackIn,
    sent_as: int,
    *,
    by: str,
    now: datetime,
) -> None:
    """The row of a report-back, carried by campaign `sent_as` (0 for a progress note). Raises `NotAllowed` for a
    second result."""
    await lock_existing(connection, campaign_id)
    if sent_as:
        await _refuse_a_second(connection, campaign_id)
    await connection.execute(
        insert(report_back).values(
            id=number,
            campaign_id=campaign_id,
            kind=body.kind,
            text=body.text,
            media=body.media,
            sent_as=sent_as,
            by=by,
            at=now,
        )
    )
    await keep_audit(connection, audit, campaign_id, "report_back", by, now, kind=body.kind)


async def view_report_back(runtime: Runtime, number: int) -> ReportBackView:
    """One report-back with its figures. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        row = (await connection.execute(select(report_back).where(report_back.c.id == number))).one_or_none()
        if row is None:
            raise NotFound(f"there is no report-back {number}")
        return await _view(connection, row)


async def list_report_backs(runtime: Runtime, campaign_id: int) -> list[ReportBackView]:
    """What was reported about a campaign, the newest first. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        if await lock_campaign(connection, campaign_id) is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        query = select(report_back).where(report_back.c.campaign_id == campaign_id).order_by(report_back.c.id.desc())
        rows = (await connection.execute(query.limit(100))).all()
        return [await _view(connection, row) for row in rows]


async def list_public(runtime: Runtime, *, limit: int = 100) -> list[PublicReport]:
    """What the movement tells everybody, the newest first: progress notes, and results once they are being sent."""
    carrier = campaign.alias()
    query = (
        select(
            report_back.c.campaign_id,
            campaign.c.title,
            report_back.c.kind,
            report_back.c.text,
            report_back.c.media,
            report_back.c.at,
        )
        .join(campaign, campaign.c.id == report_back.c.campaign_id)
        .outerjoin(carrier, carrier.c.id == report_back.c.sent_as)
        .where(
            (report_back.c.kind == "progress")
            | carrier.c.status.in_([CampaignStatus.RUNNING.value, CampaignStatus.FINISHED.value])
        )
        .order_by(report_back.c.id.desc())
        .limit(limit)
    )
    async with runtime.store.read() as connection:
        return [PublicReport.model_validate(dict(row._mapping)) for row in await connection.execute(query)]


class _About(BaseModel):
    id: int
    title: str


async def _about(connection: AsyncConnection, campaign_id: int) -> _About:
    row = (
        await connection.execute(
            select(campaign.c.id, campaign.c.title, campaign.c.kind).where(campaign.c.id == campaign_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    if row.kind != AskKind.ASK.value:
        raise NotAllowed(f"a {row.kind} asks for nothing, so it owes no report-back; report on the ask it belongs to")
    return _About(id=row.id, title=row.title)


async def _refuse_a_second(connection: AsyncConnection, campaign_id: int) -> None:
    """It costs no budget, so there is one; another only where the first was cancelled."""
    other = await connection.scalar(
        text(
            "SELECT r.sent_as FROM report_back r JOIN campaign s ON s.id = r.sent_as"
            " WHERE r.campaign_id = :id AND r.kind = 'result' AND s.status <> 'cancelled'"
        ),
        {"id": campaign_id},
    )
    if other is not None:
        raise NotAllowed(
            f"campaign {other} carries its report-back already; cancel that one, or send an ask of kind correction"
            f" about {other} where its words were wrong"
        )


def ask_of_report(body: ReportBackIn, campaign_id: int, title: str) -> Ask:
    """What a result goes out as: to those who acted on that campaign."""
    texts = {body.locale: body.text, **body.texts}
    is_link = bool(body.media and not body.alt)
    return Ask(
        title=title,
        kind=AskKind.REPORT_BACK,
        about=campaign_id,
        texts={locale: {"default": Words(text=_linked(words, is_link))} for locale, words in texts.items()},
        default_locale=body.locale,
        link=body.media if is_link else "",
        picture=AskPicture(url=body.media, alt=body.alt) if body.media and body.alt else None,
    )


def _linked(words: str, is_link: bool) -> str:
    return f"{words}\n{{{{ link }}}}" if is_link and "link" not in words else words


async def _view(connection: AsyncConnection, row: Any) -> ReportBackView:
    counts, status, clicks, opt_outs = Counter[str](), None, 0, 0
    if row.sent_as:
        status = CampaignStatus(
            (await connection.execute(select(campaign.c.status).where(campaign.c.id == row.sent_as))).scalar_one()
        )
        for _, standing, _, count in await read_tally(connection, row.sent_as):
            counts[standing] += count
        ids = {"id": row.sent_as}
        clicks = await connection.scalar(
            text("SELECT count(DISTINCT member_id) FROM action WHERE campaign_id = :id AND kind = 'click'"), ids
        )
        opt_outs = await connection.scalar(
            text("SELECT CAST(sum(count) AS bigint) FROM reaction WHERE campaign_id = :id AND kind = 'opt_out'"), ids
        )
    return ReportBackView(
        id=row.id,
        campaign_id=row.campaign_id,
        kind=row.kind,
        text=row.text,
        media=row.media,
        at=row.at,
        sent_as=row.sent_as or None,
        status=status,
        missing="",
        reached=counts["sent"] + counts["delivered"] + counts["read"],
        delivered=counts["delivered"] + counts["read"],
        read=counts["read"],
        clicks=int(clicks or 0),
        opt_outs=int(opt_outs or 0),
    )
