"""What the parts of the conversation about events share: which ask it is about, where it stands, an event in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.turn import Dialog, Turn, member_of
from router.core.ask import Ask
from router.core.event_links import guest_token
from router.core.event_replies import neighbourhood
from router.core.event_words import day_and_time
from router.core.ladder import Rung
from router.core.model import CampaignStatus
from router.deeds import Deed, keep_deed
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers, sql
from router.store.running import read_known_ask
from router.store.tables import event, rsvp
from router.store.tallies import Moves


class Step(StrEnum):
    """Where a conversation about events can stand: what we asked last."""

    OFFER = "event.offer"
    """Whether they come to the one that was offered."""
    LIST = "event.list"
    """To which of those that were shown."""
    WHERE = "event.where"
    """For their postcode."""
    SIDE = "event.side"
    """Which of two sides they are."""
    REMINDED = "event.reminded"
    """Nothing; but NO is about the event that they were reminded of."""
    RATING = "event.rating"
    """How it was."""
    INVITED = "host.invited"
    """Whether they host the next one."""
    HOST_SEATS = "host.seats"
    HOST_ADDRESS = "host.address"
    HOST_WHEN = "host.when"


_STEPS = frozenset(step.value for step in Step)

AFTER = "after"
"""In `Dialog.detail`: the delivery of the ask that was their last when the step was asked. One that reached them since
has the word instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The ask that a message is about, where events are its matter."""

    campaign_id: int
    ask: Ask
    over: bool
    """It was withdrawn or its time is past, and nothing of it is to come."""

    @property
    def events_of(self) -> int:
        """The campaign whose events these are: hosts may have been asked by another ask than their guests."""
        return events_of(self.ask, self.campaign_id)

    @property
    def asks_to_host(self) -> bool:
        return self.ask.wants is Rung.HOST

    @property
    def sides(self) -> Sequence[str]:
        """The two sides of its events, or none."""
        return self.ask.gathering.sides if self.ask.gathering else ()


def step_of(turn: Turn) -> Step | None:
    """Where the conversation about events stands with them; None for nowhere."""
    stands, asked = turn.dialog, turn.asked
    if stands.step not in _STEPS:
        return None
    if asked is not None and asked.campaign_id != stands.campaign_id and asked.delivery_id != stands.detail.get(AFTER):
        return None
    return Step(stands.step)


def at_step(turn: Turn, step: Step, campaign_id: int, *, event_id: int = 0, **detail: Any) -> Dialog:
    """The conversation from now on."""
    after = turn.asked.delivery_id if turn.asked else 0
    return Dialog(step=step, campaign_id=campaign_id, event_id=event_id, detail={**detail, AFTER: after})


async def topic_of(turn: Turn) -> Topic | None:
    """What the message is about: where the conversation stands, else the last ask; None where that has no events."""
    connection, asked = turn.connection, turn.asked
    of_asked = (asked.campaign_id, events_of(asked.ask, asked.campaign_id)) if asked else ()
    if step_of(turn) and turn.dialog.campaign_id not in of_asked:
        return await _topic(turn, turn.dialog.campaign_id)
    if asked is None:
        return None
    about_events = asked.ask.gathering is not None or asked.ask.wants in (Rung.ATTEND, Rung.HOST)
    if not about_events and not await _has_events(connection, events_of(asked.ask, asked.campaign_id)):
        return None
    past = asked.ask.deadline is not None and turn.now >= asked.ask.deadline
    ended = past or asked.status is CampaignStatus.CANCELLED
    if not ended and asked.is_over(turn.now):  # the ask is no longer sent, but the evening may be yet to come
        ended = not await open_events(connection, events_of(asked.ask, asked.campaign_id), turn.now, limit=1)
    return Topic(campaign_id=asked.campaign_id, ask=asked.ask, over=ended)


async def _topic(turn: Turn, campaign_id: int) -> Topic | None:
    found = sql("SELECT status, text_version FROM campaign WHERE id = :id")
    row = (await turn.connection.execute(found, {"id": campaign_id})).one_or_none()
    if row is None:
        return None
    ask = await read_known_ask(turn.runtime.store, turn.connection, campaign_id, row.text_version)
    past = ask.deadline is not None and turn.now >= ask.deadline
    return Topic(campaign_id=campaign_id, ask=ask, over=past or row.status == CampaignStatus.CANCELLED.value)


def events_of(ask: Ask, campaign_id: int) -> int:
    """The campaign whose events an ask is about."""
    return (ask.gathering.of if ask.gathering else None) or campaign_id


async def _has_events(connection: AsyncConnection, campaign_id: int) -> bool:
    return await connection.scalar(select(event.c.id).where(event.c.campaign_id == campaign_id).limit(1)) is not None


async def open_events(connection: AsyncConnection, campaign_id: int, now: datetime, *, limit: int) -> list[Row[Any]]:
    """Some of the ask's open events that have not begun, in the order of their numbers."""
    found = await connection.execute(_OPEN, {"campaign": campaign_id, "now": now, "most": limit})
    return list(found.all())


async def event_of(connection: AsyncConnection, event_id: int) -> Row[Any] | None:
    """The row of an event."""
    return (await connection.execute(select(event).where(event.c.id == event_id))).one_or_none()


async def seats_of(
    connection: AsyncConnection, member_id: int, now: datetime, campaign_id: int | None = None
) -> list[Row[Any]]:
    """The events to come where a member has a seat or waits for one, the soonest first, as the event's columns with
    ``seats``, ``stands`` and ``guest_number``."""
    wanted = {"member": member_id, "now": now}
    if campaign_id is None:
        return list((await connection.execute(_SEATS, wanted)).all())
    return list((await connection.execute(_SEATS_THERE, {**wanted, "campaign": campaign_id})).all())


# Built once: SQLAlchemy takes longer over that than the database over running them.
_OPEN = (
    select(event)
    .where(event.c.campaign_id == bindparam("campaign"), event.c.status == "open", event.c.starts_at > bindparam("now"))
    .order_by(event.c.number)
    .limit(bindparam("most"))
)
_SEATS = (
    select(event, rsvp.c.seats, rsvp.c.status.label("stands"), rsvp.c.number.label("guest_number"))
    .select_from(rsvp.join(event, event.c.id == rsvp.c.event_id))
    .where(
        rsvp.c.member_id == bindparam("member"),
        rsvp.c.status.in_(("confirmed", "waiting")),
        event.c.status == "open",
        event.c.starts_at > bindparam("now"),
    )
    .order_by(event.c.starts_at, event.c.id)
)
_SEATS_THERE = _SEATS.where(event.c.campaign_id == bindparam("campaign"))


async def names_of(connection: AsyncConnection, members: Sequence[int]) -> dict[int, str]:
    """The first names of members; who was erased or gave none is missing."""
    found = await connection.execute(
        sql(
            f"SELECT id, first_name FROM member WHERE id {in_numbers(connection, 'ids')} AND erased_at IS NULL"
            " AND first_name <> ''"
        ),
        {"ids": numbers(connection, members)},
    )
    return {row.id: row.first_name for row in found}


async def host_name(runtime: Runtime, connection: AsyncConnection, row: Row[Any]) -> str:
    """Who receives the guests: the host's first name, else the organizers."""
    names = await names_of(connection, [row.host_id]) if row.host_id else {}
    return names.get(row.host_id) or runtime.settings.organization


def in_words(row: Row[Any], locale: str) -> dict[str, object]:
    """What phrases say of an event to everybody: title, area, day and time."""
    return {
        "title": row.title,
        "area": row.area or neighbourhood(row.postcode) or row.title,
        "when": day_and_time(row.starts_at, row.zone, locale),
    }


def page_of(runtime: Runtime, event_id: int) -> str:
    """An event's page for everybody."""
    return f"{runtime.settings.public_url.rstrip('/')}/e/{event_id}"


def own_page_of(runtime: Runtime, event_id: int, member_id: int) -> str:
    """The same as one of its people sees it."""
    return f"{page_of(runtime, event_id)}/{guest_token(runtime.key, event_id, member_id)}"


async def keep(turn: Turn, campaign_id: int, kind: str) -> None:
    """What they answered is an action on the ask, once for each of them."""
    member_id = turn.owner.member_id
    deed = Deed(
        member_id, campaign_id, kind, "button" if turn.event.button else "keyword", f"{campaign_id}:{member_id}:{kind}",
        turn.event.at, turn.channel, turn.owner.address_id,
    )  # fmt: skip
    await keep_once(turn.connection, turn.ids, deed, turn.moves, now=turn.now)


async def keep_once(
    connection: AsyncConnection, ids: Iterator[int], deed: Deed, moves: Moves, *, now: datetime
) -> None:
    """Keep an action, unless the member has one of its kind on that ask, by whatever way."""
    told = sql("SELECT 1 FROM action WHERE campaign_id = :campaign AND member_id = :member AND kind = :kind LIMIT 1")
    values = {"campaign": deed.campaign_id, "member": deed.member_id, "kind": deed.kind}
    if await connection.scalar(told, values) is None:
        await keep_deed(connection, next(ids), deed, moves, now=now)


async def hosted_event(connection: AsyncConnection, member_id: int, campaign_id: int, now: datetime) -> Row[Any] | None:
    """The event to come of an ask that a member hosts; one each, so that a message told twice makes no second."""
    found = await connection.execute(
        select(event)
        .where(
            event.c.host_id == member_id, event.c.campaign_id == campaign_id, event.c.status.in_(("proposed", "open")),
            event.c.starts_at > now,
        )
        .order_by(event.c.id)
        .limit(1)
    )  # fmt: skip
    return found.one_or_none()


async def home_of(turn: Turn) -> tuple[str, str, str]:
    """The country, postcode and place that we know of them, "" for what we do not."""
    row = await member_of(turn.connection, turn.owner.member_id)
    return row.country, row.postcode, row.place
