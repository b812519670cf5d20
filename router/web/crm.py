"""``/api/v1/webhooks``: other systems that are told what happens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.core.outgoing import Kind
from router.crm import registry
from router.crm.registry import WebhookEvent, WebhookMade, WebhookView
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar

CRM: Registry = []
endpoint = registrar(CRM)

_ONE = "/api/v1/webhooks/{id:[0-9]{1,18}}"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebhookIn(_In):
    """An address of another system of yours."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    """https only, on the public Internet; redirects are not followed."""
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=len(Kind))] = list(Kind)
    """What it wants to hear of; everything where it is left out."""


class WebhookChange(_In):
    """Close an address, or open it again."""

    active: Annotated[bool, Field(strict=True)]


class EventPage(_In):
    """Which events to list."""

    status: Literal["waiting", "told", "dead"] = "dead"
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    before: Annotated[int, Field(ge=1, le=LARGEST_INTEGER)] = LARGEST_INTEGER
    """The id of the last event of the page before."""


class WebhookList(_In):
    """All addresses."""

    webhooks: list[WebhookView]


class EventList(_In):
    """Events, newest first."""

    events: list[WebhookEvent]


class Replayed(_In):
    """How many dead letters are tried again."""

    events: int


@endpoint(
    "POST",
    "/api/v1/webhooks",
    access=Scope.ADMIN,
    body=WebhookIn,
    reply=WebhookMade,
    status=201,
    summary="Tell an address of another system what happens; the signing secret is shown once",
)
async def add_webhook(call: Call, body: WebhookIn) -> WebhookMade:
    return await registry.add_webhook(call.runtime, body.url, body.kinds, by=call.by, now=call.now)


@endpoint("GET", "/api/v1/webhooks", access=Scope.ADMIN, reply=WebhookList, summary="List the addresses that are told")
async def list_webhooks(call: Call) -> WebhookList:
    return WebhookList(webhooks=await registry.list_webhooks(call.runtime))


@endpoint(
    "PATCH",
    _ONE,
    access=Scope.ADMIN,
    body=WebhookChange,
    reply=WebhookView,
    summary="Close an address, or open it again: what waited is told then",
)
async def change_webhook(call: Call, body: WebhookChange) -> WebhookView:
    return await registry.set_active(call.runtime, call.id, body.active, by=call.by, now=call.now)


@endpoint(
    "GET",
    _ONE + "/events",
    access=Scope.ADMIN,
    query=EventPage,
    reply=EventList,
    summary="What an address could not be told (dead letters), waits for, or was told",
)
async def list_events(call: Call, query: EventPage) -> EventList:
    await registry.view_webhook(call.runtime, call.id)
    return EventList(
        events=await registry.list_events(
            call.runtime, call.id, status=query.status, limit=query.limit, before=query.before
        )
    )


@endpoint(
    "POST", _ONE + "/replay", access=Scope.ADMIN, reply=Replayed, summary="Try all dead letters of an address again"
)
async def replay(call: Call) -> Replayed:
    return Replayed(events=await registry.replay(call.runtime, call.id, by=call.by, now=call.now))
