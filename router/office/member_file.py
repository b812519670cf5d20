"""One member's whole history, as an organizer may see it. Addresses stand in it in full: pages mask them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotFound
from router.core.model import AskKind, DeliveryStatus, Reason
from router.office.asks import asks_seen
from router.office.limits import sees_member
from router.office.organizers import Organizer
from router.runtime import Runtime
from router.store.tables import (
    action,
    address,
    consent,
    event,
    from_ms,
    group_member,
    member,
    member_tag,
    proposal,
    rsvp,
    suppression,
    thread,
)

MOST = 50
"""Lines of one list, the newest first."""


class MessageLine(NamedTuple):
    """A message to them, or the decision not to send one."""

    campaign_id: int
    """0 where the ask is not for the organizer to see."""
    title: str
    channel: str
    status: DeliveryStatus
    reason: Reason | None
    at: datetime | None
    is_answer: bool
    """Whether it answered what they wrote, or told them something: no ask."""


class ActionLine(NamedTuple):
    """Something that they did."""

    kind: str
    at: datetime
    campaign_id: int
    source: str


class MemberFile(NamedTuple):
    """All that we know of a member. Rows are those of the tables."""

    about: Row[Any]
    tags: list[str]
    addresses: list[Row[Any]]
    """Each with ``stopped``: why nobody may write to it, None where nothing is in the way."""
    consents: list[Row[Any]]
    """Each with ``value``: the address, None where it is gone."""
    messages: list[MessageLine]
    actions: list[ActionLine]
    groups: list[Row[Any]]
    seats: list[Row[Any]]
    hosted: list[Row[Any]]
    ideas: list[Row[Any]]
    thread: Row[Any] | None
    """Their conversation with us."""

    @property
    def name(self) -> str:
        """First and last name; their number where we know none."""
        return f"{self.about.first_name} {self.about.last_name}".strip() or f"Member {self.about.id}"


async def read_member_file(runtime: Runtime, organizer: Organizer, member_id: int) -> MemberFile:
    """Raises `NotFound`, also for a member whom the organizer does not see."""
    async with runtime.store.read() as connection:
        about = await _about(connection, organizer, member_id, dialect=runtime.store.dialect)
        sent, acted = await _sent(connection, member_id), await _acted(connection, member_id)
        found = MemberFile(
            about=about,
            tags=list((await connection.execute(_tags(member_id))).scalars()),
            addresses=await _addresses(connection, member_id),
            consents=await _consents(connection, member_id),
            messages=[],
            actions=[],
            groups=await _groups(connection, member_id),
            seats=await _seats(connection, member_id),
            hosted=await _hosted(connection, member_id),
            ideas=await _ideas(connection, member_id),
            thread=(await connection.execute(select(thread).where(thread.c.member_id == member_id))).one_or_none(),
        )
    named = {row.campaign_id for row in [*sent, *acted] if row.campaign_id}
    seen = await asks_seen(runtime, organizer, named) if named else set()
    return found._replace(
        messages=[_message(row, seen) for row in sent],
        actions=[
            ActionLine(row.kind, row.at, row.campaign_id if row.campaign_id in seen else 0, row.source) for row in acted
        ],
    )


async def _about(connection: AsyncConnection, organizer: Organizer, member_id: int, *, dialect: str) -> Row[Any]:
    there = (member.c.id == member_id) & (member.c.kind == "person") & member.c.erased_at.is_(None)
    row = (await connection.execute(select(member).where(there))).one_or_none()
    if row is None or not await sees_member(connection, organizer, member_id, dialect=dialect):
        raise NotFound(f"there is no member {member_id} among those whom you see")
    return row


def _tags(member_id: int) -> Any:
    return select(member_tag.c.tag).where(member_tag.c.member_id == member_id).order_by(member_tag.c.tag)


async def _addresses(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    stops = (suppression.c.address_hash == address.c.hash) & (suppression.c.channel == address.c.channel)
    query = (
        select(address, suppression.c.reason.label("stopped"))
        .outerjoin(suppression, stops)
        .where(address.c.member_id == member_id)
        .order_by(address.c.rank, address.c.channel, address.c.id)
    )
    return await _all(connection, query)


async def _consents(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    same = (
        (address.c.member_id == consent.c.member_id)
        & (address.c.channel == consent.c.channel)
        & (address.c.hash == consent.c.address_hash)
    )
    query = (
        select(consent, address.c.value)
        .outerjoin(address, same)
        .where(consent.c.member_id == member_id)
        .order_by(consent.c.at.desc(), consent.c.id.desc())
        .limit(MOST)
    )
    return await _all(connection, query)


async def _sent(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    # The table is keyed and partitioned by the campaign's month.
    rows = await connection.execute(
        text(
            "SELECT d.campaign_id, c.title, c.kind, d.channel, d.status, d.reason, d.not_before,"
            " coalesce(d.sent_at, d.done_at) AS at FROM delivery d JOIN campaign c ON c.id = d.campaign_id"
            " WHERE d.month IN (SELECT DISTINCT month FROM campaign) AND d.member_id = :member"
            " ORDER BY coalesce(d.sent_at, d.done_at, d.not_before) DESC, d.id DESC LIMIT :most"
        ),
        {"member": member_id, "most": MOST},
    )
    return list(rows.all())


async def _acted(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    query = (
        select(action.c.kind, action.c.at, action.c.campaign_id, action.c.source)
        .where(action.c.member_id == member_id)
        .order_by(action.c.at.desc(), action.c.id.desc())
        .limit(MOST)
    )
    return await _all(connection, query)


async def _groups(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    query = (
        select(member.c.id, member.c.first_name.label("title"))
        .join(group_member, group_member.c.group_id == member.c.id)
        .where(group_member.c.member_id == member_id, member.c.erased_at.is_(None))
        .order_by(member.c.id)
        .limit(MOST)
    )
    return await _all(connection, query)


async def _seats(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    query = (
        select(event.c.id, event.c.title, event.c.starts_at, rsvp.c.status, rsvp.c.seats)
        .join(rsvp, rsvp.c.event_id == event.c.id)
        .where(rsvp.c.member_id == member_id)
        .order_by(event.c.starts_at.desc(), event.c.id)
        .limit(MOST)
    )
    return await _all(connection, query)


async def _hosted(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    columns = (event.c.id, event.c.title, event.c.starts_at, event.c.status)
    query = select(*columns).where(event.c.host_id == member_id).order_by(event.c.starts_at.desc(), event.c.id)
    return await _all(connection, query.limit(MOST))


async def _ideas(connection: AsyncConnection, member_id: int) -> list[Row[Any]]:
    columns = (proposal.c.number, proposal.c.text, proposal.c.status)
    query = select(*columns).where(proposal.c.member_id == member_id).order_by(proposal.c.number.desc())
    return await _all(connection, query.limit(MOST))


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[Row[Any]]:
    return [*(await connection.execute(query)).all()]


def _message(row: Row[Any], seen: set[int]) -> MessageLine:
    is_answer = row.kind == AskKind.REPLY.value
    is_seen = row.campaign_id in seen and not is_answer
    at = row.at if row.at is not None else row.not_before
    return MessageLine(
        campaign_id=row.campaign_id if is_seen else 0,
        title=row.title if is_seen else "",
        channel=row.channel,
        status=DeliveryStatus(row.status),
        reason=Reason(row.reason) if row.reason else None,
        at=from_ms(at) if at else None,
        is_answer=is_answer,
    )
