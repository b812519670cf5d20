"""The inbox: what no rule understood, who has it, what is answered, and what a person makes of it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from router.community.inbox import assign, claim, release
from router.community.inbox_answers import answer, close
from router.community.inbox_threads import OneThread, list_threads, read_thread
from router.community.inbox_watch import watch_inbox
from router.core.channel import Inbound, OptOut, Received
from router.core.errors import BadInput, NotAllowed, NotFound
from router.launch import cancel_campaign
from router.records.merge import merge_records
from router.watch import list_notices
from router.web.auth import create_token
from tests.support.ledger import Ledger

PHONE = "+33639980001"
_numbers = iter(range(1, 10**6))


async def writes(ledger: Ledger, *texts: str, sender: str = PHONE, channel: str = "sms") -> None:
    """Somebody writes to us, a minute apart."""
    for words in texts:
        ledger.clock.advance(minutes=1)
        event = Inbound(
            event_id=f"SM-in-{next(_numbers)}", sender=sender, recipient="+1", text=words, at=ledger.clock()
        )
        await ledger.submit(Received(events=(event,)), channel=channel)


async def asked(ledger: Ledger, **ask: Any) -> tuple[int, int]:
    """A member who got an ask by SMS; the member and the campaign."""
    [member] = await ledger.add_members(1, phone=PHONE)
    campaign = await ledger.launch_and_route(**ask)
    await ledger.send()
    return member, campaign


async def thread(ledger: Ledger, member: int) -> OneThread:
    return await read_thread(ledger.runtime, member)


async def answers(ledger: Ledger, member: int) -> list[tuple[str, str]]:
    """(who wrote it, words) of what we wrote back."""
    return [(one.by, one.text) for one in (await thread(ledger, member)).said if one.by != "member"]


def handed(ledger: Ledger) -> list[str]:
    return [message.text for message in ledger.sms.handed]


async def count(ledger: Ledger, statement: str) -> int:
    [[found]] = await ledger.execute(statement)
    return int(found)


async def test_what_no_rule_understands_waits_for_a_person(ledger: Ledger) -> None:
    member, campaign = await asked(ledger)
    sent = len(ledger.sms.handed)
    await writes(ledger, "which bus stop?", "and can I bring my dog")
    await ledger.send()
    assert len(ledger.sms.handed) == sent, "silence is right: a person answers"
    found = (await thread(ledger, member)).thread
    assert (found.status, found.waiting, found.messages) == ("open", 2, 2)
    assert (found.campaign_id, found.campaign, found.channel) == (campaign, "Dinner", "sms")
    assert found.suggestion.kind == "stop", "it was the first that a person may see a meaning in"
    assert found.text == "which bus stop?"
    assert "STOP" in found.suggestion.answer
    assert found.waiting_since == ledger.clock() - timedelta(minutes=1)
    assert await count(ledger, "SELECT count(*) FROM suppression") == 0


async def test_what_a_rule_understands_is_in_no_thread(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "YES", "LESS", "HELP")
    with pytest.raises(NotFound, match="no thread"):
        await thread(ledger, member)


async def test_a_thread_is_read_across_channels_in_order(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone=PHONE, channels=("sms", "email"))
    campaign = await ledger.launch_and_route()
    await ledger.send()
    await writes(ledger, "hm, what is this about")
    await writes(ledger, "it is me again", sender=f"member{member}@example.org", channel="email")
    ledger.clock.advance(minutes=1)
    await answer(ledger.runtime, member, "A dinner with your neighbours.", by="Bo", now=ledger.clock())
    await ledger.send("email")
    found = await thread(ledger, member)
    assert [(one.by, one.channel, one.text) for one in found.said] == [
        ("member", "sms", "hm, what is this about"),
        ("member", "email", "it is me again"),
        ("Bo", "email", "A dinner with your neighbours."),
    ]
    assert found.said[-1].status == "sent"
    assert found.last_ask is not None
    assert (found.last_ask.campaign_id, found.last_ask.channel) == (campaign, "sms")
    assert found.last_ask.text == "Dinner, {{ first_name }}?"


async def test_an_answer_closes_the_waiting_and_leaves_at_once(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    ledger.clock.now = ledger.clock.now.replace(hour=2) + timedelta(days=1)  # a night on which nothing else may leave
    await answer(ledger.runtime, member, "At the harbour.", by="Bo", now=ledger.clock())
    await ledger.send()
    assert handed(ledger)[-1] == "At the harbour."
    found = (await thread(ledger, member)).thread
    assert (found.status, found.claimed_by, found.waiting) == ("claimed", "Bo", 0)
    assert (found.waiting_since, found.last_out_at) == (None, ledger.clock())


async def test_what_came_while_it_was_answered_stays_waiting(ledger: Ledger) -> None:
    """The organizer had read one message; the second must not be lost with the answer to the first."""
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    read = (await thread(ledger, member)).thread.messages
    await writes(ledger, "and when")
    await answer(ledger.runtime, member, "At the harbour.", by="Bo", now=ledger.clock(), read=read)
    found = (await thread(ledger, member)).thread
    assert (found.waiting, found.waiting_since) == (1, ledger.clock())
    await answer(ledger.runtime, member, "At eight.", by="Bo", now=ledger.clock(), read=found.messages)
    assert (await thread(ledger, member)).thread.waiting == 0


async def test_answer_and_message_at_the_same_moment_are_both_kept(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    events = [
        Inbound(event_id=f"SM-race-{n}", sender=PHONE, recipient="+1", text=f"hello {n}", at=ledger.clock())
        for n in range(8)
    ]
    async with ledger.receiver.running():
        await asyncio.gather(
            answer(ledger.runtime, member, "At the harbour.", by="Bo", now=ledger.clock(), read=1),
            *(ledger.receiver.submit("sms", "main", Received(events=(event,)), ledger.clock()) for event in events),
        )
    found = (await thread(ledger, member)).thread
    assert (found.messages, found.waiting, found.claimed_by) == (9, 8, "Bo")


async def test_of_many_organizers_who_claim_at_once_one_has_it(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    names = [f"organizer {n}" for n in range(12)]
    results = await asyncio.gather(
        *(claim(ledger.runtime, member, by=name, now=ledger.clock()) for name in names), return_exceptions=True
    )
    [winner] = [name for name, result in zip(names, results, strict=True) if result is None]
    found = (await thread(ledger, member)).thread
    assert (found.status, found.claimed_by) == ("claimed", winner)
    losers = [result for result in results if result is not None]
    assert all(isinstance(result, NotAllowed) and str(result).startswith(winner) for result in losers)
    assert await count(ledger, "SELECT count(*) FROM audit WHERE what = 'thread.claim'") == 1


async def test_who_has_a_thread_keeps_it_until_it_is_given_up(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    runtime, now = ledger.runtime, ledger.clock()
    await claim(runtime, member, by="Ana", now=now)
    for work in (
        claim(runtime, member, by="Bo", now=now),
        release(runtime, member, by="Bo", now=now),
        answer(runtime, member, "Hello", by="Bo", now=now),
        close(runtime, member, by="Bo", now=now),
    ):
        with pytest.raises(NotAllowed, match="Ana has had this thread"):
            await work
    await claim(runtime, member, by=" ana ", now=now)
    await release(runtime, member, by="Ana", now=now)
    await claim(runtime, member, by="Bo", now=now)
    await assign(runtime, member, to="Cy", by="Ana", now=now)
    assert (await thread(ledger, member)).thread.claimed_by == "Cy"


async def test_it_is_assigned_to_organizers_only(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    await create_token(ledger.store, "Cy", "inbox:write", ledger.clock())
    await create_token(ledger.store, "Reader", "inbox:read", ledger.clock())
    await assign(ledger.runtime, member, to="cy ", by="Ana", now=ledger.clock())
    assert (await thread(ledger, member)).thread.claimed_by == "Cy"
    for stranger in ("Reader", "Cyy", " "):
        with pytest.raises(BadInput):
            await assign(ledger.runtime, member, to=stranger, by="Ana", now=ledger.clock())


async def test_a_claim_that_nobody_uses_goes_stale(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    await claim(ledger.runtime, member, by="Ana", now=ledger.clock())
    ledger.clock.advance(hours=4)
    await claim(ledger.runtime, member, by="Bo", now=ledger.clock())
    ledger.clock.advance(hours=4)
    await watch_inbox(ledger.runtime, now=ledger.clock())
    found = (await thread(ledger, member)).thread
    assert (found.status, found.claimed_by) == ("open", None)
    await answer(ledger.runtime, member, "At the harbour.", by="Bo", now=ledger.clock())
    ledger.clock.advance(hours=4)
    await watch_inbox(ledger.runtime, now=ledger.clock())
    assert (await thread(ledger, member)).thread.status == "done", "it was answered, and nobody went on"


async def test_who_writes_again_opens_a_thread_that_was_done(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    await close(ledger.runtime, member, by="Bo", now=ledger.clock())
    found = (await thread(ledger, member)).thread
    assert (found.status, found.claimed_by, found.waiting) == ("done", None, 0)
    assert (await list_threads(ledger.runtime)).threads == []
    await writes(ledger, "hello??")
    found = (await thread(ledger, member)).thread
    assert (found.status, found.waiting, found.suggestion.kind, found.text) == ("open", 1, "", "hello??")


@pytest.mark.parametrize("words", ["", "   \n "])
async def test_an_empty_message_is_one_entry_and_gets_no_answer(ledger: Ledger, words: str) -> None:
    """An empty MMS, a picture alone."""
    member, _ = await asked(ledger)
    sent = len(ledger.sms.handed)
    await writes(ledger, words)
    await ledger.send()
    found = (await thread(ledger, member)).thread
    assert (found.waiting, found.suggestion.kind) == (1, "empty")
    assert len(ledger.sms.handed) == sent


async def test_sixteen_hundred_emoji_are_kept(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "🦀" * 1_600, "🦀" * 20_000)
    found = await thread(ledger, member)
    assert [len(one.text) for one in found.said] == [1_600, 10_000]
    assert found.thread.waiting == 2


async def test_the_same_webhook_twice_is_one_entry(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    event = Inbound(event_id="SM-same", sender=PHONE, recipient="+1", text="where is it", at=ledger.clock())
    async with ledger.receiver.running():
        await asyncio.gather(
            *(ledger.receiver.submit("sms", "main", Received(events=(event,)), ledger.clock()) for _ in range(5))
        )
    await ledger.submit(Received(events=(event,)))
    found = await thread(ledger, member)
    assert (found.thread.messages, len(found.said)) == (1, 1)


async def test_a_guess_at_stop_is_done_as_a_stop_would_be(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await ledger.add_members(1)
    await writes(ledger, "please stop at my door on the way")
    assert (await thread(ledger, member)).thread.suggestion.kind == "stop"
    waiting = await ledger.launch_and_route(starts_at_local="2026-11-21T12:00:00")
    await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    assert (await thread(ledger, member)).thread.status == "done"
    rows = {row.member_id: (row.status, row.reason) for row in await ledger.rows(waiting)}
    assert rows[member] == ("cancelled", "suppressed")
    assert await count(ledger, "SELECT count(*) FROM suppression WHERE channel = 'sms' AND reason = 'stop'") == 1
    [[source]] = await ledger.execute("SELECT source FROM consent WHERE state = 'revoked'")
    assert source == "reply by sms, as Bo understood it"
    with pytest.raises(NotAllowed, match="STOP"):
        await answer(ledger.runtime, member, "Are you sure?", by="Bo", now=ledger.clock())
    await ledger.assert_tally_is_right(waiting)


async def test_a_guess_at_a_number_is_an_action_on_the_ask_it_was_about(ledger: Ledger) -> None:
    """Another ask reached them meanwhile; the answer still belongs to the first."""
    member, campaign = await asked(ledger)
    await writes(ledger, "we might be 3 or so")
    assert (await thread(ledger, member)).thread.suggestion.kind == "number"
    await ledger.launch_and_route(title="Another")
    await ledger.send()
    await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    [row] = await ledger.execute("SELECT member_id, campaign_id, kind FROM action")
    assert tuple(row) == (member, campaign, "number")


async def test_what_a_rule_answers_for_an_organizer_is_their_word(ledger: Ledger) -> None:
    """It comes long after the message, so consent is looked at again, as for any other word of a person."""
    texts = {"en": {"default": {"text": "Give what you can: {{ link }}"}}}
    member, campaign = await asked(ledger, texts=texts, wants="give", link="https://give.example.org")
    await writes(ledger, "could I give something next week instead")
    assert (await thread(ledger, member)).thread.suggestion.kind == "give"
    ledger.clock.advance(hours=12)
    await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    [action] = await ledger.execute("SELECT campaign_id, kind FROM action")
    assert tuple(action) == (campaign, "give")
    assert await ledger.execute("SELECT kind FROM reply_text") == [("person",)]
    [(by, words)] = await answers(ledger, member)
    assert by == "Bo"
    await ledger.send()
    assert handed(ledger)[-1] == words


async def test_a_guess_at_less_turns_the_dial(ledger: Ledger) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "hm")
    await ledger.execute("UPDATE thread SET suggestion = 'less'")
    await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    assert await count(ledger, "SELECT count(*) FROM member WHERE dial = 'weekly'") == 1


@pytest.mark.parametrize("kind", ["", "empty", "start", "help", "nonsense", "channel"])
async def test_what_cannot_be_done_by_itself_is_left_to_the_organizer(ledger: Ledger, kind: str) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "hm")
    await ledger.execute("UPDATE thread SET suggestion = :kind, value = 'telegram'", kind=kind)
    with pytest.raises(NotAllowed):
        await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    assert (await thread(ledger, member)).thread.status == "open", "nothing is half done"


async def test_nothing_but_a_stop_is_done_for_somebody_who_asked_for_silence(ledger: Ledger) -> None:
    member, campaign = await asked(ledger)
    await writes(ledger, "we might be 3 or so")
    event = OptOut(event_id="out", address=PHONE, at=ledger.clock())
    await ledger.submit(Received(events=(event,)))
    with pytest.raises(NotAllowed, match="silence"):
        await close(ledger.runtime, member, by="Bo", now=ledger.clock(), as_suggested=True)
    assert await count(ledger, "SELECT count(*) FROM action") == 0
    await close(ledger.runtime, member, by="Bo", now=ledger.clock())
    await cancel_campaign(ledger.runtime, campaign, by="Bo", now=ledger.clock())


@pytest.mark.parametrize("words", ["", "  ", "x" * 1_601])
async def test_words_that_cannot_be_an_answer(ledger: Ledger, words: str) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "where is it")
    with pytest.raises(BadInput):
        await answer(ledger.runtime, member, words, by="Bo", now=ledger.clock())
    assert await answers(ledger, member) == []


async def test_who_waits_too_long_is_told_of_once(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    member, _ = await asked(ledger)
    await writes(ledger, "my secret question")
    with caplog.at_level(logging.WARNING):
        ledger.clock.advance(minutes=59)
        assert await watch_inbox(ledger.runtime, now=ledger.clock()) == 0
        ledger.clock.advance(minutes=1)
        assert await watch_inbox(ledger.runtime, now=ledger.clock()) == 1
        assert await watch_inbox(ledger.runtime, now=ledger.clock()) == 0
    [line] = [record.getMessage() for record in caplog.records if record.name.endswith("inbox_watch")]
    assert not [told for told in (PHONE, "secret", "Ana") if told in line]
    [notice] = await list_notices(ledger.runtime)
    assert (notice.kind, notice.subject, notice.count) == ("inbox", str(member), 1)
    assert not [told for told in (PHONE, "secret", "Ana") if told in notice.sentence]
    await answer(ledger.runtime, member, "Here I am.", by="Bo", now=ledger.clock())
    assert await list_notices(ledger.runtime) == []
    await writes(ledger, "thanks, and one more")
    ledger.clock.advance(hours=1)
    assert await watch_inbox(ledger.runtime, now=ledger.clock()) == 1, "another wait is another notice"


async def test_the_list_goes_from_those_who_wait_longest_page_by_page(ledger: Ledger) -> None:
    phones = [f"+3363998000{n}" for n in range(1, 6)]
    members = [(await ledger.add_members(1, phone=phone))[0] for phone in phones]
    for place in (2, 0, 4, 1, 3):
        await writes(ledger, "hello there", sender=phones[place])
    await answer(ledger.runtime, members[0], "Hello", by="Bo", now=ledger.clock())
    await close(ledger.runtime, members[4], by="Bo", now=ledger.clock())
    found: list[int] = []
    after = ""
    while True:
        page = await list_threads(ledger.runtime, limit=1, after=after)
        found += [one.member_id for one in page.threads]
        after = page.next
        if not after:
            break
    assert found == [members[2], members[1], members[3], members[0]]
    mine = await list_threads(ledger.runtime, mine="bo")
    assert [one.member_id for one in mine.threads] == [members[0]]
    done = await list_threads(ledger.runtime, status="done")
    assert [one.member_id for one in done.threads] == [members[4]]
    with pytest.raises(BadInput):
        await list_threads(ledger.runtime, after="page two")


async def test_two_records_of_one_person_have_one_thread(ledger: Ledger) -> None:
    other = "+33639980002"
    [keep] = await ledger.add_members(1, phone=PHONE)
    [lose] = await ledger.add_members(1, phone=other)
    [alone] = await ledger.add_members(1, phone="+33639980003")
    await writes(ledger, "hello there")
    await close(ledger.runtime, keep, by="Bo", now=ledger.clock())
    await writes(ledger, "hello again", "and again", sender=other)
    async with ledger.store.write() as connection:
        await merge_records(connection, keep=keep, lose=lose)
    found = await thread(ledger, keep)
    assert (found.thread.status, found.thread.waiting, found.thread.messages) == ("open", 2, 3)
    assert [one.text for one in found.said] == ["hello there", "hello again", "and again"]
    async with ledger.store.write() as connection:
        await merge_records(connection, keep=alone, lose=keep)
    assert (await thread(ledger, alone)).thread.waiting == 2


async def test_in_a_household_the_thread_is_of_whom_was_asked(ledger: Ledger) -> None:
    first, second = await ledger.add_members(2, phone=PHONE)
    await ledger.launch_and_route(audience={"op": "members", "ids": [second]})
    await ledger.send()
    await writes(ledger, "where is it")
    assert [one.text for one in (await thread(ledger, second)).said] == ["where is it"]
    with pytest.raises(NotFound):
        await thread(ledger, first)
