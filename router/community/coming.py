"""YES, a number, a postcode, RSVP 3, EVENTS, NO: how people get a seat, change it and give it back.

The order in which a message is read: a seat given back by its own words, an event by its number, then what the reply
means (`core.keywords`). Somebody who has a seat and sends a number changes how many they are; somebody without one
is brought to the nearest event with room.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from router.community.event_talk import (
    Step,
    Topic,
    at_step,
    event_of,
    host_name,
    in_words,
    keep,
    open_events,
    own_page_of,
    seats_of,
    step_of,
    topic_of,
)
from router.community.finding import list_events, offer_nearest, postcode_in
from router.community.seats import SeatStatus, Taken, change_seats, give_seat_back, take_seat
from router.community.turn import Answer, Dialog, Turn
from router.core.event_replies import bare_number, event_number, gives_seat_back
from router.core.keywords_intent import NO, NONE, NUMBER, POSTCODE, YES
from router.core.keywords_values import MOST_GUESTS
from router.store.tables import event

_CHOOSING = (Step.OFFER, Step.LIST, Step.WHERE, Step.SIDE)


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    topic = await topic_of(turn)
    if gives_seat_back(turn.event.text):
        every = await seats_of(turn.connection, turn.owner.member_id, turn.now)
        ours = [row for row in every if topic and row.campaign_id == topic.events_of]
        return await _give_back(turn, topic if ours else None, [*ours, *every])
    mine = await seats_of(turn.connection, turn.owner.member_id, turn.now, topic.events_of if topic else None)
    if topic is None:
        return await _without_an_ask(turn, mine)
    step = step_of(turn)
    number = event_number(turn.event.text, listed=step is Step.LIST)
    kind = turn.intent.kind
    side = side_in(turn, topic)
    wants_list = kind == "events" or turn.event.text.strip(" .!").upper() == "EVENTS"
    guests = _guests(turn)
    postcode = postcode_in(turn, step)
    if topic.over and not mine:
        return turn.say_once("conversation.over") if number or wants_list or postcode or kind in (YES, NO) else None
    if number is not None:
        return await _take_numbered(turn, topic, number)
    if wants_list or (postcode and step is Step.WHERE and turn.dialog.detail.get("list")):
        return await list_events(turn, topic, guests=_party(turn, None), postcode=postcode)
    if kind == NO and mine and step in _CHOOSING:  # no to what was offered; the seat that they have stays theirs
        return replace(await _change(turn, mine[0], None), next=Dialog())
    if kind == NO or guests == 0:
        return await _give_back(turn, topic, mine)
    if guests is not None and not 1 <= guests <= MOST_GUESTS:
        return turn.say_once("events.too_many", most=MOST_GUESTS)
    if postcode:
        await _keep_yes(turn, topic)
        return await offer_nearest(turn, topic, postcode=postcode, guests=_party(turn, guests), side=side)
    if kind == YES or side or (guests is not None and (mine or step in (Step.OFFER, Step.REMINDED))):
        return await _come(turn, topic, mine, guests, side)
    return None


async def _without_an_ask(turn: Turn, mine: list[Row[Any]]) -> Answer | None:
    """NO from somebody who has a seat, but was asked long ago, or at an event that belongs to no ask."""
    reminded = step_of(turn) is Step.REMINDED
    if turn.intent.kind == NO and (reminded or (turn.asked is None and len(mine) == 1)):
        return await _give_back(turn, None, mine)
    return None


async def _come(turn: Turn, topic: Topic, mine: list[Row[Any]], guests: int | None, side: str) -> Answer | None:
    """They come: to what was offered, to the one event that there is, or to the nearest."""
    step = step_of(turn)
    await _keep_yes(turn, topic)
    side = side or turn.dialog.detail.get("side", "")
    if step in (Step.OFFER, Step.SIDE) and (offered := await event_of(turn.connection, turn.dialog.event_id)):
        return await take(turn, topic, offered, guests=_party(turn, guests), side=side)
    if mine:
        has = next((row for row in mine if row.id == turn.dialog.event_id), mine[0])
        return await _change(turn, has, guests)
    there_are = await open_events(turn.connection, topic.events_of, turn.now, limit=2)
    if not there_are:
        return turn.say_once("events.none_yet") if topic.ask.gathering else None
    if len(there_are) == 1:
        return await take(turn, topic, there_are[0], guests=guests or 1, side=side)
    return await offer_nearest(turn, topic, guests=guests or 1, side=side)


async def _take_numbered(turn: Turn, topic: Topic, number: int) -> Answer:
    """``RSVP 3``."""
    wanted = select(event).where(event.c.campaign_id == topic.events_of, event.c.number == number)
    row = (await turn.connection.execute(wanted)).one_or_none() if number < 2**31 else None
    if row is None or row.status in ("proposed", "refused"):
        return turn.say_once("events.no_such_event", number=number)
    await _keep_yes(turn, topic)
    side = turn.dialog.detail.get("side", "") if step_of(turn) else ""
    return await take(turn, topic, row, guests=_party(turn, None), side=side)


async def take(turn: Turn, topic: Topic, row: Row[Any], *, guests: int, side: str) -> Answer:
    """Seats at this event, or a place on its waiting list, and the words for it."""
    if row.two_sided and topic.sides and side not in topic.sides:
        first, second = topic.sides
        return Answer(
            words=turn.say("events.which_side", first=first, second=second),
            next=at_step(turn, Step.SIDE, topic.campaign_id, event_id=row.id, guests=guests),
        )
    taken = await take_seat(
        turn.connection, event_id=row.id, member_id=turn.owner.member_id, seats=guests, side=side,
        channel=turn.channel, address_id=turn.owner.address_id, asked_by=topic.campaign_id, now=turn.now,
    )  # fmt: skip
    return await _say_taken(turn, row, taken, guests)


async def _change(turn: Turn, has: Row[Any], guests: int | None) -> Answer:
    """They have seats already: more or fewer, or the same once more."""
    if guests is None:
        phrase = "events.already" if has.stands == "confirmed" else "events.waiting"
        return turn.say_once(phrase, **in_words(has, turn.owner.locale), seats=has.seats)
    changed = await change_seats(
        turn.connection, event_id=has.id, member_id=turn.owner.member_id, seats=guests, now=turn.now
    )
    return await _say_taken(turn, has, changed, guests)


async def _say_taken(turn: Turn, row: Row[Any], taken: Taken, wanted: int) -> Answer:
    """What came of it, in words. The exact address goes to who has a seat, and to nobody else."""
    words = in_words(row, turn.owner.locale)
    seats = {**words, "seats": taken.seats}
    match taken.status:
        case SeatStatus.CONFIRMED if hasattr(row, "stands") and row.stands == "confirmed":
            return Answer(words=turn.say("events.changed", **seats), next=Dialog())
        case SeatStatus.CONFIRMED:
            return Answer(words=await seat_words(turn, row, taken.seats), next=Dialog())
        case SeatStatus.WAITING:
            return Answer(words=turn.say("events.waiting", **seats), next=Dialog())
        case SeatStatus.UNCHANGED:
            said = turn.say_once("events.already" if taken.stands == "confirmed" else "events.waiting", **seats)
            return replace(said, next=Dialog())
        case SeatStatus.FULL if taken.stands:
            return Answer(words=turn.say("events.kept_as_is", **seats, wanted=wanted))
        case SeatStatus.FULL:
            few = {"title": row.title, "capacity": row.capacity, "seats": wanted}
            ask = turn.asked.campaign_id if turn.asked else row.campaign_id
            return Answer(
                words=turn.say("events.too_small", **few), next=at_step(turn, Step.OFFER, ask, event_id=row.id)
            )
        case SeatStatus.CLOSED | SeatStatus.NONE:
            return replace(turn.say_once("events.closed", title=row.title), next=Dialog())


async def seat_words(turn: Turn, row: Row[Any], seats: int) -> str:
    """What a confirmed guest is told: where exactly, who receives them, their calendar."""
    return turn.say(
        "events.seat",
        **in_words(row, turn.owner.locale),
        seats=seats,
        host=await host_name(turn.runtime, turn.connection, row),
        address=row.address or row.area,
        link=own_page_of(turn.runtime, row.id, turn.owner.member_id),
    )


async def _give_back(turn: Turn, topic: Topic | None, mine: list[Row[Any]]) -> Answer:
    """They do not come; whoever moves up is told by `event_notices`."""
    if topic is not None:
        await keep(turn, topic.campaign_id, NO)
    if not mine:
        return replace(turn.say_once("events.not_coming"), next=Dialog())
    row = next((one for one in mine if one.id == turn.dialog.event_id), mine[0])
    await give_seat_back(turn.connection, event_id=row.id, member_id=turn.owner.member_id, now=turn.now)
    return Answer(words=turn.say("events.given_back", **in_words(row, turn.owner.locale)), next=Dialog())


async def _keep_yes(turn: Turn, topic: Topic) -> None:
    await keep(turn, topic.campaign_id, YES)


def side_in(turn: Turn, topic: Topic) -> str:
    """The side that they say they are, "" where they say none."""
    said = turn.event.text.strip(" .!").upper()
    meant = turn.intent.kind
    return next((side for side in topic.sides if said == side or meant == side.casefold().replace(" ", "_")), "")


def _guests(turn: Turn) -> int | None:
    """How many they will be in all, None where they do not say."""
    if turn.intent.guests is not None and turn.intent.kind == YES:
        return turn.intent.guests
    if turn.intent.value.isdigit() and turn.intent.kind not in (NONE, NUMBER, POSTCODE):
        return int(turn.intent.value)  # "newcomer 2"
    return bare_number(turn.event.text)


def _party(turn: Turn, guests: int | None) -> int:
    """The same, with what they said a message before."""
    kept = turn.dialog.detail.get("guests") if step_of(turn) in _CHOOSING else None
    return guests or int(kept or 1)
