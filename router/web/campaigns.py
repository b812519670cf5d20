"""``/api/v1/campaigns``: the functions of `router.launch` and `router.raising`, over HTTP. No rules here."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from router import drafting, launch, preview, raising, views
from router.core.ask import Ask
from router.preview import Preview
from router.views import CampaignView
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Nothing, Registry, registrar

CAMPAIGNS: Registry = []
endpoint = registrar(CAMPAIGNS)

ONE = "/api/v1/campaigns/{id:[0-9]{1,18}}"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CampaignPage(_In):
    """Which campaigns to list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER)] = None
    """The id of the last campaign of the page before."""


class CampaignList(_In):
    """Campaigns, the newest first."""

    campaigns: list[CampaignView]


class LaunchOptions(_In):
    """How to launch."""

    undo_seconds: Annotated[int | None, Field(ge=0, le=3600, strict=True)] = None
    """Nothing leaves for so long; the policy's value where it is left out. A large campaign that its author approved
    alone waits at least the policy's ``alone_undo_seconds``."""


class Destination(_In):
    """Where the campaign's links lead from now on."""

    link: Annotated[str, Field(max_length=2_000, pattern=r"^https?://[^\s]+$")]


class RaiseOptions(_In):
    """Why an urgent ask may reach people above the usual caps, and for how long."""

    reason: Annotated[str, Field(min_length=raising.SHORTEST_REASON, max_length=400)]
    hours: Annotated[int, Field(ge=1, le=raising.LONGEST_HOURS, strict=True)]


class PauseOptions(_In):
    """Why it pauses; the team reads this."""

    reason: Annotated[str, Field(max_length=400)] = ""


@endpoint(
    "POST",
    "/api/v1/campaigns",
    access=Scope.CAMPAIGNS_WRITE,
    body=Ask,
    reply=CampaignView,
    status=201,
    summary="Save an ask as a draft; what cannot work is refused here",
)
async def create_campaign(call: Call, body: Ask) -> CampaignView:
    return await drafting.save_campaign(call.runtime, body, by=call.by, now=call.now)


@endpoint(
    "GET",
    "/api/v1/campaigns",
    access=Scope.CAMPAIGNS_READ,
    query=CampaignPage,
    reply=CampaignList,
    summary="List campaigns, the newest first",
)
async def list_campaigns(call: Call, query: CampaignPage) -> CampaignList:
    return CampaignList(campaigns=await views.list_campaigns(call.runtime, limit=query.limit, before=query.before))


@endpoint("GET", ONE, access=Scope.CAMPAIGNS_READ, reply=CampaignView, summary="One campaign and its counts")
async def get_campaign(call: Call) -> CampaignView:
    return await views.view_campaign(call.runtime, call.id)


@endpoint(
    "PUT",
    ONE + "/ask",
    access=Scope.CAMPAIGNS_WRITE,
    body=Ask,
    reply=CampaignView,
    summary="New words for a draft or a paused campaign",
)
async def edit_campaign(call: Call, body: Ask) -> CampaignView:
    return await drafting.edit_campaign(call.runtime, call.id, body, by=call.by, now=call.now)


@endpoint(
    "PUT",
    ONE + "/link",
    access=Scope.CAMPAIGNS_WRITE,
    body=Destination,
    reply=CampaignView,
    summary="Where the links of this campaign lead, also those that are out already",
)
async def set_link(call: Call, body: Destination) -> CampaignView:
    return await drafting.set_link(call.runtime, call.id, body.link, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/preview",
    access=Scope.CAMPAIGNS_READ,
    body=Nothing,
    reply=Preview,
    summary="What a launch would do now; writes nothing",
)
async def preview_campaign(call: Call, body: Nothing) -> Preview:
    return await preview.preview_campaign(call.runtime, call.id, now=call.now)


@endpoint(
    "POST",
    ONE + "/approve",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Nothing,
    reply=CampaignView,
    summary="Approve a draft, or the changed words of a paused one; a large one takes somebody beside its author",
)
async def approve_campaign(call: Call, body: Nothing) -> CampaignView:
    return await launch.approve_campaign(call.runtime, call.id, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/raise",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=RaiseOptions,
    reply=CampaignView,
    summary="Raise the contact budget to its ceiling for an urgent ask; takes somebody beside its author",
)
async def raise_budget(call: Call, body: RaiseOptions) -> CampaignView:
    return await raising.raise_budget(
        call.runtime, call.id, by=call.by, reason=body.reason, hours=body.hours, now=call.now
    )


@endpoint(
    "POST",
    ONE + "/launch",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=LaunchOptions,
    body_optional=True,
    reply=CampaignView,
    summary="Launch an approved campaign; nothing leaves before the undo time is over",
)
async def launch_campaign(call: Call, body: LaunchOptions) -> CampaignView:
    return await launch.launch_campaign(call.runtime, call.id, by=call.by, now=call.now, undo_seconds=body.undo_seconds)


@endpoint(
    "POST",
    ONE + "/pause",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=PauseOptions,
    body_optional=True,
    reply=CampaignView,
    summary="Stop sending, for now",
)
async def pause_campaign(call: Call, body: PauseOptions) -> CampaignView:
    return await launch.pause_campaign(call.runtime, call.id, by=call.by, reason=body.reason, now=call.now)


@endpoint(
    "POST", ONE + "/resume", access=Scope.CAMPAIGNS_LAUNCH, body=Nothing, reply=CampaignView, summary="Go on sending"
)
async def resume_campaign(call: Call, body: Nothing) -> CampaignView:
    return await launch.resume_campaign(call.runtime, call.id, by=call.by, now=call.now)


@endpoint(
    "POST",
    ONE + "/cancel",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=Nothing,
    reply=CampaignView,
    summary="Withdraw what has not left, for good",
)
async def cancel_campaign(call: Call, body: Nothing) -> CampaignView:
    return await launch.cancel_campaign(call.runtime, call.id, by=call.by, now=call.now)
