"""The form and its double opt-in, and YES: the RSVP where something is asked, opt-in where nothing is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from router.community.join_codes import Code, JoinCodeIn, create_code, read_code
from router.community.joining_confirm import confirm_address
from router.community.joining_form import MOST_ASKS, Filled, take_form, wording
from router.community.turn import ask_somebody
from router.community.welcome import welcome_new_member
from router.core.channel import Inbound, Received
from router.core.errors import BadInput
from router.door import who_enters
from tests.support.ledger import Ledger

PHONE = "+33639980009"
WELCOME = "welcome!"
CONFIRM = "did you ask to hear from us (Dinners)? Reply YES"


async def says(ledger: Ledger, text: str, *, sender: str = PHONE, number: int = 1) -> None:
    event = Inbound(event_id=f"SM-{number}", sender=sender, recipient="+1", text=text, at=ledger.clock())
    await ledger.submit(Received(events=(event,)))


async def answers(ledger: Ledger) -> list[str]:
    rows = await ledger.execute("SELECT text FROM reply_text ORDER BY delivery_id")
    return [row.text for row in rows]


async def states(ledger: Ledger) -> dict[str, str]:
    """Address → what its owner's word amounts to."""
    return {row.value: row.consent for row in await ledger.execute("SELECT value, consent FROM address")}


@pytest.fixture
async def code(ledger: Ledger) -> Code:
    """One way in."""
    body = JoinCodeIn(code="DINNERS", title="Dinners", tags=["dinner"], first_step="Tell a neighbour.")
    await create_code(ledger.runtime, body, by="ana", now=ledger.clock())
    async with ledger.store.read() as connection:
        found = await read_code(connection, "DINNERS")
    assert found is not None
    return found


def form(**more: Any) -> Filled:
    return Filled(**{"addresses": {"sms": PHONE}, "locale": "en", "first_name": "Ana", "postcode": "75011", **more})


async def fill_in(ledger: Ledger, code: Code, **more: Any) -> int:
    return await take_form(ledger.runtime, code, form(**more), now=ledger.clock())


# ── the form ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_phone_is_asked_confirms_with_yes_and_is_welcomed(ledger: Ledger, code: Code) -> None:
    assert await fill_in(ledger, code) == 1
    assert await states(ledger) == {PHONE: "unconfirmed"}
    await ledger.send()
    [asked] = [message.text for message in ledger.sms.handed]
    assert CONFIRM in asked
    [first] = await ledger.execute("SELECT state, source, wording FROM consent")
    assert first.wording == wording(ledger.runtime, "sms", "en"), "word for word"
    assert first.source.startswith("join form DINNERS, wording ")
    await says(ledger, "Yes please!")
    assert await states(ledger) == {PHONE: "granted"}
    consents = await ledger.execute("SELECT state, source, wording FROM consent ORDER BY id")
    assert [tuple(row) for row in consents][1:] == [("granted", "YES by sms", "Yes please!")]
    await ledger.send()
    welcome = ledger.sms.handed[-1].text
    assert WELCOME in welcome
    assert welcome.endswith("Tell a neighbour."), "of the code by which they came"
    assert await ledger.execute("SELECT count(*) FROM action") == [(0,)], "a YES to us is no answer to an ask"


async def test_start_confirms_too_and_brings_the_welcome_in_place_of_welcome_back(ledger: Ledger, code: Code) -> None:
    await fill_in(ledger, code)
    await says(ledger, "START")
    assert await states(ledger) == {PHONE: "granted"}
    _, words = await answers(ledger)
    assert WELCOME in words
    assert [row.tag for row in await ledger.execute("SELECT tag FROM member_tag")] == ["dinner"]
    await says(ledger, "START", number=2)
    assert "welcome back" in (await answers(ledger))[2]


async def test_an_unconfirmed_address_gets_no_ask(ledger: Ledger, code: Code) -> None:
    await fill_in(ledger, code)
    campaign = await ledger.launch_and_route()
    assert {row.reason for row in await ledger.rows(campaign)} == {"unconfirmed"}


async def test_the_same_form_twice_asks_once_a_day_and_three_times_in_all(ledger: Ledger, code: Code) -> None:
    asked = []
    for _ in range(6):
        asked.append([await fill_in(ledger, code) for _ in range(3)])
        ledger.clock.advance(days=1)
    assert asked == [[1, 0, 0]] * MOST_ASKS + [[0, 0, 0]] * 3
    assert len(await states(ledger)) == 1


async def test_an_address_that_said_stop_gets_nothing_and_is_not_kept(ledger: Ledger, code: Code) -> None:
    await says(ledger, "STOP")
    assert await fill_in(ledger, code) == 0
    assert await states(ledger) == {}
    assert await answers(ledger) == []


async def test_a_form_about_somebody_known_changes_nothing_of_theirs(ledger: Ledger, code: Code) -> None:
    [member] = await ledger.add_members(1, phone=PHONE)
    before = await ledger.execute("SELECT first_name, locale, postcode, updated_at FROM member")
    addresses = {"sms": PHONE, "email": "mallory@example.org"}
    assert await fill_in(ledger, code, first_name="Mallory", locale="de", addresses=addresses) == 1
    mine = await ledger.execute("SELECT first_name, locale, postcode, updated_at FROM member WHERE id = :id", id=member)
    assert mine == before
    owners = await ledger.execute("SELECT member_id FROM address WHERE value = 'mallory@example.org'")
    assert [row.member_id for row in owners] != [member], "else whoever knows a number could read its owner's asks"
    assert [message for message in await answers(ledger) if "Reply YES" in message] == []
    assert await ledger.execute("SELECT tag FROM member_tag WHERE member_id = :id", id=member) == []


async def test_a_member_without_consent_is_asked_and_keeps_their_record(ledger: Ledger, code: Code) -> None:
    [member] = await ledger.add_members(1, phone=PHONE)
    await ledger.execute("UPDATE address SET consent = 'none'")
    assert await fill_in(ledger, code, first_name="Mallory") == 1
    await says(ledger, "YES")
    assert await states(ledger) == {PHONE: "granted"}
    assert await ledger.execute("SELECT first_name FROM member") == [(f"Ana{member}",)]
    assert await ledger.execute("SELECT member_id, tag FROM member_tag") == [(member, "dinner")]


@pytest.mark.parametrize(
    ("addresses", "place"),
    [({}, "phone"), ({"sms": "12"}, "phone"), ({"email": "ana@"}, "email"), ({"sms": "+19005550100"}, "phone")],
)
async def test_what_is_no_address_is_refused_by_name(
    ledger: Ledger, code: Code, addresses: dict[str, str], place: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await fill_in(ledger, code, addresses=addresses)
    assert refused.value.place == place
    assert await states(ledger) == {}


async def test_a_mailbox_confirms_by_its_own_link_and_is_welcomed_once(ledger: Ledger, code: Code) -> None:
    assert await fill_in(ledger, code, addresses={"email": "ana@example.org"}) == 1
    await ledger.send("email")
    [message] = ledger.email.handed
    assert "https://outreach.example.org/join/confirm/" in message.text
    assert message.subject == "Tenants Together"
    [address] = await ledger.execute("SELECT id FROM address")
    for _ in range(2):
        assert await confirm_address(ledger.runtime, address.id, now=ledger.clock()) == "en"
    assert await states(ledger) == {"ana@example.org": "granted"}
    granted = await ledger.execute("SELECT source, wording FROM consent WHERE state = 'granted'")
    agreed = wording(ledger.runtime, "email", "en")
    assert [tuple(row) for row in granted] == [("join form DINNERS, confirmed by its own link", agreed)]
    await ledger.send("email")
    assert [WELCOME in one.text for one in ledger.email.handed] == [False, True]


async def test_a_link_confirms_nothing_after_a_stop(ledger: Ledger, code: Code) -> None:
    await fill_in(ledger, code, addresses={"email": "ana@example.org"})
    [address] = await ledger.execute("SELECT id, hash FROM address")
    await ledger.execute(
        "INSERT INTO suppression (address_hash, channel, reason, source, at) VALUES (:hash, 'email', 'stop', '', 0)",
        hash=address.hash,
    )
    assert await confirm_address(ledger.runtime, address.id, now=ledger.clock()) is None
    assert await states(ledger) == {"ana@example.org": "unconfirmed"}


async def test_two_forms_at_the_same_moment_make_one_member(ledger: Ledger, code: Code) -> None:
    asked = await asyncio.gather(*(fill_in(ledger, code) for _ in range(8)))
    assert sum(asked) == 1
    assert await ledger.execute("SELECT count(*) FROM member") == [(1,)]


async def test_a_question_that_could_not_leave_within_an_hour_is_not_asked(ledger: Ledger, code: Code) -> None:
    await fill_in(ledger, code)
    ledger.clock.advance(hours=2)
    await ledger.send()
    assert ledger.sms.handed == []


# ── YES ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("consent", "asks", "step", "opts_in"),
    [
        ("unconfirmed", "nothing", "", True),
        ("none", "nothing", "", True),
        ("unconfirmed", "over", "", True),
        ("none", "over", "", True),
        ("unconfirmed", "open", "", False),
        ("none", "open", "", False),
        ("unconfirmed", "nothing", "rating", False),
        ("granted", "nothing", "", False),
        ("granted", "open", "", False),
        ("revoked", "nothing", "", False),
    ],
)
async def test_yes_is_the_answer_to_what_is_open_and_else_opts_in(
    ledger: Ledger, consent: str, asks: str, step: str, opts_in: bool
) -> None:
    [member] = await ledger.add_members(1, phone=PHONE)
    if asks != "nothing":
        await ledger.launch_and_route(deadline=ledger.clock() + timedelta(hours=5))
        await ledger.send()
        ledger.clock.advance(hours=6 if asks == "over" else 1)
    if step:
        async with ledger.store.write() as connection:
            await ask_somebody(connection, member, step, until=ledger.clock() + timedelta(days=1))
    await ledger.execute("UPDATE address SET consent = :consent", consent=consent)
    await says(ledger, "YES")
    assert await states(ledger) == {PHONE: "granted" if opts_in else consent}
    assert any(WELCOME in words for words in await answers(ledger)) is opts_in
    answered = await ledger.execute("SELECT count(*) FROM action WHERE kind = 'yes'")
    if asks == "open":
        assert answered == [(1,)]
    if opts_in:
        assert answered == [(0,)]


async def test_yes_does_not_lift_a_stop(ledger: Ledger) -> None:
    await ledger.add_members(1, phone=PHONE)
    await says(ledger, "STOP")
    await ledger.execute("UPDATE address SET consent = 'unconfirmed'")
    await says(ledger, "YES", number=2)
    assert await states(ledger) == {PHONE: "unconfirmed"}
    assert not any(WELCOME in words for words in await answers(ledger))


async def test_yes_of_a_household_welcomes_whom_the_form_named(ledger: Ledger, code: Code) -> None:
    first, second = await ledger.add_members(2, phone=PHONE)
    await ledger.execute("UPDATE address SET consent = 'unconfirmed'")
    await ledger.execute(
        "INSERT INTO joined (member_id, channel, code, at) VALUES (:id, 'sms', 'DINNERS', 0)", id=second
    )
    await says(ledger, "YES")
    welcomed = await ledger.execute("SELECT member_id FROM joined WHERE welcomed_at IS NOT NULL")
    assert [row.member_id for row in welcomed] == [second] != [first]


# ── those whom another system enters ──────────────────────────────────────────────────────────────────────────────────


async def test_who_was_just_entered_is_welcomed_once_on_each_consented_channel(ledger: Ledger) -> None:
    [member] = await ledger.add_members(1, channels=("sms", "email"))
    assert await welcome_new_member(ledger.runtime, member, now=ledger.clock()) == 2
    assert await welcome_new_member(ledger.runtime, member, now=ledger.clock()) == 0
    assert len(await answers(ledger)) == 2
    assert await ledger.slots(member) == [], "it costs no contact budget"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE address SET consent = 'unconfirmed'",
        "UPDATE address SET state = 'dead'",
        "UPDATE member SET erased_at = 1",
        "UPDATE member SET created_at = 1",
        "INSERT INTO suppression SELECT hash, channel, 'stop', '', 0 FROM address",
    ],
    ids=["unconfirmed", "dead", "erased", "long known", "stop"],
)
async def test_who_may_not_be_written_to_is_not_welcomed(ledger: Ledger, change: str) -> None:
    [member] = await ledger.add_members(1)
    await ledger.execute(change)
    assert await welcome_new_member(ledger.runtime, member, now=ledger.clock()) == 0
    assert await answers(ledger) == []


# ── WHY ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_why_tells_what_the_last_message_was_and_why_once(ledger: Ledger) -> None:
    await ledger.add_members(1, phone=PHONE)
    await ledger.launch_and_route(title="Rent hearing")
    await ledger.send()
    ledger.clock.advance(minutes=5)
    for number in range(2):
        await says(ledger, "WHY?", number=number)
    [words] = await answers(ledger)
    assert words.startswith(
        'Tenants Together: our last message to you here was "Rent hearing". We sent it to you by sms'
    )
    assert "Help: https://outreach.example.org All about you: https://outreach.example.org/m/" in words
    assert len(words) <= 300
    assert await who_enters(ledger.runtime, words.rpartition("/")[2], now=ledger.clock()) is not None


async def test_the_page_of_one_is_not_shown_to_others_who_have_the_same_phone(ledger: Ledger) -> None:
    await ledger.add_members(2, phone=PHONE)
    await says(ledger, "why")
    [words] = await answers(ledger)
    assert "/m/" not in words


async def test_why_without_a_message_and_in_another_language(ledger: Ledger) -> None:
    await ledger.add_members(1, phone=PHONE)
    await says(ledger, "why")
    assert "have not asked you anything here" in (await answers(ledger))[0]
    await ledger.execute("UPDATE member SET locale = 'es'")
    await ledger.launch_and_route(title="T" * 200)
    await ledger.send()
    await says(ledger, "por qué", number=2)
    words = (await answers(ledger))[1]
    assert words.startswith("Tenants Together: nuestro último mensaje")
    assert len(words) <= 300
    await ledger.launch_and_route(title="Desahucio")
    await ledger.send()
    await says(ledger, "por qué", number=3)
    assert '"Desahucio". Te lo enviamos por sms' in (await answers(ledger))[2]
