"""``/api/v1/members/{id}/preferences``: what a member wishes; and the links by which they join more channels."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.core.ask import LOCALE
from router.core.attention import Dial
from router.core.errors import NotAllowed
from router.core.moments import Moment
from router.door import DAYS, door_link, shut_door
from router.joining import join_links
from router.preferences import Preferences, Wishes, read_preferences, set_preferences
from router.web.auth import Scope
from router.web.endpoints import Call, Registry, registrar

PREFERENCES: Registry = []
endpoint = registrar(PREFERENCES)

ChannelName = Annotated[str, Field(min_length=1, max_length=20)]
Answer = Annotated[bool, Field(strict=True)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PreferencesIn(_In):
    """What is to be different; what is left out stays as it is."""

    order: Annotated[list[ChannelName] | None, Field(max_length=20)] = None
    """The channels that the member ranks, best liked first; an empty list where they do not mind any more."""
    channels: Annotated[dict[ChannelName, Answer], Field(max_length=20)] = {}
    """channel → whether they may be written to there. A yes needs `source` and `wording`, and lifts no STOP."""
    alerts: Annotated[dict[ChannelName, Answer], Field(max_length=20)] = {}
    """channel → whether alerts may come there, at any hour. A yes needs `source` and `wording`."""
    zone: Annotated[str | None, Field(max_length=64)] = None
    """IANA name; quiet hours go by it."""
    locale: Annotated[str | None, Field(pattern=LOCALE, max_length=35)] = None
    dial: Dial | None = None
    paused_until: Moment | None = None
    """No ask before this moment; null ends a pause."""
    source: Annotated[str, Field(max_length=400)] = ""
    """Where they said so: which form, which call."""
    wording: Annotated[str, Field(max_length=10_000)] = ""
    """What they agreed to, word for word."""


class JoinLinksIn(_In):
    """How long the links are to be good."""

    days: Annotated[int, Field(ge=1, le=365, strict=True)] = 7


class JoinLinks(_In):
    """Links for this member only: whoever has one can have an address of their own written to in the member's name."""

    links: dict[str, str]
    """channel → link."""


class DoorIn(_In):
    """How long the link is to be good."""

    days: Annotated[int, Field(ge=1, le=365, strict=True)] = DAYS


class DoorLink(_In):
    """The link to a member's own page, for that member only: whoever has it sees and changes all that is theirs."""

    link: str


@endpoint(
    "GET",
    "/api/v1/members/{id:[0-9]{1,18}}/preferences",
    access=Scope.MEMBERS_WRITE,
    reply=Preferences,
    summary="What a member wishes: channels, alerts, hours, language, how much",
)
async def show_preferences(call: Call) -> Preferences:
    return await read_preferences(call.runtime, call.id)


@endpoint(
    "PATCH",
    "/api/v1/members/{id:[0-9]{1,18}}/preferences",
    access=Scope.MEMBERS_WRITE,
    body=PreferencesIn,
    reply=Preferences,
    summary="Change what a member wishes; what already waits for them follows at once",
)
async def change_preferences(call: Call, body: PreferencesIn) -> Preferences:
    wishes = Wishes(
        order=body.order,
        channels=body.channels,
        alerts=body.alerts,
        zone=body.zone,
        locale=body.locale,
        dial=body.dial,
        paused_until=body.paused_until or (call.now if "paused_until" in body.model_fields_set else None),
        source=body.source,
        wording=body.wording,
    )
    return await set_preferences(call.runtime, call.id, wishes, by=call.by, now=call.now)


@endpoint(
    "POST",
    "/api/v1/members/{id:[0-9]{1,18}}/join-links",
    access=Scope.MEMBERS_WRITE,
    body=JoinLinksIn,
    body_optional=True,
    reply=JoinLinks,
    summary="Make the links by which a member joins notifications or the bot",
)
async def make_join_links(call: Call, body: JoinLinksIn) -> JoinLinks:
    links = await join_links(call.runtime, call.id, days=body.days, now=call.now)
    if not links:
        raise NotAllowed("neither webpush nor telegram (with its username) is set up; see docs/connect.md")
    return JoinLinks(links=links)


@endpoint(
    "POST",
    "/api/v1/members/{id:[0-9]{1,18}}/door",
    access=Scope.ADMIN,
    body=DoorIn,
    body_optional=True,
    reply=DoorLink,
    summary="Make the link to a member's own page",
)
async def make_door_link(call: Call, body: DoorIn) -> DoorLink:
    return DoorLink(link=await door_link(call.runtime, call.id, days=body.days, now=call.now))


@endpoint(
    "DELETE",
    "/api/v1/members/{id:[0-9]{1,18}}/door",
    access=Scope.ADMIN,
    status=204,
    summary="Make all links to a member's own page void",
)
async def shut_members_door(call: Call) -> web.StreamResponse:
    await shut_door(call.runtime, call.id, by=call.by, now=call.now)
    return web.Response(status=204)
