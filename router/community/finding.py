"""Which event is nearest: one is offered, or three are shown with their numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from router.community.event_talk import Step, Topic, at_step, home_of, in_words, open_events, step_of
from router.community.nearby import Near, nearest_events
from router.community.turn import Answer, Turn
from router.core.event_replies import country_of_postcode
from router.core.event_words import country_name, distance
from router.core.keywords_intent import NONE, POSTCODE, YES
from router.store.tables import event

SHOWN = 3
"""Events in a list: what a text message can hold."""


def postcode_in(turn: Turn, step: Step | None) -> str:
    """The postcode that they send, "" for none. Where we are in conversation it need not have been asked for."""
    intent = turn.intent
    given = intent.kind == POSTCODE or (intent.kind == NONE and intent.suggestion == POSTCODE and step is not None)
    with_yes = intent.kind in (YES, "events") and any(sign.isalpha() or len(intent.value) >= 5 for sign in intent.value)
    return intent.value if given or with_yes else ""


async def offer_nearest(turn: Turn, topic: Topic, *, guests: int, side: str, postcode: str = "") -> Answer:
    """The nearest event with room for so many, from `postcode` or from where they live; else the question where."""
    country, near_to, place = await _where(turn, topic, postcode)
    if country is None:
        return await _abroad(turn, topic, near_to)
    if not near_to and not place:
        return _ask_where(turn, topic, guests, side)
    near = await nearest_events(
        turn.connection, campaign_id=topic.events_of, country=country, postcode=near_to, place=place, seats=guests,
        now=turn.now, limit=1,
    )  # fmt: skip
    if near:
        words = _say(turn, "events.offer", near[0])
        step = at_step(turn, Step.OFFER, topic.campaign_id, event_id=near[0].event.id, guests=guests, side=side)
        return Answer(words=words, next=step)
    if not postcode:
        return _ask_where(turn, topic, guests, side)
    asked = at_step(turn, Step.WHERE, topic.campaign_id, guests=guests, side=side)
    return replace(turn.say_once("events.none_near", postcode=near_to), next=asked)


async def list_events(turn: Turn, topic: Topic, *, guests: int, postcode: str = "") -> Answer:
    """The nearest ones with room and their numbers."""
    country, near_to, place = await _where(turn, topic, postcode)
    if country is None:
        return await _abroad(turn, topic, near_to)
    found: list[Near] = []
    if near_to or place:
        found = await nearest_events(
            turn.connection, campaign_id=topic.events_of, country=country, postcode=near_to, place=place,
            seats=guests, now=turn.now, limit=SHOWN,
        )  # fmt: skip
    if not found:
        every = await open_events(turn.connection, topic.events_of, turn.now, limit=SHOWN + 1)
        if len(every) > SHOWN:
            return _ask_where(turn, topic, guests, "", list=True)
        found = [Near(event=row, km=None, seats_left=left) for row in every if (left := _left(row)) >= guests]
    if not found:
        return turn.say_once("events.none_yet")
    lines = [_say(turn, "events.line", near) for near in found]
    lines.append(turn.say("events.list_foot", number=found[0].event.number))
    return Answer(words="\n".join(lines), next=at_step(turn, Step.LIST, topic.campaign_id, **_carried(turn)))


async def _where(turn: Turn, topic: Topic, postcode: str) -> tuple[str | None, str, str]:
    """The country (None: abroad), postcode and place from which to look."""
    country, home, place = await home_of(turn)
    if not postcode:
        return country, home, place
    meant = country_of_postcode(postcode, country, await _countries(turn, topic))
    return meant, postcode, ""


async def _countries(turn: Turn, topic: Topic) -> list[str]:
    """Where the ask's events are."""
    found = await turn.connection.execute(
        select(event.c.country)
        .where(
            event.c.campaign_id == topic.events_of, event.c.status == "open", event.c.starts_at > turn.now,
            event.c.country != "",
        )
        .distinct()
        .order_by(event.c.country)
        .limit(20)
    )  # fmt: skip
    return list(found.scalars())


async def _abroad(turn: Turn, topic: Topic, postcode: str) -> Answer:
    countries = [country_name(code, turn.owner.locale) for code in await _countries(turn, topic)]
    if not countries:
        return turn.say_once("events.none_near", postcode=postcode)
    said = turn.say_once("events.abroad", postcode=postcode, countries=", ".join(countries[:SHOWN]))
    return replace(said, next=at_step(turn, Step.WHERE, topic.campaign_id, **_carried(turn)))


def _carried(turn: Turn) -> dict[str, Any]:
    """What they said before and still holds."""
    detail = turn.dialog.detail if step_of(turn) else {}
    return {name: detail[name] for name in ("guests", "side") if name in detail}


def _ask_where(turn: Turn, topic: Topic, guests: int, side: str, **more: Any) -> Answer:
    asked = at_step(turn, Step.WHERE, topic.campaign_id, guests=guests, side=side, **more)
    return Answer(words=turn.say("events.where"), next=asked)


def _say(turn: Turn, phrase: str, near: Near) -> str:
    locale = turn.owner.locale
    values = {**in_words(near.event, locale), "left": near.seats_left, "number": near.event.number}
    if near.km is None:
        return turn.say(f"{phrase}_near", **values)
    return turn.say(phrase, **values, km=distance(near.km, locale))


def _left(row: Row[Any]) -> int:
    return int(row.capacity - row.taken)
