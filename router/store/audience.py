"""An audience filter as a condition on `tables.member`: bound parameters only, for one range of members at a time.

The same filter lets in the same members on SQLite and on PostgreSQL. What follows the database's own locale there
(case, above all) is therefore spelled out: ``lower`` folds ASCII, further letters of the wanted word are replaced.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import ColumnElement, Table, and_, func, literal, literal_column, not_, or_, select, true
from sqlalchemy import Text as SqlText

from router.core.ask import Ask
from router.core.audience import (
    Acted,
    And,
    Everyone,
    Filter,
    HasAttribute,
    HasChannel,
    InGroup,
    InPlace,
    Joined,
    Members,
    Not,
    Or,
    Received,
    Speaks,
    Tagged,
)
from router.core.debt import NOT_ACTING
from router.core.group_names import read_group_names
from router.core.model import AddressState, AskKind, ConsentState, DeliveryStatus
from router.store.tables import action, address, campaign, delivery, group_member, member, member_tag, suppression

WENT_OUT = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ, DeliveryStatus.UNKNOWN)
"""A message that reached its member, or may have."""
FOLDED_LETTERS = 30
"""So many different letters outside ASCII are compared without regard to case; more are not in any town's name."""

Condition = ColumnElement[bool]


def compile_audience(audience: Filter, *, dialect: str) -> Condition:
    """The condition that a row of `tables.member` must meet. Erased members never meet it.

    `dialect` is `Store.dialect`. Meant for ``WHERE member.id BETWEEN … AND … AND condition``.
    """
    return and_(member.c.kind == "person", member.c.erased_at.is_(None), _condition(audience, dialect))


def audience_of(ask: Ask, *, dialect: str) -> Condition:
    """Everybody, and every group's chat, that an ask goes to."""
    people = compile_audience(service_scope(ask), dialect=dialect)
    return or_(people, groups_of(ask, dialect=dialect)) if ask.groups else people


def groups_of(ask: Ask, *, dialect: str) -> Condition:
    """The groups in whose chats an ask is posted."""
    names = read_group_names(ask.groups)
    tagged = _exists(dialect, member, member_tag.c.member_id == member.c.id, member_tag.c.tag.in_(names.tags))
    chosen = true() if names.all else or_(tagged, member.c.id.in_(names.numbers))
    return and_(member.c.kind == "group", member.c.erased_at.is_(None), chosen)


def service_scope(ask: Ask) -> Filter:
    """Whom an ask may reach at most: a service message only those whom it concerns, whatever its audience says."""
    concerned: Filter | None = None
    if ask.about is not None:
        if ask.kind is AskKind.CORRECTION:
            concerned = Received(op="received", campaign=ask.about, versions=list(ask.about_versions) or None)
        elif ask.kind in (
            AskKind.REMINDER,
            AskKind.MOVED,
            AskKind.CANCELLED,
            AskKind.RECEIPT,
            AskKind.REPORT_BACK,
        ):
            concerned = Acted(op="acted", campaign=ask.about)
    if concerned is None:
        return ask.audience
    return concerned if isinstance(ask.audience, Everyone) else And(op="and", of=[ask.audience, concerned])


def _condition(part: Filter, dialect: str) -> Condition:
    match part:
        case Everyone():
            return true()
        case And():
            return and_(*(_condition(inner, dialect) for inner in part.of))
        case Or():
            return or_(*(_condition(inner, dialect) for inner in part.of))
        case Not():
            return not_(_condition(part.of, dialect))
        case Tagged():
            return _exists(
                dialect, member, member_tag.c.member_id == member.c.id, member_tag.c.tag == part.tag.strip().lower()
            )
        case HasAttribute():
            return _attribute(part, dialect)
        case Speaks():
            return _speaks(part.locale.lower(), dialect)
        case Joined():
            return _joined(part)
        case InPlace():
            return _in_place(part, dialect)
        case HasChannel():
            return _has_channel(part.channel, dialect)
        case InGroup():
            own = group_member.c.member_id == member.c.id
            return _exists(dialect, member, own, group_member.c.group_id == part.group)
        case Acted():
            # To open a link or to say NO signs up for nothing; these count only where they are asked for by name.
            of_kind = [action.c.kind == part.kind if part.kind else action.c.kind.not_in(NOT_ACTING)]
            own = action.c.member_id == member.c.id
            return _exists(dialect, member, own, action.c.campaign_id == part.campaign, *of_kind)
        case Received():
            return _received(part, dialect)
        case Members():
            return member.c.id.in_(part.ids)


def _exists(dialect: str, outer: Table, *conditions: Condition) -> Condition:
    """Whether there is a row that fits this row of `outer`, looked up by index for each of the range's members."""
    found = select(literal(1)).where(*conditions).correlate(outer)
    if dialect == "postgresql":
        # Without it PostgreSQL may hash the whole inner table anew for every range, which grows with the movement.
        found = found.offset(literal_column("0"))
    return found.exists()


def _lower(column: ColumnElement[str], dialect: str) -> ColumnElement[str]:
    """ASCII letters in lower case, on both databases: PostgreSQL folds by a locale unless it is told not to."""
    return func.lower(column.collate("C") if dialect == "postgresql" else column)


def _attribute(part: HasAttribute, dialect: str) -> Condition:
    if dialect == "postgresql":
        # Not left NULL where it is missing: NOT of that would keep out members who lack the attribute.
        value = func.coalesce(member.c.attributes.op("->>")(literal(part.name, SqlText())), "")
        return value == part.equals if part.equals is not None else value != ""
    # Not json_extract: its path language cannot name a key with a quotation mark in it.
    entry = func.json_each(member.c.attributes).table_valued("key", "value")
    fits = entry.c.value == part.equals if part.equals is not None else entry.c.value != ""
    return select(literal(1)).select_from(entry).where(entry.c.key == part.name, fits).correlate(member).exists()


def _speaks(locale: str, dialect: str) -> Condition:
    own = _lower(member.c.locale, dialect)
    return or_(own == locale, func.substr(own, 1, len(locale) + 1) == f"{locale}-")


def _joined(part: Joined) -> Condition:
    bounds: list[Condition] = []
    if part.since:
        bounds.append(member.c.joined_at >= _midnight(part.since))
    if part.before:
        bounds.append(member.c.joined_at < _midnight(part.before))
    return and_(*bounds)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _in_place(part: InPlace, dialect: str) -> Condition:
    conditions: list[Condition] = []
    if part.country:
        conditions.append(member.c.country == part.country)
    if part.place:
        wanted = _fold(part.place.strip())
        own: ColumnElement[str] = member.c.place
        for letter in sorted({c for c in wanted if not c.isascii()})[:FOLDED_LETTERS]:
            if len(letter.upper()) == 1 and letter.upper() != letter:
                own = func.replace(own, letter.upper(), letter)
        conditions.append(_lower(own, dialect) == wanted)
    if part.postcode:
        prefix = _fold(part.postcode.replace(" ", ""))
        start = func.substr(func.replace(_lower(member.c.postcode, dialect), " ", ""), 1, len(prefix))
        conditions.append(start == prefix)
    return and_(*conditions)


def _fold(word: str) -> str:
    """Lower case, letter by letter: one that would become two stays as it is."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in word)


def _has_channel(channel: str, dialect: str) -> Condition:
    silenced = _exists(
        dialect, address, suppression.c.address_hash == address.c.hash, suppression.c.channel == address.c.channel
    )
    return _exists(
        dialect,
        member,
        address.c.member_id == member.c.id,
        address.c.channel == channel,
        address.c.state == AddressState.ACTIVE.value,
        address.c.consent == ConsentState.GRANTED.value,
        not_(silenced),
    )


def _received(part: Received, dialect: str) -> Condition:
    own: Condition = delivery.c.member_id == member.c.id
    if dialect == "sqlite":
        # Without it SQLite reads the campaign's whole month, by primary key, for every member.
        own = func.likelihood(own, literal_column("0.000001"))
    conditions = [
        # A delivery is in its campaign's month, with which the index begins.
        delivery.c.month == select(campaign.c.month).where(campaign.c.id == part.campaign).scalar_subquery(),
        own,
        delivery.c.campaign_id == part.campaign,
        delivery.c.status.in_([status.value for status in WENT_OUT]),
    ]
    if part.versions:
        conditions.append(delivery.c.text_version.in_(part.versions))
    if part.variant is not None:
        conditions.append(delivery.c.variant == part.variant)
    return _exists(dialect, member, *conditions)
