"""Find members: by the beginning of a name, a whole phone number or mailbox, their number, a tag, a place.

Addresses are looked up by their keyed hash: nobody finds people by a part of one.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, TextClause, and_, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash, normalise
from router.core.audience import InPlace
from router.core.errors import BadAddress
from router.office.limits import members_seen
from router.office.organizers import Organizer
from router.records.ready import name_key
from router.runtime import Runtime
from router.store.audience import compile_audience
from router.store.tables import address, member, member_tag

PAGE = 50
"""Members of one page."""
LOOKED_AT = 10_000
"""Members that one page looks through for those that were asked for: never a million."""

_LAST = "\U0010ffff"


class Wanted(NamedTuple):
    """Whom to look for; what is empty leaves nobody out."""

    who: str = ""
    """The beginning of a name, or a phone number, mailbox, number or external id in full."""
    tag: str = ""
    place: str = ""


class MemberLine(NamedTuple):
    """A member as a list shows them."""

    id: int
    name: str
    place: str
    country: str
    joined_at: datetime


class MemberPage(NamedTuple):
    """Some members, and where to go on."""

    members: list[MemberLine]
    after: int | None
    """The member to go on from; None where there is nobody else."""


async def search_members(runtime: Runtime, organizer: Organizer, wanted: Wanted, *, after: int = 0) -> MemberPage:
    """Whom the organizer may see of those who are wanted, a page at a time: by name where one is looked for."""
    exact = await _find_exactly(runtime, wanted.who)
    beginning = "" if exact or "@" in wanted.who else name_key(wanted.who, "")
    if wanted.who and not exact and not beginning:
        return MemberPage([], None)
    dialect = runtime.store.dialect
    tag = wanted.tag.strip().lower()
    async with runtime.store.read() as connection:
        if beginning:
            within = await _by_name(connection, dialect, beginning, after)
        elif tag and not exact:
            within = await _by_number(connection, member_tag.c.member_id, [member_tag.c.tag == tag], after)
        else:
            within = await _by_number(connection, member.c.id, [member.c.id.in_(exact)] if exact else [], after)
        query = (
            select(member)
            .where(
                *within.bounds,
                member.c.kind == "person",
                member.c.erased_at.is_(None),
                compile_audience(InPlace(op="place", place=wanted.place), dialect=dialect) if wanted.place else true(),
                members_seen(organizer, dialect=dialect),
            )
            .order_by(_order(dialect) if beginning else member.c.id)
            .limit(PAGE + 1)
        )
        if tag:
            query = query.join(member_tag, and_(member_tag.c.member_id == member.c.id, member_tag.c.tag == tag))
        rows = (await connection.execute(query)).all()
    lines = [
        MemberLine(row.id, f"{row.first_name} {row.last_name}".strip(), row.place, row.country, row.joined_at)
        for row in rows[:PAGE]
    ]
    return MemberPage(lines, lines[-1].id if len(rows) > PAGE else within.last)


class _Within(NamedTuple):
    """The `LOOKED_AT` members, or fewer, that one page looks through."""

    bounds: list[ColumnElement[bool]]
    """Where they begin and end. Ends that are values and no further query: PostgreSQL would else read all members."""
    last: int | None
    """The last of them, where there are so many."""


async def _find_exactly(runtime: Runtime, who: str) -> list[int]:
    """Those whose number, external id, phone or mailbox this is."""
    if not who:
        return []
    hashes = []
    for kind in ("phone", "email"):
        try:
            value = normalise(kind, who, runtime.settings.default_region)
        except BadAddress:
            continue
        hashes.append(address_hash(runtime.key, kind, value))
    number = int(who) if who.isascii() and who.isdecimal() and len(who) <= 18 else -1
    named = select(member.c.id).where(member.c.id == number)
    ours = select(member.c.id).where(member.c.external_id == who)
    reached = select(address.c.member_id).where(address.c.hash.in_(hashes)).limit(PAGE)
    async with runtime.store.read() as connection:
        found = {one for query in (named, ours, reached) for one in (await connection.execute(query)).scalars()}
    return sorted(found)


async def _by_name(connection: AsyncConnection, dialect: str, beginning: str, after: int) -> _Within:
    """Members whose name begins so, in the order of their names; those behind member `after`."""
    key = member.c.name_key

    def beyond(how: str, name: str, number: int) -> list[ColumnElement[bool]]:
        """Behind (``>``) or up to (``<``) this name and number."""
        beside = member.c.id > number if how == ">" else member.c.id <= number
        return [_compare(dialect, f"{how}=", name), or_(_compare(dialect, how, name), beside)]

    bounds: list[ColumnElement[bool]] = [_compare(dialect, ">=", beginning), _compare(dialect, "<", beginning + _LAST)]
    if after:
        bounds += beyond(">", await connection.scalar(select(key).where(member.c.id == after)) or "", after)
    nth = select(key, member.c.id).where(*bounds).order_by(_order(dialect)).offset(LOOKED_AT - 1).limit(1)
    last = (await connection.execute(nth)).one_or_none()
    return _Within(bounds, None) if last is None else _Within([*bounds, *beyond("<", *last)], last.id)


async def _by_number(
    connection: AsyncConnection, number: ColumnElement[int], among: list[ColumnElement[bool]], after: int
) -> _Within:
    """Members in the order in which they came, of whom `among` is true, by the index of `number`."""
    nth = select(number).where(number > after, *among).order_by(number).offset(LOOKED_AT - 1).limit(1)
    last = await connection.scalar(nth)
    columns = dict.fromkeys((number, member.c.id))  # PostgreSQL does not conclude from one to the other
    bounds = [*among, *(column > after for column in columns)]
    return _Within(bounds if last is None else [*bounds, *(column <= last for column in columns)], last)


def _compare(dialect: str, how: str, value: str) -> ColumnElement[bool]:
    """Of names, byte by byte, as their index has them."""
    column = member.c.name_key
    return column.op(how if dialect == "sqlite" else f"~{how}~", is_comparison=True)(value)


def _order(dialect: str) -> TextClause:
    """By name, byte by byte, and by number where the names are alike."""
    return text(f"member.name_key {'' if dialect == 'sqlite' else 'USING ~<~'}, member.id")
