"""``/api/v1/groups``: the group chats that asks can be posted in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from router import group_list, groups
from router.group_list import GroupView
from router.settings import MAIN
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar

GROUPS: Registry = []
endpoint = registrar(GROUPS)

Tag = Annotated[str, Field(min_length=1, max_length=200)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GroupIn(_In):
    """A group to post in, where no provider tells us of it, or before it does."""

    channel: Annotated[str, Field(min_length=1, max_length=20)]
    account: Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=64)] = MAIN
    """Which of the channel's accounts is let in."""
    address: Annotated[str, Field(min_length=1, max_length=2_000)]
    """Telegram: the chat's number. Slack: the channel's ID. apprise: the name of a target."""
    title: Annotated[str, Field(min_length=1, max_length=200)]
    tags: Annotated[list[Tag], Field(max_length=100)] = []
    """Asks name the groups that they go to by these."""


class GroupAdded(_In):
    """The group's number."""

    id: int


class GroupChange(_In):
    """What is to be different about a group; what is left out stays as it is."""

    title: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    tags: Annotated[list[Tag] | None, Field(max_length=100)] = None
    """All of its tags from now on."""
    locale: Annotated[str | None, Field(max_length=35)] = None
    """The language in which the bot answers there: ``es``, ``pt-BR``."""
    country: Annotated[str | None, Field(pattern=r"^([A-Z]{2})?$")] = None
    place: Annotated[str | None, Field(max_length=200)] = None
    """Where its people are."""
    steward: Annotated[int | None, Field(ge=0, le=LARGEST_INTEGER, strict=True)] = None
    """The member who may quiet us there, in the place of whoever let us in; 0 for nobody."""


class GroupPage(_In):
    """Which groups to list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] = 0
    """The id of the last group of the page before."""


class GroupList(_In):
    """Groups in the order in which they came."""

    groups: list[GroupView]


@endpoint(
    "POST",
    "/api/v1/groups",
    access=Scope.MEMBERS_WRITE,
    body=GroupIn,
    reply=GroupAdded,
    status=201,
    summary="Enter a group that asks can be posted in",
)
async def add_group(call: Call, body: GroupIn) -> GroupAdded:
    number = await groups.add_group(
        call.runtime,
        channel=body.channel,
        account=body.account,
        value=body.address,
        title=body.title,
        tags=body.tags,
        by=call.by,
        now=call.now,
    )
    return GroupAdded(id=number)


@endpoint(
    "GET",
    "/api/v1/groups",
    access=Scope.CAMPAIGNS_READ,
    query=GroupPage,
    reply=GroupList,
    summary="List groups and the tags by which asks name them",
)
async def list_groups(call: Call, query: GroupPage) -> GroupList:
    return GroupList(groups=await group_list.list_groups(call.runtime, limit=query.limit, after=query.after))


@endpoint(
    "PATCH",
    "/api/v1/groups/{id:[0-9]{1,18}}",
    access=Scope.MEMBERS_WRITE,
    body=GroupChange,
    reply=GroupView,
    summary="Change what a group, also one that a provider told us of, is called, its tags, language, place, steward",
)
async def change_group(call: Call, body: GroupChange) -> GroupView:
    await groups.change_group(
        call.runtime, call.id, title=body.title, tags=body.tags, locale=body.locale, country=body.country,
        place=body.place, by=call.by, now=call.now,
    )  # fmt: skip
    if body.steward is not None:
        await groups.change_steward(call.runtime, call.id, body.steward or None, by=call.by, now=call.now)
    [group] = await group_list.list_groups(call.runtime, limit=1, after=call.id - 1)
    return group
