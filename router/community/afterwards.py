"""After a blast: who acted, who was not reached, whom to invite next, what is owed; and the list of people to ring up.

Reading a list of callees changes nothing. What came of the calls is told by `router.community.phoning`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.rungs import NextGroup, next_steps
from router.core.ask import Ask
from router.core.data import data_folder
from router.core.errors import NotAllowed, NotFound
from router.core.model import AskKind, CampaignStatus, Member
from router.core.phoning import PHONE_CHANNELS
from router.letters import renderer_of
from router.records.report import csv_line
from router.runtime import Runtime
from router.store.campaigns import CampaignRow, lock_campaign, read_ask
from router.store.debts import count_acted
from router.store.months import check_kept
from router.store.tables import campaign, to_ms
from router.store.unreached import Callee, count_callees, count_unreached, read_callees

MOST_CALLEES = 5_000
"""On one list: it is for people with telephones. More are read branch by branch."""

_BEFORE = (CampaignStatus.DRAFT, CampaignStatus.APPROVED, CampaignStatus.SCHEDULED)


class NotReached(BaseModel):
    """People whom it did not reach. Each counts once, for the first of these that is true."""

    model_config = ConfigDict(frozen=True)

    people: int
    failed: int
    """Its provider or their phone would not take it."""
    unknown: int
    """Nobody could find out whether it reached them."""
    expired: int
    """It could not leave in time."""
    held: int
    """It had no way to them. Whoever wants less of us is not among them."""
    to_call: int
    """Of all these, who agreed to hear from us on a telephone that works, and never said STOP."""


class ReportOwed(BaseModel):
    """The report-back that those who acted are owed."""

    model_config = ConfigDict(frozen=True)

    state: str
    """``nobody acted``, ``owed``, ``overdue`` or ``paid``."""
    due_at: datetime | None
    how: str
    """What to do about it; "" where there is nothing to do."""


class Afterwards(BaseModel):
    """Where a blast leads."""

    model_config = ConfigDict(frozen=True)

    campaign_id: int
    title: str
    acted: int
    not_reached: NotReached
    call_list: dict[str, int]
    """branch or building → how many people to ring up."""
    invite_next: list[NextGroup]
    report_back: ReportOwed


@dataclass(frozen=True, slots=True)
class CallList:
    """People to ring up, group by group, each with what to say."""

    campaign_id: int
    title: str
    by: str
    people: Sequence[tuple[Callee, str]]
    total: int
    """How many there are; more than `people` where the list was cut."""


async def afterwards(runtime: Runtime, campaign_id: int, *, by: str = "place", now: datetime) -> Afterwards:
    """What to do after a blast. `by` is how callees are grouped: ``place``, or the name of a free attribute.

    Raises `NotFound`, `NotAllowed` before it has begun.
    """
    async with runtime.store.read() as connection:
        row = await _begun(connection, campaign_id)
        title, due_at, reported_at = (
            await connection.execute(
                select(campaign.c.title, campaign.c.report_due_at, campaign.c.reported_at).where(
                    campaign.c.id == campaign_id
                )
            )
        ).one()
        acted = await count_acted(connection, campaign_id)
        missed = await count_unreached(connection, month=row.month, campaign_id=campaign_id)
        groups = await count_callees(connection, month=row.month, campaign_id=campaign_id, by=by, now=to_ms(now))
    invited = await next_steps(runtime, campaign_id, now=now)
    return Afterwards(
        campaign_id=campaign_id,
        title=title,
        acted=acted,
        not_reached=NotReached(
            people=sum(missed),
            failed=missed.failed,
            unknown=missed.unsettled,
            expired=missed.expired,
            held=missed.held,
            to_call=sum(groups.values()),
        ),
        call_list=groups,
        invite_next=invited.groups,
        report_back=owed_of(row, acted, due_at, reported_at, now),
    )


def owed_of(
    row: CampaignRow, acted: int, due_at: datetime | None, reported_at: datetime | None, now: datetime
) -> ReportOwed:
    """What those who acted on a campaign are owed: `acted` of them, due and reported at these moments."""
    if not acted or row.kind is not AskKind.ASK:
        return ReportOwed(state="nobody acted", due_at=None, how="")
    if reported_at is not None:
        return ReportOwed(state="paid", due_at=None, how="")
    overdue = due_at is not None and due_at <= now
    how = (
        f"tell them what came of it: outreach report-back {row.id} FILE, or POST /api/v1/campaigns/{row.id}/report-back"
    )
    return ReportOwed(state="overdue" if overdue else "owed", due_at=due_at, how=how)


async def call_list(
    runtime: Runtime,
    campaign_id: int,
    *,
    by: str = "place",
    only: str | None = None,
    script: str = "",
    limit: int = MOST_CALLEES,
    now: datetime,
) -> CallList:
    """Whom to ring up and what to say: `script`, which is the organizer's own, and the ask in their language.

    With `only` the people of one group. Raises `NotFound`, `NotAllowed`.
    """
    async with runtime.store.read() as connection:
        row = await _begun(connection, campaign_id)
        ask = await read_ask(connection, campaign_id, row.text_version)
        groups = await count_callees(connection, month=row.month, campaign_id=campaign_id, by=by, now=to_ms(now))
        people = await read_callees(
            connection,
            month=row.month,
            campaign_id=campaign_id,
            by=by,
            only=only,
            limit=min(limit, MOST_CALLEES),
            now=to_ms(now),
        )
    total = sum(groups.values()) if only is None else groups.get(only, 0)
    words = _Script(runtime, ask, script)
    return CallList(campaign_id, ask.title, by, [(one, words.for_(one)) for one in people], total)


async def _begun(connection: AsyncConnection, campaign_id: int) -> CampaignRow:
    row = await lock_campaign(connection, campaign_id)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}")
    if row.status in _BEFORE:
        raise NotAllowed(f"this campaign is {row.status.value}; there is nothing to look back on before it has begun")
    await check_kept(connection, row)
    return row


class _Script:
    """What a caller says: the organizer's words, then the ask as this person would have read it."""

    def __init__(self, runtime: Runtime, ask: Ask, script: str) -> None:
        self._renderer = renderer_of(runtime, ask)
        self._link = ask.link
        self._script = script.strip()
        names = [*PHONE_CHANNELS, *sorted(runtime.specs)]
        self._channel = next(name for name in names if ask.words(ask.default_locale, name) is not None)
        self._spec = runtime.specs[self._channel]

    def for_(self, one: Callee) -> str:
        person = Member(
            id=one.member_id, first_name=one.first_name, last_name=one.last_name, locale=one.locale, place=one.group
        )
        # A caller reads it out, so the links are the public one and not the member's own.
        link = self._link
        said = self._renderer.render(
            person, self._channel, self._spec, link=link, unsubscribe_url="", forward=link
        ).text
        return "\n".join(part for part in (self._script, said.strip()) if part)


def as_csv(found: CallList) -> bytes:
    """The list as CSV that no spreadsheet runs as formulas; `member` and an empty `result` for what came of it."""
    lines = [csv_line("member", found.by, "first_name", "last_name", "phone", "script", "result")]
    lines += [
        csv_line(one.member_id, one.group, one.first_name, one.last_name, one.phone, said, "")
        for one, said in found.people
    ]
    return b"".join(lines)


_FOLDER = data_folder("templates") / "dashboard"
_pages = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False)
_CSS = (_FOLDER / "call_list.css").read_text("utf-8")

PAGE_CSP = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page carries its style, so that it looks the same when it is saved; nothing else may run or load."""


def as_html(found: CallList) -> str:
    """The list as a page to print: one sheet for each group, boxes to tick."""
    groups: dict[str, list[tuple[Callee, str]]] = {}
    for one, said in found.people:
        groups.setdefault(one.group, []).append((one, said))
    return _pages.get_template("call_list.html").render(found=found, groups=groups, css=_CSS)
