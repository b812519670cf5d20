"""What comes after a blast, over HTTP: report-backs and who is owed one, overrides, the people to ring up."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community import afterwards, debts, phoning, report_backs
from router.community.afterwards import MOST_CALLEES, PAGE_CSP, Afterwards, CallList
from router.community.debts import SHORTEST_REASON, Override, OwedReport
from router.community.phoning import MOST_ROWS, CallRow, CallsTold
from router.community.report_backs import PublicReport, ReportBackIn, ReportBackView
from router.web.auth import Open, Scope
from router.web.endpoints import Call, Registry, registrar

REPORT_BACKS: Registry = []
endpoint = registrar(REPORT_BACKS)

ONE = "/api/v1/campaigns/{id:[0-9]{1,18}}"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _List(BaseModel):
    model_config = ConfigDict(frozen=True)


class OwedList(_List):
    """Campaigns that owe a report-back, the longest due first."""

    owed: list[OwedReport]


class ReportBackList(_List):
    """What was reported about a campaign, the newest first."""

    report_backs: list[ReportBackView]


class PublicReports(_List):
    """What the movement tells everybody, the newest first."""

    report_backs: list[PublicReport]


class Overrides(_List):
    """Asks that went to people who were owed a report-back, the newest first."""

    overrides: list[Override]


class OverrideIn(_In):
    """Why an ask goes to people who are owed a report-back."""

    reason: Annotated[str, Field(min_length=SHORTEST_REASON, max_length=400)]
    """Anybody can read it, for good."""


class Grouping(_In):
    """How people are grouped."""

    by: Annotated[str, Field(min_length=1, max_length=100)] = "place"
    """``place`` (their town or branch), or the name of a free attribute (``building``)."""


class CallPage(Grouping):
    """Which people to ring up, and what to say."""

    only: Annotated[str | None, Field(max_length=200)] = None
    """Those of this branch or building alone."""
    script: Annotated[str, Field(max_length=2_000)] = ""
    """What a caller says first; the ask's own text follows."""
    limit: Annotated[int, Field(ge=1, le=MOST_CALLEES)] = MOST_CALLEES


class CallsIn(_In):
    """What came of calls."""

    calls: Annotated[list[CallRow], Field(min_length=1, max_length=MOST_ROWS)]


@endpoint(
    "GET",
    "/api/v1/report-backs",
    access=Scope.CAMPAIGNS_READ,
    reply=OwedList,
    summary="Report-backs that are owed: by which campaign, to how many, by when",
)
async def list_owed(call: Call) -> OwedList:
    return OwedList(owed=await debts.list_owed(call.runtime, now=call.now))


@endpoint(
    "POST",
    ONE + "/report-back",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=ReportBackIn,
    reply=ReportBackView,
    status=201,
    summary="Tell those who acted what came of it (a result is sent), or everybody how it goes (a progress note)",
)
async def write_report_back(call: Call, body: ReportBackIn) -> ReportBackView:
    return await report_backs.write_report_back(call.runtime, call.id, body, by=call.by, now=call.now)


@endpoint(
    "GET",
    ONE + "/report-backs",
    access=Scope.CAMPAIGNS_READ,
    reply=ReportBackList,
    summary="What was reported about a campaign: reached, read, clicks, opt-outs",
)
async def list_report_backs(call: Call) -> ReportBackList:
    return ReportBackList(report_backs=await report_backs.list_report_backs(call.runtime, call.id))


@endpoint(
    "POST",
    ONE + "/debt-override",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=OverrideIn,
    reply=Override,
    status=201,
    summary="Let an ask go to people who are owed a report-back; the reason is public",
)
async def override_debt(call: Call, body: OverrideIn) -> Override:
    return await debts.override_debt(call.runtime, call.id, by=call.by, reason=body.reason, now=call.now)


@endpoint(
    "GET",
    "/open/overrides",
    access=Open.PUBLIC,
    reply=Overrides,
    summary="For everybody: asks that went to people who were owed a report-back, and why",
)
async def list_overrides(call: Call) -> Overrides:
    return Overrides(overrides=await debts.list_overrides(call.runtime))


@endpoint(
    "GET",
    "/open/report-backs",
    access=Open.PUBLIC,
    reply=PublicReports,
    summary="For everybody: what came of what people did",
)
async def list_public(call: Call) -> PublicReports:
    return PublicReports(report_backs=await report_backs.list_public(call.runtime))


@endpoint(
    "GET",
    ONE + "/afterwards",
    access=Scope.CAMPAIGNS_READ,
    query=Grouping,
    reply=Afterwards,
    summary="After a blast: who acted, who was not reached, whom to invite next, what is owed",
)
async def get_afterwards(call: Call, query: Grouping) -> Afterwards:
    return await afterwards.afterwards(call.runtime, call.id, by=query.by, now=call.now)


@endpoint(
    "GET",
    ONE + "/call-list.csv",
    access=Scope.MEMBERS_WRITE,
    query=CallPage,
    reply="text/csv",
    summary="Whom to ring up, as CSV that no spreadsheet runs as formulas",
)
async def call_list_csv(call: Call, query: CallPage) -> web.StreamResponse:
    body = afterwards.as_csv(await _list(call, query))
    headers = {"Content-Disposition": f'attachment; filename="calls-{call.id}.csv"'}
    return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)


@endpoint(
    "GET",
    ONE + "/call-list.html",
    access=Scope.MEMBERS_WRITE,
    query=CallPage,
    reply="text/html",
    summary="Whom to ring up, as a page to print, with boxes to tick",
)
async def call_list_html(call: Call, query: CallPage) -> web.StreamResponse:
    text = afterwards.as_html(await _list(call, query))
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": PAGE_CSP})


@endpoint(
    "POST",
    ONE + "/call-list",
    access=Scope.ACTIONS_WRITE,
    body=CallsIn,
    reply=CallsTold,
    summary="What came of the calls: yes and no are actions, a wrong number is used no more, stop is STOP",
)
async def tell_results(call: Call, body: CallsIn) -> CallsTold:
    return await phoning.tell_results(call.runtime, call.id, body.calls, by=call.by, now=call.now)


async def _list(call: Call, query: CallPage) -> CallList:
    return await afterwards.call_list(
        call.runtime, call.id, by=query.by, only=query.only, script=query.script, limit=query.limit, now=call.now
    )
