"""A calling campaign in the ledger: CALL to DONE by reply, slots that are raced for, reminders, lines that close."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.community.call_counts import count_calls, list_results
from router.community.calls import close_line
from router.launch import cancel_campaign
from router.store.engine import Store
from tests.support.calling import NINE, Phones, actions, ask_for_calls, line, statuses, taken
from tests.support.ledger import Ledger
from tests.support.runtime import Clock


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """A fresh installation at nine."""
    return Ledger(store, clock=Clock(NINE))


@pytest.fixture
def phones(ledger: Ledger) -> Phones:
    return Phones(ledger)


# ── from CALL to DONE ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_from_call_to_done(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign, script="Keep the heating on.")
    said = await phones.says(ana, "CALL")
    assert "Minister Weber, +33639980999, between 10:30 and 10:40" in said
    assert "What to say: Keep the heating on." in said
    assert "DONE, BUSY or NO ANSWER" in said
    ledger.clock.advance(minutes=35)
    assert "Calls so far: 1. How did it go?" in await phones.says(ana, "Done!")
    assert "noted" in await phones.says(ana, "They were polite, and wrote it down")
    assert await actions(ledger, campaign) == ["yes", "called"]
    [result] = await list_results(ledger.runtime, campaign)
    assert (result.status, result.result) == ("called", "They were polite, and wrote it down")


async def test_done_counts_once_and_says_so_once(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "YES")
    assert "Calls so far: 1." in await phones.says(ana, "DONE they will think about it")
    assert "already" in await phones.says(ana, "DONE")
    assert await phones.says(ana, "DONE") == ""
    assert await phones.says(ana, "CALL") == ""
    assert await actions(ledger, campaign) == ["yes", "called"]
    [result] = await list_results(ledger.runtime, campaign)
    assert result.result == "they will think about it"


async def test_done_without_a_slot_still_counts(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    mine = await line(ledger, campaign)
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    ledger.clock.advance(minutes=1)
    assert "Calls so far: 2." in await phones.says(bo, "done, five minutes")
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.called, count.assigned, [one.line.id for one in count.lines]) == (2, 0, [mine.id])
    assert await taken(ledger) == {}


async def test_calling_early_frees_the_slot(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    assert await taken(ledger) == {"09:30": 1}
    await phones.says(ana, "DONE")
    assert await taken(ledger) == {}


async def test_busy_gives_another_slot(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=32)
    said = await phones.says(ana, "It was busy")
    assert "between 10:40 and 10:50" in said
    assert "busy is good" in said
    assert await taken(ledger) == {"09:40": 1}
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.assigned, count.busy, count.called) == (1, 1, 0)
    ledger.clock.advance(minutes=10)
    await phones.says(ana, "DONE")
    assert await statuses(ledger) == {"called": 1}


async def test_busy_at_the_end_is_thanked_for(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL 11:20")
    ledger.clock.advance(minutes=86)
    assert "no free time left" in await phones.says(ana, "BUSY")
    count = await count_calls(ledger.runtime, campaign, now=ledger.clock())
    assert (count.assigned, count.busy, count.unreached) == (0, 0, 1)


async def test_no_answer_is_kept_and_call_gives_another_time(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    ledger.clock.advance(minutes=33)
    assert "Reply CALL" in await phones.says(ana, "NO ANSWER")
    assert await statuses(ledger) == {"unreached": 1}
    assert "now, until 10:40" in await phones.says(ana, "CALL")
    assert await actions(ledger, campaign) == ["yes"]


async def test_another_time_and_the_same_again(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    assert "between 10:30" in await phones.says(ana, "CALL")
    assert "between 10:30" in await phones.says(ana, "CALL"), "who asks twice keeps what they have"
    assert "between 11:00" in await phones.says(ana, "CALL 11:05")
    assert "between 10:50" in await phones.says(ana, "10:50 please")
    assert await taken(ledger) == {"09:50": 1}
    assert await statuses(ledger) == {"assigned": 1}


async def test_a_time_alone_is_an_answer(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    await line(ledger, campaign)
    assert "between 11:10" in await phones.says(ana, "yes 11:15")
    assert await phones.says(bo, "I work until 15:00 and then I have to cook") == ""


async def test_no_gives_the_slot_back(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    assert "somebody else" in await phones.says(ana, "NO")
    assert await taken(ledger) == {}
    assert await actions(ledger, campaign) == ["yes", "no"]
    assert "between 10:30" in await phones.says(ana, "CALL")


async def test_a_no_at_once_is_an_answer_like_any_other(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    assert await phones.says(ana, "NO") == ""
    assert await actions(ledger, campaign) == ["no"]


async def test_a_question_is_for_people(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    await phones.says(ana, "DONE")
    for question in ("What did others say?", "please stop texting line 3"):
        assert await phones.says(ana, question) == ""
    [result] = await list_results(ledger.runtime, campaign)
    assert result.result == ""


async def test_done_after_another_ask_has_come(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await phones.says(ana, "CALL")
    await ledger.launch_and_route(title="Sign", texts={"en": {"default": {"text": "Sign?"}}}, wants="sign")
    await ledger.send()
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    assert await actions(ledger, campaign) == ["yes", "called"]


# ── where, and when ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_whom_to_call_depends_on_the_place(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo] = await ask_for_calls(ledger, 2)
    await line(ledger, campaign, name="Everybody's")
    await line(ledger, campaign, place="Lyon", name="Lyon's")
    await ledger.execute("UPDATE member SET place = ' LYON' WHERE id = (SELECT min(id) FROM member)")
    assert "Lyon's" in await phones.says(ana, "CALL")
    assert "Everybody's" in await phones.says(bo, "CALL")


async def test_who_has_no_place_is_asked_for_it(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana, bo, cy] = await ask_for_calls(ledger, 3)
    await line(ledger, campaign, place="Lyon", name="Lyon's")
    await line(ledger, campaign, place="75", name="Paris's")
    await ledger.execute(
        "INSERT INTO postcode (country, code, name, latitude, longitude) VALUES ('FR', '69002', 'Lyon', 45.7, 4.8)"
    )
    for phone, place, name in ((ana, "lyon", "Lyon's"), (bo, "75011 Paris", "Paris's"), (cy, "69002", "Lyon's")):
        assert "postcode or place (75, Lyon ...)" in await phones.says(phone, "CALL")
        assert await actions(ledger, campaign) == ["yes"] * (phones.count // 2)
        assert name in await phones.says(phone, place)


async def test_a_place_that_we_do_not_know(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign, place="Lyon")
    await phones.says(ana, "CALL")
    assert "no line for that place" in await phones.says(ana, "Atlantis")
    assert await phones.says(ana, "Avalon") == "", "then a person sees to it"
    assert "Minister Weber" in await phones.says(ana, "Lyon")


async def test_nobody_is_told_to_call_in_the_night(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    midnight = NINE.replace(hour=23)
    await line(ledger, campaign, opens_at=midnight, closes_at=midnight + timedelta(hours=1))
    assert "reply CALL 00:00" in await phones.says(ana, "CALL")
    assert await statuses(ledger) == {}
    assert "on Sat 21 Nov between 00:00 and 00:10" in await phones.says(ana, "CALL 00:00")


async def test_an_answer_in_their_own_language(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await ledger.execute("UPDATE member SET locale = 'de'")
    assert "zwischen 10:30 und 10:40" in await phones.says(ana, "JA")


async def test_without_a_line_the_ask_itself_says_whom_to_call(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    assert "reply DONE" in await phones.says(ana, "CALL")
    assert "ten minutes" in await phones.says(ana, "BUSY")
    assert "Calls so far: 1." in await phones.says(ana, "DONE")
    assert await actions(ledger, campaign) == ["yes", "called"]


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_line_that_is_closed_says_so_once(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    mine = await line(ledger, campaign)
    await close_line(ledger.runtime, mine.id, by="ana", now=ledger.clock())
    ledger.clock.advance(minutes=1)
    assert "this line is closed now" in await phones.says(ana, "CALL")
    assert await phones.says(ana, "CALL") == ""
    assert await actions(ledger, campaign) == []
    assert "Calls so far: 1." in await phones.says(ana, "DONE"), "they called before"


async def test_a_campaign_that_was_cancelled(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger)
    await line(ledger, campaign)
    await cancel_campaign(ledger.runtime, campaign, by="ana", now=ledger.clock())
    assert "this line is closed now" in await phones.says(ana, "CALL")


async def test_the_hours_of_the_line_count_not_those_of_the_message(ledger: Ledger, phones: Phones) -> None:
    campaign, [ana] = await ask_for_calls(ledger, deadline=(NINE + timedelta(hours=1)).isoformat())
    later = NINE + timedelta(days=2)
    await line(ledger, campaign, opens_at=later, closes_at=later + timedelta(hours=1))
    ledger.clock.advance(hours=2)
    assert "on Sun 22 Nov between 10:00 and 10:10" in await phones.says(ana, "CALL")
