"""What people say they did, what comes next for them, and whom to invite to what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from router.community.rungs import done_by, next_step_words, next_steps, words_for
from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.errors import NotFound
from router.core.ladder import Done, Rung
from router.store.audience import compile_audience
from router.store.tables import member, to_ms
from tests.support.ledger import Ledger

PHONE = "+33639980009"


async def says(ledger: Ledger, text: str, *, number: int = 1, **more: Any) -> None:
    event = Inbound(event_id=f"SM-{number}", sender=PHONE, recipient="+1", text=text, at=ledger.clock(), **more)
    await ledger.submit(Received(events=(event,)))


async def answers(ledger: Ledger) -> list[str]:
    return [row.text for row in await ledger.execute("SELECT text FROM reply_text ORDER BY delivery_id")]


async def actions(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await ledger.execute("SELECT member_id, campaign_id, kind FROM action ORDER BY id")]


async def did(ledger: Ledger, who: int, campaign: int, kind: str, *, days: float = 0) -> None:
    (number,) = await ledger.store.take_ids(1)
    await ledger.execute(
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at)"
        " VALUES (:id, :member, :campaign, :kind, 'api', :name, :at)",
        id=number, member=who, campaign=campaign, kind=kind, name=str(number),
        at=to_ms(ledger.clock() - timedelta(days=days)),
    )  # fmt: skip


async def rated(ledger: Ledger, who: int, campaign: int, rating: int) -> None:
    """They were at an event of the campaign, and said how it was."""
    (number,) = await ledger.store.take_ids(1)
    now = to_ms(ledger.clock())
    await ledger.execute(
        "INSERT INTO event (id, campaign_id, number, status, title, starts_at, ends_at, capacity, created_by,"
        " created_at) VALUES (:id, :campaign, :number, 'open', 'Dinner', :now, :now, 8, 'ana', :now)",
        id=number, campaign=campaign, number=number, now=now,
    )  # fmt: skip
    await ledger.execute(
        "INSERT INTO rsvp (event_id, member_id, status, seats, number, rating, at, changed_at)"
        " VALUES (:id, :member, 'came', 1, 1, :rating, :now, :now)",
        id=number, member=who, rating=rating, now=now,
    )  # fmt: skip
    await did(ledger, who, campaign, "came")


# ── by reply ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wants", "words", "kind"),
    [
        ("sign", "SIGN", "signed"),
        ("sign", "yes", "signed"),
        ("share", "Done!", "shared"),
        # SHARE brings a link (tests/store/test_forwarding.py); that it was passed on shows later.
        ("share", "SHARE", "share"),
        ("volunteer", "VOLUNTEER", "volunteered"),
        ("volunteer", "Yes", "volunteered"),
        # A promise to share, and whatever an ask of one's own wants, stay as they are.
        ("share", "YES", "yes"),
        ("custom", "YES", "yes"),
        ("sign", "NO", "no"),
    ],
)
async def test_what_people_say_they_did_is_kept_once(ledger: Ledger, wants: str, words: str, kind: str) -> None:
    [who] = await ledger.add_members(1, phone=PHONE)
    campaign = await ledger.launch_and_route(wants=wants)
    await ledger.send()
    ledger.clock.advance(minutes=5)
    await says(ledger, words)
    assert await actions(ledger) == [(who, campaign, kind)]
    thanked = kind in ("signed", "share", "shared", "volunteered")
    assert len(await answers(ledger)) == thanked
    if thanked:
        await says(ledger, words, number=2)
        assert await actions(ledger) == [(who, campaign, kind)]
        assert len(await answers(ledger)) == 1, "thanked once"


async def test_the_thanks_close_with_the_next_step(ledger: Ledger) -> None:
    await ledger.add_members(1, phone=PHONE)
    await ledger.launch_and_route(wants="sign")
    await ledger.send()
    await says(ledger, "SIGN")
    [thanks] = await answers(ledger)
    assert thanks == (
        "Tenants Together: thank you, you have signed."
        " Next step: come to one of our evenings. We will tell you when one is near you."
    )


async def test_after_its_end_one_sentence_and_no_deed(ledger: Ledger) -> None:
    await ledger.add_members(1, phone=PHONE)
    await ledger.launch_and_route(wants="sign", deadline=ledger.clock() + timedelta(hours=2))
    await ledger.send()
    ledger.clock.advance(hours=3)
    for number in range(2):
        await says(ledger, "SIGN", number=number)
    assert await actions(ledger) == []
    assert len(await answers(ledger)) == 1


# ── for one member ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_deeds_and_ratings_decide_and_what_was_asked_of_late_rests(ledger: Ledger) -> None:
    [who] = await ledger.add_members(1, phone=PHONE)
    old = await ledger.launch(start=False)
    await rated(ledger, who, old, 5)
    await did(ledger, who, old, "click")
    await did(ledger, who, old, "signed", days=500)
    async with ledger.store.read() as connection:
        done = await done_by(ledger.runtime, connection, who, now=ledger.clock())
        words = await words_for(ledger.runtime, connection, who, "en", now=ledger.clock())
    assert done == [Done("came", ledger.clock(), 5)]
    assert "open your home" in words
    await ledger.launch_and_route(wants="host")
    await ledger.send()
    async with ledger.store.read() as connection:
        words = await words_for(ledger.runtime, connection, who, "es-MX", now=ledger.clock())
    assert "VOLUNTEER" in words
    assert words.startswith("Siguiente paso")


def test_there_are_words_for_every_rung_and_none_where_nothing_is_left(ledger: Ledger) -> None:
    now = ledger.clock()
    asked = dict.fromkeys(Rung, now)
    assert next_step_words(ledger.runtime, "de", [], now=now, asked=asked) == ""
    for rung in set(Rung) - {Rung.CUSTOM}:
        others = {one: now for one in Rung if one is not rung}
        words = next_step_words(ledger.runtime, "de", [Done("signed", now)], now=now, asked=others)
        assert words == "" or words.startswith("Nächster Schritt")


# ── for all who acted on an ask ───────────────────────────────────────────────────────────────────────────────────────


async def test_everybody_who_acted_is_in_one_group_with_a_ready_audience(ledger: Ledger) -> None:
    people = await ledger.add_members(8)
    campaign = await ledger.launch(start=False)
    other = await ledger.launch(start=False)
    pleased, came, signed, both, clicked, refused, elsewhere, erased = people
    await rated(ledger, pleased, campaign, 4)
    await rated(ledger, came, campaign, 3)
    await did(ledger, came, campaign, "yes")
    await did(ledger, signed, campaign, "signed")
    await did(ledger, both, campaign, "signed")
    await did(ledger, both, campaign, "gave")
    await did(ledger, clicked, campaign, "click")
    await did(ledger, refused, campaign, "no")
    await did(ledger, elsewhere, other, "signed")
    await did(ledger, erased, campaign, "signed")
    await ledger.execute("UPDATE member SET erased_at = 1 WHERE id = :id", id=erased)
    found = await next_steps(ledger.runtime, campaign, now=ledger.clock())
    assert found.people == 4
    assert [(group.did, group.well_rated, group.people, group.rung) for group in found.groups] == [
        ("came", True, 1, Rung.HOST),
        ("came", False, 1, Rung.VOLUNTEER),
        ("gave", False, 1, Rung.SHARE),
        ("signed", False, 1, Rung.ATTEND),
    ]
    reached = []
    for group in found.groups:
        ask = Ask.model_validate({"title": "Next", "texts": {"en": {"default": {"text": "Next?"}}}, **group.ask})
        assert ask.follows == campaign
        async with ledger.store.read() as connection:
            rows = await connection.execute(
                member.select().where(compile_audience(ask.audience, dialect=ledger.store.dialect))
            )
            reached.append([row.id for row in rows])
    assert reached == [[pleased], [came], [both], [signed]]


async def test_a_campaign_on_which_nobody_acted_and_one_that_is_none(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False)
    found = await next_steps(ledger.runtime, campaign, now=ledger.clock())
    assert (found.people, found.groups) == (0, [])
    with pytest.raises(NotFound):
        await next_steps(ledger.runtime, campaign + 1_000, now=ledger.clock())
