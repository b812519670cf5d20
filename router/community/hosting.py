"""HOST: how many seats, where, when; then there is an event. In one message or step by step.

What is asked is asked once more where the answer could not be read; after that a person reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from router.community.event_model import EventIn, EventView
from router.community.event_places import EventRefused
from router.community.event_talk import (
    Step,
    Topic,
    at_step,
    hosted_event,
    keep,
    own_page_of,
    page_of,
    step_of,
    topic_of,
)
from router.community.events import create_in
from router.community.host_page import host_page
from router.community.turn import Answer, Dialog, Turn
from router.core.event_replies import (
    MOST_SEATS,
    Hosting,
    bare_number,
    event_number,
    gives_seat_back,
    read_address,
    read_hosting,
    read_seats,
    read_start,
)  # fmt: skip
from router.core.event_words import day_and_time
from router.core.keywords_intent import NO, YES
from router.core.ladder import Rung
from router.core.model import DeliveryRef

_QUESTIONS = {
    Step.HOST_SEATS: "events.host_seats",
    Step.HOST_ADDRESS: "events.host_address",
    Step.HOST_WHEN: "events.host_when",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of the event so far."""

    seats: int | None = None
    address: str = ""
    postcode: str = ""
    starts: str = ""
    """By the clock of its place, ISO 8601."""
    anew: bool = False
    """They were invited to host another one, after an evening that they liked: when is theirs to say."""

    @classmethod
    def of(cls, turn: Turn) -> Draft:
        kept = turn.dialog.detail if step_of(turn) in _QUESTIONS else {}
        return cls(**{name: kept[name] for name in cls.__dataclass_fields__ if name in kept})

    @property
    def kept(self) -> dict[str, Any]:
        return {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}


async def answer(turn: Turn) -> Answer | None:
    """None where the message is about something else."""
    step = step_of(turn)
    said = _read(turn, step)
    if said is None and (step not in _QUESTIONS or _is_about_seats(turn)):
        return None
    topic = await topic_of(turn)
    if topic is None:
        return None
    anew = step is Step.INVITED or Draft.of(turn).anew
    if topic.over and not anew:
        return turn.say_once("conversation.over")
    if (has := await hosted_event(turn.connection, turn.owner.member_id, topic.events_of, turn.now)) is not None:
        return replace(turn.say_once("events.host_already", **_in_words(turn, has)), next=Dialog())
    if said is not None:
        return await _begin(turn, topic, said, anew=anew)
    assert step is not None, "it is one of the questions"
    if turn.intent.kind == NO and turn.intent.certain:
        return Answer(words=turn.say("events.host_stopped"), next=Dialog())
    return await _continue(turn, topic, step)


def _read(turn: Turn, step: Step | None) -> Hosting | None:
    """What they say with HOST, or with the YES or the number that means it; None where they do not offer to host."""
    said = read_hosting(turn.event.text)
    if turn.intent.kind == "host":
        return said or Hosting()
    if said is not None:
        readable = said.seats is not None or not said.address or read_address(said.address, turn.owner.locale)
        return said if readable else None  # else it is a sentence that only begins with that word
    if step is Step.INVITED:
        return Hosting() if turn.intent.kind == YES else None
    if step is None and turn.asked is not None and turn.asked.ask.wants is Rung.HOST:
        seats = turn.intent.guests or bare_number(turn.event.text)
        return Hosting(seats) if turn.intent.kind == YES or seats else None
    return None


def _is_about_seats(turn: Turn) -> bool:
    """Whether they turned to somebody else's event."""
    words = turn.event.text
    return turn.intent.kind == "events" or event_number(words, listed=False) is not None or gives_seat_back(words)


async def _begin(turn: Turn, topic: Topic, said: Hosting, *, anew: bool) -> Answer | None:
    draft = Draft(seats=said.seats if said.seats and 1 <= said.seats <= MOST_SEATS else None, anew=anew)
    if said.address and (found := read_address(said.address, turn.owner.locale)):
        draft = replace(draft, address=found[0], postcode=found[1])
    if turn.intent.kind == YES:
        await keep(turn, topic.campaign_id, YES)
    return await _next(turn, topic, draft)


async def _continue(turn: Turn, topic: Topic, step: Step) -> Answer | None:
    """The answer to what was asked; once more where it cannot be read, and then it is a person's."""
    draft = Draft.of(turn)
    words = turn.event.text
    read: Draft | None = None
    if step is Step.HOST_SEATS:
        seats = turn.intent.guests or read_seats(words)
        read = replace(draft, seats=seats) if seats and 1 <= seats <= MOST_SEATS else None
    elif step is Step.HOST_ADDRESS:
        found = read_address(words, turn.owner.locale)
        read = replace(draft, address=found[0], postcode=found[1]) if found else None
    else:
        starts = read_start(words, today=turn.now.date())
        read = replace(draft, starts=starts.isoformat()) if starts else None
    if read is not None:
        return await _next(turn, topic, read)
    return _once_more(turn, topic, draft, step, turn.say(f"{_QUESTIONS[step]}_again"))


def _once_more(turn: Turn, topic: Topic, draft: Draft, step: Step, words: str) -> Answer | None:
    """Ask the same again; None where that was done already, so that a person helps."""
    if step_of(turn) is step and turn.dialog.detail.get("again"):
        return None
    return Answer(words=words, next=at_step(turn, step, topic.campaign_id, **draft.kept, again=True))


async def _next(turn: Turn, topic: Topic, draft: Draft) -> Answer | None:
    """Ask for what is missing; make the event once nothing is."""
    missing = (
        Step.HOST_SEATS if draft.seats is None
        else Step.HOST_ADDRESS if not draft.address
        else Step.HOST_WHEN if not draft.starts and (topic.ask.gathering is None or draft.anew)
        else None
    )  # fmt: skip
    if missing:
        words = turn.say(_QUESTIONS[missing])
        if not draft.kept and turn.asked is not None:
            ref = DeliveryRef(turn.asked.month, turn.asked.delivery_id)
            words += " " + turn.say("events.host_form", link=host_page(turn.runtime, ref))
        return Answer(words=words, next=at_step(turn, missing, topic.campaign_id, **draft.kept))
    body = EventIn(
        campaign_id=topic.events_of, seats=draft.seats, address=draft.address, postcode=draft.postcode,
        starts_at_local=datetime.fromisoformat(draft.starts) if draft.starts else None,
    )  # fmt: skip
    try:
        made = await create_in(
            turn.connection, turn.runtime, body, number=next(turn.ids), by=f"member {turn.owner.member_id}",
            host_id=turn.owner.member_id, now=turn.now,
        )  # fmt: skip
    except EventRefused as refused:
        return _refused(turn, topic, draft, refused)
    await keep(turn, topic.campaign_id, "host")
    phrase = "events.host_open" if made.status == "open" else "events.host_proposed"
    return Answer(words=turn.say(phrase, **_in_words(turn, made)), next=Dialog())


def _refused(turn: Turn, topic: Topic, draft: Draft, refused: EventRefused) -> Answer | None:
    """Say why it cannot be, and ask for that part again."""
    words = turn.say(refused.phrase, **refused.values)
    if refused.place in ("starts_at", "starts_at_local"):
        if topic.ask.gathering is not None and not draft.anew:
            return turn.say_once("conversation.over")
        return _once_more(turn, topic, replace(draft, starts=""), Step.HOST_WHEN, words)
    return _once_more(turn, topic, replace(draft, address="", postcode=""), Step.HOST_ADDRESS, words)


def _in_words(turn: Turn, row: Row[Any] | EventView) -> dict[str, object]:
    """What is said to a host of their event. Until it is open only they see its page."""
    is_open = row.status == "open"
    link = page_of(turn.runtime, row.id) if is_open else own_page_of(turn.runtime, row.id, turn.owner.member_id)
    when = day_and_time(row.starts_at, row.zone, turn.owner.locale)
    return {"title": row.title, "when": when, "seats": row.capacity, "link": link}
