"""Find members: by the beginning of a name, a whole phone number or mailbox, their number, a tag, a place.

Addresses are looked up by their keyed hash: nobody finds people by a part of one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, TextClause, and_, literal, or_, select, text, true

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

_COLUMNS = (member.c.id, member.c.name_key)
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
    if tag and not exact and not beginning:
        window = _by_tag(tag, after)
    else:
        window = await _by_name(runtime, beginning, after) if beginning else _by_number(exact, after)
        if tag:
            window = window.join(member_tag, and_(member_tag.c.member_id == member.c.id, member_tag.c.tag == tag))
    seen = window.limit(LOOKED_AT).subquery("seen")
    query = (
        select(member)
        .join(seen, seen.c.id == member.c.id)
        .where(
            member.c.kind == "person",
            member.c.erased_at.is_(None),
            compile_audience(InPlace(op="place", place=wanted.place), dialect=dialect) if wanted.place else true(),
            members_seen(organizer, dialect=dialect),
        )
        .order_by(_order(dialect) if beginning else member.c.id)
        .limit(PAGE + 1)
    )
    async with runtime.store.read() as connection:
        rows = (await connection.execute(query)).all()
        lines = [
            MemberLine(row.id, f"{row.first_name} {row.last_name}".strip(), row.place, row.country, row.joined_at)
            for row in rows[:PAGE]
        ]
        if len(rows) > PAGE:
            return MemberPage(lines, lines[-1].id)
        # The last one that was looked at, where there were so many: none where the window ended before.
        last = await connection.scalar(
            window.with_only_columns(window.selected_columns.id).offset(LOOKED_AT - 1).limit(1)
        )
        return MemberPage(lines, last)


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


async def _by_name(runtime: Runtime, beginning: str, after: int) -> Select[Any]:
    """Members whose name begins so, in the order of their names; those behind member `after`."""
    key = member.c.name_key
    dialect = runtime.store.dialect
    bounds: list[ColumnElement[bool]] = [_compare(dialect, ">=", beginning), _compare(dialect, "<", beginning + _LAST)]
    if after:
        async with runtime.store.read() as connection:
            last = await connection.scalar(select(key).where(member.c.id == after)) or ""
        bounds.append(_compare(dialect, ">=", last))
        bounds.append(or_(_compare(dialect, ">", last), member.c.id > after))
    return select(*_COLUMNS).where(*bounds).order_by(_order(dialect))


def _by_number(exact: list[int], after: int) -> Select[Any]:
    """Members in the order in which they came, or only these; those behind member `after`."""
    found = select(*_COLUMNS).where(member.c.id > after).order_by(member.c.id)
    return found.where(member.c.id.in_(exact)) if exact else found


def _by_tag(tag: str, after: int) -> Select[Any]:
    """Those who have a tag, in the order in which they came: the tags' own key has them so."""
    found = select(member_tag.c.member_id.label("id"), literal("").label("name_key"))
    return found.where(member_tag.c.tag == tag, member_tag.c.member_id > after).order_by(member_tag.c.member_id)


def _compare(dialect: str, how: str, value: str) -> ColumnElement[bool]:
    """Of names, byte by byte, as their index has them."""
    column = member.c.name_key
    return column.op(how if dialect == "sqlite" else f"~{how}~", is_comparison=True)(value)


def _order(dialect: str) -> TextClause:
    """By name, byte by byte, and by number where the names are alike."""
    return text(f"member.name_key {'' if dialect == 'sqlite' else 'USING ~<~'}, member.id")
