"""JOIN <code> by reply: members and strangers, once, with the consent that their own words are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from router.community.join_codes import JoinCodeIn, close_code, create_code, list_codes
from router.core.channel import Inbound, Keyword, Received
from router.core.errors import BadInput, NotAllowed, NotFound
from router.receive import Receiver
from tests.support.ledger import Ledger
from tests.support.runtime import build_runtime

STRANGER = "+33639980009"
CODE = JoinCodeIn(code="DINNERS", title="Dinners", tags=["Dinner Guest"], first_step="Reply HOST to open your home.")


async def says(ledger: Ledger, text: str, *, sender: str = STRANGER, number: int = 1, **more: Any) -> None:
    event = Inbound(
        event_id=f"SM-{number}-{sender}", sender=sender, recipient="+1", text=text, at=ledger.clock(), **more
    )
    await ledger.submit(Received(events=(event,)))


async def answers(ledger: Ledger) -> list[str]:
    """What the program wrote back by now, in order."""
    rows = await ledger.execute("SELECT text FROM reply_text ORDER BY delivery_id")
    return [row.text for row in rows]


async def opened(ledger: Ledger, **changes: Any) -> None:
    await create_code(ledger.runtime, CODE.model_copy(update=changes), by="ana", now=ledger.clock())


async def people(ledger: Ledger) -> list[Any]:
    return list(
        await ledger.execute(
            "SELECT m.id, m.locale, m.zone, m.joined_by, a.value, a.consent FROM member m"
            " JOIN address a ON a.member_id = m.id ORDER BY m.id"
        )
    )


async def consents(ledger: Ledger) -> list[tuple[str, str, str]]:
    rows = await ledger.execute("SELECT state, source, wording FROM consent ORDER BY id")
    return [tuple(row) for row in rows]


async def tags(ledger: Ledger) -> list[tuple[str, int]]:
    return [tuple(row) for row in await ledger.execute("SELECT tag, member_id FROM member_tag ORDER BY member_id")]


# ── strangers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stranger_becomes_a_member_and_is_welcomed_once(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False)
    await opened(ledger, campaign_id=campaign)
    await says(ledger, "JOIN DINNERS")
    [one] = await people(ledger)
    assert (one.locale, one.zone, one.joined_by) == ("en", "Europe/Paris", campaign)
    assert (one.value, one.consent) == (STRANGER, "granted")
    assert await consents(ledger) == [("granted", "JOIN DINNERS by sms", "JOIN DINNERS")]
    assert await tags(ledger) == [("dinner guest", one.id)]
    [welcome] = await answers(ledger)
    assert welcome.startswith("Tenants Together: welcome! You will hear from us at most 3 times a week.")
    assert "STOP" in welcome
    assert welcome.endswith("Reply HOST to open your home.")
    await ledger.send()
    assert [message.text for message in ledger.sms.handed] == [welcome]
    [inbound] = await ledger.execute("SELECT member_id, intent FROM inbound")
    assert tuple(inbound) == (one.id, "join")


async def test_join_again_brings_one_short_answer_and_no_second_welcome(ledger: Ledger) -> None:
    await opened(ledger)
    for number in range(4):
        ledger.clock.advance(minutes=1)
        await says(ledger, "join dinners", number=number)
    first, *others = await answers(ledger)
    assert "welcome" in first
    assert others == ["Tenants Together: you are in. STOP ends it at any time."]
    assert len(await people(ledger)) == 1
    assert len(await consents(ledger)) == 1


async def test_the_same_webhook_twice_is_one_join(ledger: Ledger) -> None:
    await opened(ledger)
    for _ in range(2):
        await says(ledger, "JOIN DINNERS")
    assert len(await answers(ledger)) == 1
    assert len(await people(ledger)) == 1


@pytest.mark.parametrize("words", ["JOIN DINERS", "JOIN NOSUCH7", "Unirse CENA9"])
async def test_a_code_that_is_none_gets_one_friendly_sentence_and_no_consent(ledger: Ledger, words: str) -> None:
    await opened(ledger)
    for number in range(3):
        await says(ledger, words, number=number)
    [sentence] = await answers(ledger)
    assert ("do not know that code" in sentence) or ("no conocemos ese código" in sentence)
    assert [one.consent for one in await people(ledger)] == ["unconfirmed"]
    assert await tags(ledger) == []
    ledger.clock.advance(minutes=1)
    await says(ledger, "JOIN DINNERS", number=9)
    assert [one.consent for one in await people(ledger)] == ["granted"]
    assert len(await answers(ledger)) == 2


async def test_a_closed_code_lets_nobody_in(ledger: Ledger) -> None:
    await opened(ledger)
    await close_code(ledger.runtime, "dinners", by="ana", now=ledger.clock())
    await says(ledger, "JOIN DINNERS")
    assert [one.consent for one in await people(ledger)] == ["unconfirmed"]
    [sentence] = await answers(ledger)
    assert "do not know that code, or it is closed" in sentence


async def test_an_everyday_sentence_is_no_join(ledger: Ledger) -> None:
    await opened(ledger)
    await says(ledger, "join later maybe")
    assert await people(ledger) == []
    assert await answers(ledger) == []


async def test_join_without_a_code_takes_the_only_open_one(ledger: Ledger) -> None:
    await opened(ledger)
    await says(ledger, "JOIN")
    [welcome] = await answers(ledger)
    assert welcome.endswith("open your home.")
    await opened(ledger, code="CALLS", title="Calls")
    await says(ledger, "JOIN", sender="+33639980010", number=2)
    assert [one.consent for one in await people(ledger)] == ["granted", "unconfirmed"]


@pytest.mark.parametrize("sender", ["12345", "TWILIO", "+1900555", ""])
async def test_what_is_no_persons_address_joins_nothing(ledger: Ledger, sender: str) -> None:
    await opened(ledger)
    await says(ledger, "JOIN DINNERS", sender=sender)
    assert await people(ledger) == []
    assert await answers(ledger) == []


async def test_who_said_stop_is_told_how_to_come_back_and_nothing_more(ledger: Ledger) -> None:
    await opened(ledger)
    await says(ledger, "STOP")
    await says(ledger, "JOIN DINNERS", number=2)
    assert [one.consent for one in await people(ledger)] != ["granted"]
    assert "Reply START" in (await answers(ledger))[-1]
    await says(ledger, "START", number=3)
    ledger.clock.advance(hours=13)
    await says(ledger, "JOIN DINNERS", number=4)
    assert [one.consent for one in await people(ledger)] == ["granted"]
    assert "welcome!" in (await answers(ledger))[-1]


async def test_two_joins_at_the_same_moment_make_one_member(ledger: Ledger) -> None:
    await opened(ledger)
    events = [
        Inbound(event_id=f"SM-{n}", sender=STRANGER, recipient="+1", text="JOIN DINNERS", at=ledger.clock())
        for n in range(8)
    ]
    processes = [Receiver(build_runtime(ledger.store, clock=ledger.clock, channels=ledger.runtime.channels))] * 1
    processes += [Receiver(ledger.runtime) for _ in range(3)]

    async def hear(process: Receiver, some: list[Inbound]) -> None:
        async with process.running():
            for one in some:
                await process.submit("sms", "main", Received(events=(one,)), ledger.clock())

    await asyncio.gather(*(hear(process, events[n::4]) for n, process in enumerate(processes)))
    assert len(await people(ledger)) == 1
    said = await answers(ledger)
    assert sum("welcome!" in words for words in said) == 1
    assert len(await consents(ledger)) == 1


async def test_a_whatsapp_number_that_is_known_on_sms_is_the_same_person(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone=STRANGER)
    await ledger.execute("UPDATE member SET locale = 'es'")
    await opened(ledger)
    event = Inbound(event_id="WA1", sender=STRANGER, recipient="+1", text="JOIN DINNERS", at=ledger.clock())
    await ledger.submit(Received(events=(event,)), channel="whatsapp")
    rows = await ledger.execute("SELECT member_id, channel, consent FROM address ORDER BY channel")
    assert [tuple(row) for row in rows] == [(member, "sms", "granted"), (member, "whatsapp", "granted")]
    [one] = await ledger.execute("SELECT locale FROM member")
    assert one.locale == "es", "what we know of somebody is not changed by the language of a command"
    assert "te damos la bienvenida" in (await answers(ledger))[0]


async def test_a_chat_that_was_opened_by_a_code_joins(ledger: Ledger) -> None:
    await opened(ledger)
    for number in range(2):
        event = Inbound(
            event_id=f"T{number}", sender="5150", recipient="1", text="/start", at=ledger.clock(), payload="dinners",
            keyword=Keyword.START,
        )  # fmt: skip
        await ledger.submit(Received(events=(event,)), channel="telegram")
    rows = await ledger.execute("SELECT channel, value, account, consent FROM address")
    assert [tuple(row) for row in rows] == [("telegram", "5150", "main", "granted")]
    welcome, again = await answers(ledger)
    assert "welcome!" in welcome
    assert again == "Tenants Together: you are in. STOP ends it at any time."


# ── members ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_member_gets_the_tags_and_one_welcome_for_each_channel(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, phone=STRANGER)
    await opened(ledger)
    await says(ledger, "JOIN DINNERS")
    assert await tags(ledger) == [("dinner guest", member)]
    assert await consents(ledger) == [("granted", "JOIN DINNERS by sms", "JOIN DINNERS")]
    assert "welcome!" in (await answers(ledger))[0]
    assert [one.joined_by for one in await people(ledger)] == [0], "they had joined long before"


async def test_a_second_code_is_told_by_its_name(ledger: Ledger) -> None:
    await opened(ledger)
    await opened(ledger, code="CALLS", title="Call night", tags=["caller"])
    await says(ledger, "JOIN DINNERS")
    for number in (2, 3):
        await says(ledger, "JOIN CALLS", number=number)
    assert (await answers(ledger))[1:] == [
        'Tenants Together: you are in, now also for "Call night". STOP ends it at any time.'
    ]
    assert sorted(tag for tag, _ in await tags(ledger)) == ["caller", "dinner guest"]


async def test_an_ask_with_join_as_its_own_word_keeps_it(ledger: Ledger) -> None:
    await opened(ledger)
    await ledger.add_members(1, phone=STRANGER)
    await ledger.launch_and_route(keywords=["JOIN"])
    await ledger.send()
    await says(ledger, "JOIN")
    assert await answers(ledger) == []
    assert await ledger.execute("SELECT 1 FROM joined") == []


# ── codes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_codes_are_listed_with_their_links_and_how_many_came(ledger: Ledger) -> None:
    await opened(ledger)
    await opened(ledger, code="CALLS", title="Calls")
    await close_code(ledger.runtime, "CALLS", by="ana", now=ledger.clock())
    await says(ledger, "JOIN DINNERS")
    dinners, calls = await list_codes(
        ledger.runtime, environment={"OUTREACH_SMS_FROM_NUMBER": "+1 2025550100,+12025550101"}
    )
    assert (dinners.code, dinners.joined, dinners.tags) == ("DINNERS", 1, ["dinner guest"])
    assert dinners.link == "https://outreach.example.org/join/DINNERS"
    assert dinners.sms == "sms:+12025550100?body=JOIN%20DINNERS"
    assert (calls.code, calls.joined, calls.closed_at) == ("CALLS", 0, ledger.clock())
    audit = await ledger.execute("SELECT what, subject, who FROM audit ORDER BY id")
    assert {row.who for row in audit} == {"ana"}
    assert [(row.what, row.subject) for row in audit] == [
        ("join_code.create", "DINNERS"), ("join_code.create", "CALLS"), ("join_code.close", "CALLS"),
    ]  # fmt: skip


async def test_what_cannot_be_a_code_is_refused(ledger: Ledger) -> None:
    await opened(ledger)
    with pytest.raises(NotAllowed, match="in use, or was"):
        await opened(ledger)
    with pytest.raises(BadInput, match="everyday word"):
        await opened(ledger, code="US")
    with pytest.raises(BadInput, match="there is no campaign 4711"):
        await opened(ledger, code="CALLS", campaign_id=4711)
    with pytest.raises(NotFound):
        await close_code(ledger.runtime, "NOSUCH", by="ana", now=ledger.clock())
