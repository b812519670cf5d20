"""Ideas on both databases: made, seconded, reported, taken back; what is in the way; many at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from router.core.channel import Inbound, Received
from router.store.engine import Store
from tests.support.gatherings import is_waiting_for_a_person, lives, phone_of, write
from tests.support.ideas import IDEA, all_second, change, proposes, reports, seconds, the_idea, withdraws
from tests.support.ledger import Ledger

HELD = ("held", "reports")


@pytest.fixture
async def elsewhere(database_url: str, ledger: Ledger) -> AsyncIterator[Store]:
    """The same ledger, as another process has it open."""
    store = Store(database_url)
    yield store
    await store.aclose()


async def notices(ledger: Ledger) -> dict[str, str]:
    """Idea → what organizers are told about it."""
    rows = await ledger.execute("SELECT subject, sentence FROM notice WHERE kind = 'proposal' AND cleared_at IS NULL")
    return dict(rows)


async def joined(ledger: Ledger, member_id: int, *, days: float) -> None:
    await lives(ledger, member_id, joined_at=ledger.clock() - timedelta(days=days))


async def in_group(ledger: Ledger, group: int, *members: int) -> None:
    for member_id in members:
        await ledger.execute(
            "INSERT INTO group_member (group_id, member_id, source, at) VALUES (:group, :member, 'spoke', 0)",
            group=group, member=member_id,
        )  # fmt: skip


async def test_an_idea_is_made_with_its_region_and_an_audit_row_without_its_words(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    await lives(ledger, ann, place="Marseille", country="FR", locale="fr")
    said = await proposes(ledger, ann, "Plantons des arbres\nrue du Port !", channel="sms", address_id=5, locale="fr")
    assert (said.phrase, said.number) == ("proposals.taken", 1)
    idea = await the_idea(ledger)
    assert (idea.text, idea.member_id, idea.status, idea.stage) == (
        "Plantons des arbres rue du Port !",
        ann,
        "open",
        "",
    )
    assert (idea.place, idea.country, idea.locale, idea.channel, idea.address_id) == (
        "Marseille", "FR", "fr", "sms", 5,
    )  # fmt: skip
    assert idea.created_at == idea.changed_at == ledger.clock()
    [row] = await ledger.execute("SELECT who, what, subject, detail FROM audit WHERE what LIKE 'proposal.%'")
    assert (row.who, row.what, row.subject) == (f"member {ann}", "proposal.make", "1")
    assert "arbres" not in str(row.detail)
    assert await notices(ledger) == {}


async def test_one_idea_of_a_person_in_a_week_and_the_same_words_are_the_same_idea(ledger: Ledger) -> None:
    ann, bob = await ledger.add_members(2)
    assert (await proposes(ledger, ann)).number == 1
    for words in (IDEA, IDEA.upper() + "!!"):
        again = await proposes(ledger, ann, words)
        assert (again.phrase, again.number) == ("proposals.again", 1)
    other = "A market in the old tram depot, every Sunday"
    too_soon = await proposes(ledger, ann, other)
    assert (too_soon.phrase, too_soon.values) == ("proposals.too_soon", {"number": 1, "days": 7})
    assert (await proposes(ledger, bob)).number == 2, "somebody else may propose the same"
    ledger.clock.advance(days=7)
    assert (await proposes(ledger, ann, other)).number == 3
    assert (await proposes(ledger, ann)).phrase == "proposals.again", "however long ago it was"


async def test_who_has_an_idea_held_waits(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    await proposes(ledger, ann)
    await change(ledger, status="held")
    ledger.clock.advance(days=30)
    said = await proposes(ledger, ann, "A market in the old tram depot, every Sunday")
    assert (said.phrase, said.number) == ("proposals.waits", 1)
    await change(ledger, status="removed")
    assert (await proposes(ledger, ann, "A market in the old tram depot, every Sunday")).number == 2


@pytest.mark.parametrize(
    ("words", "phrase"),
    [("", "how"), ("🌳", "short"), ("x" * 4_000, "long"), ("http://example.org/" + "x" * 40, "links"),
     ("Давайте посадим деревья на набережной", "language")],
)  # fmt: skip
async def test_what_is_no_idea_makes_none_and_is_answered(ledger: Ledger, words: str, phrase: str) -> None:
    [ann] = await ledger.add_members(1)
    said = await proposes(ledger, ann, words)
    assert (said.phrase, said.number) == (f"proposals.{phrase}", 0)
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(0,)]
    assert await ledger.execute("SELECT count(*) FROM audit") == [(0,)]


async def test_an_idea_in_a_language_that_nobody_moderates_waits_for_two_organizers(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    await lives(ledger, ann, locale="tr")
    said = await proposes(ledger, ann, "Liman sokağına ağaç dikelim, arabalar durmasın")
    assert said.phrase == "proposals.taken_held"
    assert "Deutsch" in str(said.values["languages"])
    idea = await the_idea(ledger)
    assert (idea.status, idea.reason) == ("held", "language")
    assert list(await notices(ledger)) == ["1"]


async def test_a_group_and_somebody_who_is_gone_propose_nothing(ledger: Ledger) -> None:
    ann, group = await ledger.add_members(2)
    await lives(ledger, ann, erased_at=ledger.clock())
    await lives(ledger, group, kind="group")
    for member_id in (ann, group, 10**15):
        assert (await proposes(ledger, member_id)).phrase == "proposals.members_only"
        assert (await seconds(ledger, member_id)).phrase == "proposals.members_only"
        assert (await reports(ledger, member_id)).phrase == "proposals.members_only"


async def test_members_who_propose_at_once_get_numbers_of_their_own(ledger: Ledger, elsewhere: Store) -> None:
    members = await ledger.add_members(12)
    said = await asyncio.gather(
        *(proposes(ledger, one, store=store) for one, store in zip(members, [ledger.store, elsewhere] * 6, strict=True))
    )
    assert sorted(one.number for one in said) == list(range(1, 13))
    assert {one.phrase for one in said} == {"proposals.taken"}


async def test_one_person_who_proposes_from_two_processes_at_once_has_one_idea(
    ledger: Ledger, elsewhere: Store
) -> None:
    [ann] = await ledger.add_members(1)
    texts = [f"Let us plant tree number {number} in the harbour street" for number in range(16)]
    stores = [ledger.store, elsewhere] * 8
    said = await asyncio.gather(
        *(proposes(ledger, ann, words, store=store) for words, store in zip(texts, stores, strict=True))
    )
    assert Counter(one.phrase for one in said) == {"proposals.taken": 1, "proposals.too_soon": 15}
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(1,)]


async def test_a_second_counts_once_for_each_member_and_each_phone(ledger: Ledger) -> None:
    ann, bob, cem, dan = await ledger.add_members(4)
    await proposes(ledger, ann)
    first = await seconds(ledger, bob)
    assert (first.phrase, first.values) == ("proposals.seconded", {"number": 1, "seconds": 1})
    again = await seconds(ledger, bob, address_hash="another phone of Bob's")
    assert (again.phrase, again.values["seconds"]) == ("proposals.already", 1)
    assert (await seconds(ledger, cem, address_hash=f"hash of {bob}")).phrase == "proposals.same_phone"
    assert (await seconds(ledger, ann)).phrase == "proposals.own"
    assert (await seconds(ledger, dan)).values["seconds"] == 2
    idea = await the_idea(ledger)
    assert (idea.seconds, idea.next_at) == (2, None)


async def test_on_a_page_a_member_counts_by_their_own_first_address(ledger: Ledger) -> None:
    """Two of a household with one phone are one voice wherever they speak."""
    [ann] = await ledger.add_members(1)
    bob, cem = await ledger.add_members(2, phone="+12025550107")
    await proposes(ledger, ann)
    assert (await seconds(ledger, bob, address_hash="")).phrase == "proposals.seconded"
    assert (await seconds(ledger, cem, address_hash="")).phrase == "proposals.same_phone"
    [[hash_]] = await ledger.execute("SELECT hash FROM address WHERE member_id = :id", id=bob)
    assert await ledger.execute("SELECT address_hash FROM proposal_second") == [(hash_,)]


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**30])
async def test_an_idea_that_is_none_is_said_so(ledger: Ledger, number: int) -> None:
    ann, bob = await ledger.add_members(2)
    await proposes(ledger, ann)
    for said in (await seconds(ledger, bob, number), await reports(ledger, bob, number)):
        assert (said.phrase, said.number) == ("proposals.unknown", 0)


@pytest.mark.parametrize(
    ("status", "seconded", "reported"),
    [
        ("held", "held", "reported"),
        ("removed", "over", "over"),
        ("withdrawn", "over", "over"),
        ("done", "over", "over"),
    ],
)
async def test_an_idea_that_is_not_open_takes_no_seconds(
    ledger: Ledger, status: str, seconded: str, reported: str
) -> None:
    ann, bob = await ledger.add_members(2)
    await proposes(ledger, ann)
    await change(ledger, status=status)
    assert (await seconds(ledger, bob)).phrase == f"proposals.{seconded}"
    assert (await reports(ledger, bob)).phrase == f"proposals.{reported}"
    assert (await the_idea(ledger)).seconds == 0


async def test_whoever_joined_yesterday_may_propose_but_carries_nothing_yet(ledger: Ledger) -> None:
    ann, bob = await ledger.add_members(2)
    await proposes(ledger, ann)
    await joined(ledger, bob, days=6.9)
    for said in (await seconds(ledger, bob), await reports(ledger, bob)):
        assert (said.phrase, said.values) == ("proposals.newcomer", {"days": 7})
    assert (await proposes(ledger, bob)).phrase == "proposals.taken"
    ledger.clock.advance(hours=3)
    assert (await seconds(ledger, bob)).phrase == "proposals.seconded"


async def test_a_person_seconds_ten_ideas_a_day(ledger: Ledger) -> None:
    *members, bob = await ledger.add_members(12)
    for one in members:
        await proposes(ledger, one)
    said = [await seconds(ledger, bob, number) for number in range(1, 12)]
    assert [one.phrase for one in said[9:]] == ["proposals.seconded", "proposals.enough"]
    ledger.clock.advance(hours=24)
    assert (await seconds(ledger, bob, 11)).phrase == "proposals.seconded"


async def test_one_person_does_not_outrun_the_limit_of_a_day(ledger: Ledger, elsewhere: Store) -> None:
    *members, bob = await ledger.add_members(15)
    for one in members:
        await proposes(ledger, one)
    said = await asyncio.gather(
        *(seconds(ledger, bob, number, store=(ledger.store, elsewhere)[number % 2]) for number in range(1, 15))
    )
    assert Counter(one.phrase for one in said) == {"proposals.seconded": 10, "proposals.enough": 4}


async def test_twenty_people_at_once_are_twenty_seconds(ledger: Ledger, elsewhere: Store) -> None:
    ann, *members = await ledger.add_members(21)
    await proposes(ledger, ann)
    await asyncio.gather(
        *(seconds(ledger, one, store=(ledger.store, elsewhere)[place % 2]) for place, one in enumerate(members))
    )
    assert (await the_idea(ledger)).seconds == 20
    assert await ledger.execute("SELECT count(*) FROM proposal_second") == [(20,)]


async def test_the_same_person_at_once_from_two_processes_is_one_second(ledger: Ledger, elsewhere: Store) -> None:
    ann, bob = await ledger.add_members(2)
    await proposes(ledger, ann)
    said = await asyncio.gather(
        *(seconds(ledger, bob, store=(ledger.store, elsewhere)[place % 2]) for place in range(8))
    )
    assert Counter(one.phrase for one in said) == {"proposals.seconded": 1, "proposals.already": 7}
    assert (await the_idea(ledger)).seconds == 1


async def test_two_members_of_one_phone_at_once_are_one_second(ledger: Ledger, elsewhere: Store) -> None:
    ann, *household = await ledger.add_members(6)
    await proposes(ledger, ann)
    said = await asyncio.gather(
        *(seconds(ledger, one, store=(ledger.store, elsewhere)[one % 2], address_hash="one phone") for one in household)
    )
    assert Counter(one.phrase for one in said) == {"proposals.seconded": 1, "proposals.same_phone": 4}
    assert (await the_idea(ledger)).seconds == 1


async def test_five_of_its_group_put_an_idea_to_the_group(ledger: Ledger) -> None:
    group, ann, *members = await ledger.add_members(9)
    assert (await proposes(ledger, ann, group_id=group)).phrase == "proposals.taken_group"
    await in_group(ledger, group, members[0])
    await all_second(ledger, members[:1])  # privately, but known to be in the group
    await all_second(ledger, members[1:3])  # from elsewhere
    await all_second(ledger, members[3:6], group_id=group)
    assert (await the_idea(ledger)).next_at is None, "four of the group"
    await all_second(ledger, members[6:7], group_id=group)
    idea = await the_idea(ledger)
    assert (idea.seconds, idea.next_at) == (7, ledger.clock())


async def test_enough_seconds_bring_an_idea_before_the_movement(ledger: Ledger) -> None:
    ann, *members = await ledger.add_members(27)
    await proposes(ledger, ann)
    await all_second(ledger, members[:24])
    assert (await the_idea(ledger)).next_at is None
    await all_second(ledger, members[24:25])
    assert (await the_idea(ledger)).next_at == ledger.clock()
    later = ledger.clock() + timedelta(hours=24)
    await change(ledger, next_at=later)
    await all_second(ledger, members[25:])
    idea = await the_idea(ledger)
    assert (idea.seconds, idea.next_at) == (26, later), "the end of the objection period stays where it is"


async def test_too_new_a_crowd_is_held_and_organizers_are_told(ledger: Ledger) -> None:
    ann, *members = await ledger.add_members(13)
    await proposes(ledger, ann)
    for one in members[:5]:
        await joined(ledger, one, days=29)
    await all_second(ledger, members[:9])
    assert (await the_idea(ledger)).status == "open"
    said = await seconds(ledger, members[9])
    assert (said.phrase, said.values["seconds"]) == ("proposals.seconded", 10), "theirs counts, whatever comes of it"
    idea = await the_idea(ledger)
    assert (idea.status, idea.reason, idea.next_at) == ("held", "crowd", ledger.clock())
    told = (await notices(ledger))["1"]
    assert "joined" not in told
    assert "outreach proposal show 1" in told
    assert IDEA not in told


async def test_three_reports_hold_an_idea_and_nobody_hears_how_many(ledger: Ledger) -> None:
    ann, bob, cem, dan, eve = await ledger.add_members(5)
    await proposes(ledger, ann)
    said = [
        await reports(ledger, bob, reason="it is\nrude"),
        await reports(ledger, bob, reason="still"),
        await reports(ledger, cem, address_hash=f"hash of {bob}"),
        await reports(ledger, cem),
    ]
    assert {(one.phrase, str(one.values)) for one in said} == {("proposals.reported", "{'number': 1}")}
    assert (await reports(ledger, ann)).phrase == "proposals.own_report"
    assert (await the_idea(ledger)).status == "open"
    await reports(ledger, dan, reason="x" * 1_000)
    idea = await the_idea(ledger)
    assert (idea.status, idea.reason, idea.reports, idea.next_at) == (*HELD, 3, ledger.clock())
    assert "3 members reported it" in (await notices(ledger))["1"]
    rows = await ledger.execute("SELECT reason FROM proposal_report ORDER BY member_id")
    assert [row.reason for row in rows] == ["it is rude", "", "x" * 400]
    assert (await reports(ledger, eve)).phrase == "proposals.reported"


async def test_many_reports_at_once_hold_it_once(ledger: Ledger, elsewhere: Store) -> None:
    ann, *members = await ledger.add_members(9)
    await proposes(ledger, ann)
    await asyncio.gather(
        *(reports(ledger, one, store=(ledger.store, elsewhere)[place % 2]) for place, one in enumerate(members))
    )
    idea = await the_idea(ledger)
    assert (idea.status, idea.reason, idea.reports) == (*HELD, 8)
    assert await ledger.execute("SELECT count FROM notice WHERE kind = 'proposal'") == [(1,)]


async def test_only_who_proposed_it_takes_it_back(ledger: Ledger) -> None:
    ann, bob = await ledger.add_members(2)
    await proposes(ledger, ann)
    assert (await withdraws(ledger, bob)).phrase == "proposals.unknown"
    assert (await withdraws(ledger, ann)).phrase == "proposals.withdrawn"
    idea = await the_idea(ledger)
    assert (idea.status, idea.next_at) == ("withdrawn", ledger.clock())
    assert (await withdraws(ledger, ann)).phrase == "proposals.over"


async def test_it_is_done_by_text_message_and_said_once(ledger: Ledger) -> None:
    ann, bob = await ledger.add_members(2)
    told = await write(ledger, ann, f"PROPOSE {IDEA}!")
    assert told.startswith("Tenants Together: thank you! It is idea 1.")
    assert (await the_idea(ledger)).text == f"{IDEA}!"
    assert (await the_idea(ledger)).channel == "sms"
    assert await write(ledger, bob, "SECOND 7") == "Tenants Together: there is no such idea. Please check its number."
    assert await write(ledger, bob, "SECOND 8") == "", "the same friendly sentence once"
    assert "Seconds for idea 1 so far: 1." in await write(ledger, bob, "second #1")
    assert "counts for idea 1 already" in await write(ledger, bob, "Second 1!")
    assert await write(ledger, bob, "Second 1") == ""
    assert "thank you for telling us about idea 1" in await write(ledger, bob, "REPORT 1: it is rude")
    assert await ledger.execute("SELECT reason FROM proposal_report") == [("it is rude",)]
    assert "which idea?" in await write(ledger, bob, "SECOND")
    assert not await is_waiting_for_a_person(ledger, bob)


@pytest.mark.parametrize("words", ["Second thoughts about that", "Propose a walk", "report back from dinner tonight"])
async def test_an_everyday_sentence_is_left_to_a_person(ledger: Ledger, words: str) -> None:
    [ann] = await ledger.add_members(1)
    assert await write(ledger, ann, words) == ""
    assert await is_waiting_for_a_person(ledger, ann)
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(0,)]


async def test_a_report_about_something_else_is_left_to_a_person(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    assert await write(ledger, ann, "REPORT somebody collects money in our name") == ""
    assert await is_waiting_for_a_person(ledger, ann)


async def test_four_thousand_characters_are_told_to_be_too_many(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    told = await write(ledger, ann, "PROPOSE " + "trees " * 700)
    assert "at most 500 characters" in told
    assert "/propose/" in told, "there is more room on their page"
    assert await write(ledger, ann, "PROPOSE " + "trees " * 700) == ""
    assert "a little more" in await write(ledger, ann, "PROPOSE 🌳")
    assert "how" not in await write(ledger, ann, "PROPOSE https://example.org/" + "x" * 40)
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(0,)]


async def test_propose_alone_gives_them_their_own_page(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    told = await write(ledger, ann, "PROPOSE")
    assert "https://outreach.example.org/propose/" in told
    assert await phone_of(ledger, ann) not in told


async def test_a_stranger_proposes_nothing(ledger: Ledger) -> None:
    event = Inbound(event_id="SM-x", sender="+12025550199", recipient="+1", text=f"PROPOSE {IDEA}", at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(0,)]
    assert await ledger.execute("SELECT count(*) FROM reply_text") == [(0,)]


async def test_the_same_webhook_twice_is_one_idea(ledger: Ledger) -> None:
    [ann] = await ledger.add_members(1)
    said: list[Any] = [await write(ledger, ann, f"PROPOSE {IDEA}", event_id="SM-1") for _ in range(2)]
    assert said[0]
    assert said[1] == ""
    assert await ledger.execute("SELECT count(*) FROM proposal") == [(1,)]
