"""What an organizer with an audience of their own may see and do: a building captain's part is their building.

A limit is an `Organizer.audience`. Whoever has none sees and writes to everybody.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.audience import And, Everyone, Filter, Members, Or, check_size
from router.core.errors import BadInput, NotFound
from router.office.organizers import Organizer
from router.store.audience import compile_audience
from router.store.tables import member


def within(organizer: Organizer, audience: Filter) -> Filter:
    """An audience, and of it only whom the organizer may write to. What lies within already stays as it is."""
    limit = organizer.audience
    if limit is None or _covers(limit, audience):
        return audience
    return limit if isinstance(audience, Everyone) else And(op="and", of=[limit, audience])


def without(organizer: Organizer, audience: Filter) -> Filter:
    """What an organizer chose themselves: the audience apart from the limit that `within` put before it."""
    if audience == organizer.audience:
        return Everyone()
    match audience:
        case And(of=[first, own]) if first == organizer.audience:
            return own
    return audience


def limited(organizer: Organizer, ask: Ask) -> Ask:
    """An ask as this organizer may save it. Raises `BadInput`, as for posts in groups: others read there as well."""
    if organizer.audience is None:
        return ask
    if ask.groups:
        raise BadInput("reach others than your part of the members; leave them out", place="groups")
    audience = within(organizer, ask.audience)
    try:
        check_size(audience)
    except ValueError as error:
        raise BadInput(f"{error}, your part of the members among them", place="audience") from None
    return ask.model_copy(update={"audience": audience})


def may_see(organizer: Organizer, ask: Ask) -> bool:
    """Whether an ask surely goes to nobody but those whom this organizer may write to."""
    limit = organizer.audience
    return limit is None or (not ask.groups and _covers(limit, ask.audience))


def check_sees(organizer: Organizer, ask: Ask) -> None:
    """Raise `NotFound` for an ask that is for others: that there is one is not for them to know."""
    if not may_see(organizer, ask):
        raise NotFound("there is no such ask among those for your part of the members; an admin can widen your part")


def members_seen(organizer: Organizer, *, dialect: str) -> ColumnElement[bool]:
    """A condition on `tables.member`: whom the organizer may see, list and count. True of everybody without a limit."""
    return true() if organizer.audience is None else compile_audience(organizer.audience, dialect=dialect)


async def sees_member(connection: AsyncConnection, organizer: Organizer, member_id: int, *, dialect: str) -> bool:
    """Whether the organizer may see this member, their history and their conversations."""
    if organizer.audience is None:
        return True
    seen = members_seen(organizer, dialect=dialect)
    return await connection.scalar(select(member.c.id).where(member.c.id == member_id, seen)) is not None


def _covers(limit: Filter, audience: Filter) -> bool:
    """Whether it can be told from the filters alone that the limit lets in everybody whom the audience lets in."""
    if isinstance(limit, Everyone) or limit == audience:
        return True
    if isinstance(limit, And):
        return all(_covers(part, audience) for part in limit.of)
    if isinstance(audience, Or):
        return all(_covers(limit, part) for part in audience.of)
    if isinstance(audience, And):
        return any(_covers(limit, part) for part in audience.of)
    if isinstance(limit, Or):
        return any(_covers(part, audience) for part in limit.of)
    return isinstance(limit, Members) and isinstance(audience, Members) and set(audience.ids) <= set(limit.ids)
