"""The way of an idea in the ledger: each step once, whoever crashes or comes twice, and nobody is asked twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from router.community.proposals import stages
from router.community.proposals.asking import ask_of
from router.community.proposals.results import count_results
from router.community.proposals.rows import NOTICE
from router.community.proposals.stages import take_step, take_steps
from router.core.audience import Members
from router.core.channel import Inbound, Received
from router.core.proposal_stages import Results, Stage
from router.launch import approve_campaign, cancel_campaign, launch_campaign, start_due_campaigns
from router.store.engine import Store
from router.store.tables import proposal, to_ms
from router.web.auth import create_token
from tests.support.ledger import Ledger

WORDS = "A free bus to the hospital on Sundays"
PEOPLE = 24


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A movement in which three seconds make an idea public and ten people are its test."""
    ledger = Ledger(store)
    policy = ledger.runtime.policy
    few = policy.proposals.model_copy(
        update={"public_seconds": 3, "group_seconds": 2, "lift_seconds": 2, "test_members": 10}
    )
    ledger.runtime = replace(ledger.runtime, policy=policy.model_copy(update={"proposals": few}))
    return ledger


async def make(ledger: Ledger, member_id: int, **values: Any) -> int:
    """An idea as `submitting.propose` leaves it, due to be looked at; returns its number."""
    [number] = await ledger.store.take_ids(1)
    now = ledger.clock()
    row = {
        "id": number, "number": 7, "member_id": member_id, "text": WORDS, "locale": "en", "country": "FR",
        "status": "open", "seconds": 3, "next_at": now, "created_at": now, "changed_at": now, **values,
    }  # fmt: skip
    async with ledger.store.write() as connection:
        await connection.execute(proposal.insert().values(**row))
    return 7


async def idea(ledger: Ledger) -> Any:
    [row] = await ledger.execute("SELECT * FROM proposal WHERE number = 7")
    return row


async def go(ledger: Ledger) -> None:
    """Take every step that is due now."""
    while await take_steps(ledger.runtime, now=ledger.clock()):
        pass


async def carry(ledger: Ledger) -> None:
    """What a worker does with an ask that was launched."""
    ledger.clock.advance(minutes=10)
    await start_due_campaigns(ledger.runtime, now=ledger.clock())
    await ledger.route()
    await ledger.send()
    await ledger.finish()


async def answer(ledger: Ledger, campaign: int, *words: str) -> None:
    """So many of those who got it answer, each with the next word."""
    rows = [row for row in await ledger.rows(campaign) if row.status == "sent"]
    for row, word in zip(rows, words, strict=False):
        [sender] = await ledger.execute("SELECT value FROM address WHERE id = :id", id=row.address_id)
        event_id = f"{campaign} {row.id} {word}"
        said = Inbound(event_id=event_id, sender=sender.value, recipient="", text=word, at=ledger.clock())
        await ledger.submit(Received(events=(said,)))


async def told(ledger: Ledger) -> list[str]:
    """What the proposer was told without asking, in order."""
    rows = await ledger.execute("SELECT text FROM reply_text WHERE kind = 'service' ORDER BY delivery_id")
    return [row.text for row in rows]


async def asks(ledger: Ledger) -> list[Any]:
    return list(
        await ledger.execute(
            "SELECT p.stage AS of_stage, c.id, c.status FROM proposal_campaign p"
            " JOIN campaign c ON c.id = p.campaign_id ORDER BY c.id"
        )
    )


async def test_from_its_seconds_to_everybody_and_nobody_is_asked_twice(ledger: Ledger) -> None:
    ana, *others = await ledger.add_members(PEOPLE)
    abroad = others[:6]
    for member_id in abroad:
        await ledger.execute("UPDATE member SET country = 'DE' WHERE id = :id", id=member_id)
    await make(ledger, ana)
    await go(ledger)
    row = await idea(ledger)
    assert (row.stage, row.campaign_id) == ("", 0)
    assert row.next_at == to_ms(ledger.clock()) + 24 * 3_600_000
    asked: Counter[int] = Counter()
    sizes = []
    for stage in ("test", "region", "all"):
        ledger.clock.advance(hours=24)
        await go(ledger)
        row = await idea(ledger)
        assert row.stage == stage
        await carry(ledger)
        people = [one.member_id for one in await ledger.rows(row.campaign_id)]
        asked.update(people)
        assert ana not in people
        sizes.append(len(people))
        if stage != "all":
            assert not set(people) & set(abroad)
        await answer(ledger, row.campaign_id, "YES", "YES", "NO")
        ledger.clock.advance(hours=24)
        await go(ledger)
    assert (await idea(ledger)).status == "done"
    assert sizes == [10, PEOPLE - 1 - 6 - 10, 6]
    assert set(asked.values()) == {1}
    assert [ask.of_stage for ask in await asks(ledger)] == ["test", "region", "all"]
    kinds = [words.partition(": ")[2][:25] for words in await told(ledger)]
    assert len(kinds) == 7, "announced, three times asked, twice passed, done"
    assert "23 people were reached, 6 said yes, 3 said no" in (await told(ledger))[-1]
    assert "Answer with your words within 14 days" in (await told(ledger))[-1]


async def test_the_test_is_drawn_by_lot_from_those_whose_mind_is_not_known(ledger: Ledger) -> None:
    ana, bo, mute, *_ = await ledger.add_members(40)
    await ledger.execute("UPDATE address SET consent = 'revoked' WHERE member_id = :id", id=mute)
    await make(ledger, ana)
    await ledger.execute(
        "INSERT INTO proposal_second (proposal_id, about, member_id, address_hash, at)"
        " SELECT id, 'idea', :bo, 'x', 0 FROM proposal",
        bo=bo,
    )
    drawn = [await draw(ledger, key) for key in (ledger.runtime.key, ledger.runtime.key, b"another key, as long as it")]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2], "who does not have the key cannot tell who it will be"
    assert len(drawn[0]) == 10
    assert not drawn[0] & {ana, bo, mute}


async def draw(ledger: Ledger, key: bytes) -> set[int]:
    """Whom the test of the idea would ask in an installation with this key."""
    async with ledger.store.read() as connection:
        about = (await connection.execute(select(proposal))).one()
        ask = await ask_of(replace(ledger.runtime, key=key), connection, about, Stage.TEST)
    assert isinstance(ask.audience, Members)
    return set(ask.audience.ids)


@pytest.mark.parametrize("reached", ["saved", "approved", "launched"])
async def test_a_crash_between_saving_and_launching_makes_no_second_ask(ledger: Ledger, reached: str) -> None:
    [ana, *_] = await ledger.add_members(PEOPLE)
    await make(ledger, ana, next_at=None, stage_since=ledger.clock())
    ledger.clock.advance(hours=24)
    now = ledger.clock()
    await ledger.execute("UPDATE proposal SET next_at = :now", now=to_ms(now))
    assert await take_step(ledger.runtime, 7, now=now)
    campaign = (await idea(ledger)).campaign_id
    if reached != "saved":
        await approve_campaign(ledger.runtime, campaign, by=stages.BY, now=now)
    if reached == "launched":
        await launch_campaign(ledger.runtime, campaign, by=stages.BY, now=now)
    await go(ledger)
    [ask] = await asks(ledger)
    assert (ask.id, ask.status) == (campaign, "scheduled")
    assert (await idea(ledger)).stage_since == to_ms(now)
    assert len(await told(ledger)) == 1


async def test_two_workers_at_once_take_one_step(ledger: Ledger) -> None:
    [ana, *_] = await ledger.add_members(PEOPLE)
    await make(ledger, ana)
    for _ in range(4):
        taken = await asyncio.gather(*(take_step(ledger.runtime, 7, now=ledger.clock()) for _ in range(4)))
        assert any(taken)
    ledger.clock.advance(hours=24)
    for _ in range(4):
        await asyncio.gather(*(take_step(ledger.runtime, 7, now=ledger.clock()) for _ in range(4)))
    row = await idea(ledger)
    [ask] = await asks(ledger)
    assert (row.status, row.stage, row.campaign_id, ask.status) == ("open", "test", ask.id, "scheduled")
    assert len(await told(ledger)) == 2, "announced once, asked once"


async def test_what_members_write_is_shown_as_they_wrote_it(ledger: Ledger) -> None:
    words = "{{ link }} {{ 7 * 7 }} {% endraw %}{% if true %}{organization} {# x #} {{ '{{' }} }} %}"
    people = await ledger.add_members(12)
    await make(ledger, people[0], text=words, place="Ly{{ total }}on {% x", country="", stage_since=ledger.clock())
    await ledger.execute("UPDATE member SET place = 'Ly{{ total }}on {% x'")
    ledger.clock.advance(hours=24)
    await ledger.execute("UPDATE proposal SET next_at = :now", now=to_ms(ledger.clock()))
    await go(ledger)
    assert (await idea(ledger)).status == "open"
    ledger.sms.handed.clear()
    await carry(ledger)
    shown = [message.text for message in ledger.sms.handed if "Reply YES" in message.text]
    assert len(shown) == 10
    for text in shown:
        assert f'"{words}"' in text
        assert "members in Ly{{ total }}on {% x:" in text


async def test_what_cannot_be_sent_waits_for_two_organizers(ledger: Ledger) -> None:
    [ana, *_] = await ledger.add_members(PEOPLE)
    await make(ledger, ana, text="Sign this at https://bit.ly/abc all of you, please", stage_since=ledger.clock())
    ledger.clock.advance(hours=24)
    await ledger.execute("UPDATE proposal SET next_at = :now", now=to_ms(ledger.clock()))
    await go(ledger)
    row = await idea(ledger)
    assert (row.status, row.reason, row.campaign_id, row.next_at) == ("held", "unsendable", 0, None)
    [notice] = await ledger.execute("SELECT sentence FROM notice WHERE kind = :kind AND subject = '7'", kind=NOTICE)
    assert "bit.ly is a public link shortener" in notice.sentence
    assert await asks(ledger) == []


async def started(ledger: Ledger, **values: Any) -> int:
    """An idea whose test is out; returns its campaign."""
    [ana, *_] = await ledger.add_members(PEOPLE)
    await make(ledger, ana, stage_since=ledger.clock(), **values)
    ledger.clock.advance(hours=24)
    await ledger.execute("UPDATE proposal SET next_at = :now", now=to_ms(ledger.clock()))
    await go(ledger)
    return int((await idea(ledger)).campaign_id)


async def stand(ledger: Ledger, status: str, **more: Any) -> None:
    """Organizers or members decided something, as `deciding` and `seconding` write it."""
    columns = "".join(f", {name} = :{name}" for name in more)
    await ledger.execute(
        f"UPDATE proposal SET status = :status, next_at = :now{columns}",
        status=status, now=to_ms(ledger.clock()), **more,
    )  # fmt: skip
    await go(ledger)


async def state(ledger: Ledger, campaign: int) -> str:
    [row] = await ledger.execute("SELECT status FROM campaign WHERE id = :id", id=campaign)
    return str(row.status)


async def test_the_ask_of_a_held_idea_rests_and_goes_on_once_it_is_kept(ledger: Ledger) -> None:
    campaign = await started(ledger)
    await carry(ledger)
    await ledger.execute("UPDATE campaign SET status = 'running' WHERE id = :id", id=campaign)
    await stand(ledger, "held", reason="reports")
    assert await state(ledger, campaign) == "paused"
    await stand(ledger, "open", reason="kept")
    assert await state(ledger, campaign) == "running"
    await stand(ledger, "removed")
    assert await state(ledger, campaign) == "cancelled"
    row = await idea(ledger)
    assert (row.status, row.next_at) == ("removed", None)


async def test_an_organizer_who_cancels_its_ask_has_to_say_by_which_rule(ledger: Ledger) -> None:
    campaign = await started(ledger)
    await cancel_campaign(ledger.runtime, campaign, by="bo", now=ledger.clock())
    ledger.clock.advance(hours=24)
    await go(ledger)
    row = await idea(ledger)
    assert (row.status, row.reason, row.stage, row.campaign_id) == ("held", "cancelled", "", 0)
    await stand(ledger, "open", reason="kept")
    ledger.clock.advance(hours=24)
    await go(ledger)
    assert [ask.status for ask in await asks(ledger)] == ["cancelled", "scheduled"]


async def test_a_refusal_stops_the_wider_step_and_members_lift_it(ledger: Ledger) -> None:
    campaign = await started(ledger)
    await carry(ledger)
    await answer(ledger, campaign, "YES", "YES")
    await stand(ledger, "refused", rule="trade", reason="")
    ledger.clock.advance(hours=60)
    await go(ledger)
    row = await idea(ledger)
    assert (row.status, row.stage, row.campaign_id) == ("refused", "test", 0), "what was out is counted"
    ledger.clock.advance(hours=60)
    await stand(ledger, "refused", objections=2)
    row = await idea(ledger)
    assert (row.status, row.stage) == ("open", "region"), "its objection period was over long ago"


async def test_a_binding_refusal_stands_however_many_object(ledger: Ledger) -> None:
    await started(ledger)
    await stand(ledger, "refused", rule="law", objections=1_000)
    assert (await idea(ledger)).status == "refused"


async def test_an_idea_that_few_want_ends(ledger: Ledger) -> None:
    campaign = await started(ledger)
    await carry(ledger)
    ledger.clock.advance(hours=24)
    await go(ledger)
    row = await idea(ledger)
    assert (row.status, row.stage, row.next_at) == ("done", "test", None)
    words = (await told(ledger))[-1]
    assert "of 10 people who were reached 0 said yes, 0 said no" in words
    assert "Answer with your words" not in words, "nobody is owed a report"
    assert await state(ledger, campaign) == "finished"


async def test_above_a_thousand_the_members_approval_counts_and_the_audit_says_so(ledger: Ledger) -> None:
    policy = ledger.runtime.policy
    few = policy.launch.model_copy(update={"approval_above": 1})
    ledger.runtime = replace(ledger.runtime, policy=policy.model_copy(update={"launch": few}))
    await create_token(ledger.store, "bo", ["campaigns:launch"], ledger.clock())
    campaign = await started(ledger)
    rows = await ledger.execute("SELECT who, what, subject FROM audit WHERE who IN ('idea 7', 'members') ORDER BY id")
    said = sorted((row.who, row.what, row.subject) for row in rows)
    assert said == [
        ("idea 7", "campaign.save", str(campaign)),
        ("members", "campaign.approve", str(campaign)),
        ("members", "campaign.launch", str(campaign)),
        ("members", "proposal.ask", "7"),
    ]
    await carry(ledger)
    assert {row.costs for row in await ledger.rows(campaign)} == {True}, "it counts as any ask"


async def test_people_count_once_by_what_they_said_last_in_a_group_or_alone(ledger: Ledger) -> None:
    campaign = await started(ledger)
    await carry(ledger)
    await answer(ledger, campaign, "YES", "YES", "YES")
    ledger.clock.advance(minutes=1)
    await answer(ledger, campaign, "NO")
    first, second, *_ = await ledger.rows(campaign)
    for person, kind, member_id in (("known", "no", second.member_id), ("stranger", "yes", None)):
        await ledger.execute(
            "INSERT INTO group_answer (campaign_id, person_hash, group_id, kind, member_id, month, delivery_id, at)"
            " VALUES (:campaign, :person, 1, :kind, :member, 202611, 1, 0)",
            campaign=campaign, person=person, kind=kind, member=member_id,
        )  # fmt: skip
    async with ledger.store.read() as connection:
        found = await count_results(connection, campaign, group_id=first.member_id)
    assert found == Results(people=10, reached=10 - 1 + 1, yes=2, no=2)


async def say(ledger: Ledger, member_id: int, words: str) -> str:
    """Somebody writes; returns what they are answered, "" for nothing."""
    [sender] = await ledger.execute("SELECT value FROM address WHERE member_id = :id", id=member_id)
    count = "SELECT text FROM reply_text WHERE kind = 'answer' ORDER BY delivery_id"
    before = len(await ledger.execute(count))
    said = Inbound(event_id=words[:100], sender=sender.value, recipient="", text=words, at=ledger.clock())
    await ledger.submit(Received(events=(said,)))
    answers = await ledger.execute(count)
    return str(answers[-1].text) if len(answers) > before else ""


async def ended(ledger: Ledger) -> tuple[int, int]:
    """An idea that ended after its test, to which somebody said yes: its proposer and its ask."""
    campaign = await started(ledger)
    await carry(ledger)
    await answer(ledger, campaign, "YES", "NO", "NO")
    ledger.clock.advance(hours=24)
    await go(ledger)
    assert (await idea(ledger)).status == "done"
    return (await idea(ledger)).member_id, campaign


REPORT = "The hospital will run a bus on the {{ first }} Sunday of each month."


async def test_the_proposers_words_become_a_draft_for_those_who_said_yes(ledger: Ledger) -> None:
    ana, campaign = await ended(ledger)
    assert "thank you. Organizers read it" in await say(ledger, ana, REPORT)
    [draft] = await ledger.execute("SELECT * FROM campaign WHERE kind = 'report_back'")
    assert (draft.status, draft.created_by) == ("draft", "idea 7")
    [row] = await ledger.execute("SELECT campaign_id, sent_as, text FROM report_back")
    assert tuple(row) == (campaign, draft.id, REPORT)
    ledger.sms.handed.clear()
    await approve_campaign(ledger.runtime, draft.id, by="bo", now=ledger.clock())
    await launch_campaign(ledger.runtime, draft.id, by="bo", now=ledger.clock())
    await carry(ledger)
    reports = [message.text for message in ledger.sms.handed if "what came of idea 7" in message.text]
    assert len(reports) == 1, "one said yes"
    assert f'"{REPORT}"' in reports[0]
    assert await state(ledger, campaign) == "reported"
    assert "thank you. Organizers" not in await say(ledger, ana, "And another thing that came of it later"), "once"


@pytest.mark.parametrize(
    ("words", "answered"),
    [
        ("Great, thanks!", ""),
        ("word " * 210, "too long"),
        ("All of it stands here, see https://bit.ly/abc please", "cannot be sent as it is"),
    ],
)
async def test_what_is_no_report_makes_no_draft_and_may_be_written_again(
    ledger: Ledger, words: str, answered: str
) -> None:
    ana, _ = await ended(ledger)
    assert answered in await say(ledger, ana, words)
    assert await ledger.execute("SELECT id FROM campaign WHERE kind = 'report_back'") == []
    assert "thank you. Organizers" in await say(ledger, ana, REPORT)


async def test_after_fourteen_days_their_words_are_words_again(ledger: Ledger) -> None:
    ana, _ = await ended(ledger)
    ledger.clock.advance(days=14, seconds=1)
    await say(ledger, ana, REPORT)
    assert await ledger.execute("SELECT id FROM campaign WHERE kind = 'report_back'") == []


async def test_a_group_asks_its_own_members_without_staff(ledger: Ledger) -> None:
    ana, *others = await ledger.add_members(8)
    [group] = await ledger.store.take_ids(1)
    now = to_ms(ledger.clock())
    await ledger.execute(
        "INSERT INTO member (id, kind, first_name, locale, attributes, joined_at, created_at, updated_at)"
        " VALUES (:id, 'group', 'Block 5', 'en', '{}', :now, :now, :now)",
        id=group, now=now,
    )  # fmt: skip
    for member_id in (ana, *others[:4]):
        await ledger.execute(
            "INSERT INTO group_member (group_id, member_id, source, at) VALUES (:group, :id, 'spoke', 0)",
            group=group, id=member_id,
        )  # fmt: skip
    await make(ledger, ana, group_id=group, seconds=2)
    await second(ledger, others[0], group_id=group)
    await go(ledger)
    assert (await idea(ledger)).stage == "", "one second is of the group"
    await second(ledger, others[1], group_id=0)
    await ledger.execute("UPDATE proposal SET next_at = :now", now=to_ms(ledger.clock()))
    await go(ledger)
    row = await idea(ledger)
    assert (row.stage, row.stage_since) == ("group", to_ms(ledger.clock())), "nobody could refuse that"
    await carry(ledger)
    people = {one.member_id for one in await ledger.rows(row.campaign_id)} - {group}
    assert people == set(others[:4])
    ledger.clock.advance(hours=24)
    await go(ledger)
    row = await idea(ledger)
    assert (row.status, row.campaign_id, row.next_at) == ("open", 0, None)
    assert "Once 3 people second it" in (await told(ledger))[-1]


async def second(ledger: Ledger, member_id: int, *, group_id: int) -> None:
    await ledger.execute(
        "INSERT INTO proposal_second (proposal_id, about, member_id, address_hash, group_id, at)"
        " SELECT id, 'idea', :member, :hash, :group, 0 FROM proposal",
        member=member_id, hash=str(member_id), group=group_id,
    )  # fmt: skip
