"""Asks that members pass on: SHARE, the link in a message, and who counts for whom, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from router.actions import record_action
from router.community.forward_sights import Brought, see_ask, what_they_brought
from router.community.forwarding import (
    Passed,
    find_passed,
    forward_link,
    note_acted,
    note_opened,
    passed_by,
    shared_link,
)
from router.community.join_codes import Code
from router.community.joining_confirm import confirm_address
from router.community.joining_form import Filled, take_form
from router.core.ask import Ask
from router.core.channel import Inbound, Received
from router.core.errors import BadInput, NotFound
from router.core.forward_links import read_forward_token, read_shared_token
from router.core.model import DeliveryRef
from router.pipes import weights_of
from router.preview import preview_ask
from tests.support.ledger import Ledger

PHONE = "+33639980009"
FRIEND = "+33639980021"


async def says(ledger: Ledger, words: str, *, sender: str = PHONE, number: int = 1, **more: Any) -> None:
    event = Inbound(event_id=f"SM-{number}", sender=sender, recipient="+1", text=words, at=ledger.clock(), **more)
    await ledger.submit(Received(events=(event,)))


async def answers(ledger: Ledger) -> list[str]:
    return [row.text for row in await ledger.execute("SELECT text FROM reply_text ORDER BY delivery_id")]


async def actions(ledger: Ledger) -> list[tuple[int, str]]:
    rows = await ledger.execute("SELECT member_id, kind FROM action ORDER BY id")
    return [(row.member_id, row.kind) for row in rows]


async def passed_on(ledger: Ledger, **ask: Any) -> tuple[int, Passed]:
    """A member who was asked, and the ask as they pass it on."""
    [who] = await ledger.add_members(1, phone=PHONE)
    campaign = await ledger.launch_and_route(**ask)
    await ledger.send()
    ledger.clock.advance(minutes=5)
    [row] = await ledger.rows(campaign)
    passed = await find_passed(ledger.runtime, DeliveryRef(row.month, row.id))
    assert passed is not None
    assert passed.member_id == who
    return who, passed


async def brought(ledger: Ledger, who: int, **more: Any) -> list[tuple[int, int, int]]:
    """Opened, joined, acted, for each ask."""
    found = await what_they_brought(ledger.runtime, who, now=ledger.clock(), **more)
    return [(one.opened, one.joined, one.acted) for one in found]


async def opens(ledger: Ledger, passed: Passed) -> None:
    await note_opened(ledger.runtime, passed, now=ledger.clock())


async def joins(ledger: Ledger, passed: Passed, **places: str) -> None:
    """Somebody fills in the form behind the link."""
    code = Code(title="Dinner", campaign_id=passed.campaign_id, passed_by=passed.member_id)
    filled = Filled(addresses=places or {"sms": FRIEND}, locale="en", first_name="Bo")
    await take_form(ledger.runtime, code, filled, now=ledger.clock())


async def does(ledger: Ledger, passed: Passed, member: int, kind: str = "signed", **more: Any) -> bool:
    """A page of the movement's own tells that a visitor of this link did something."""
    values = {"external_id": f"{kind}-{member}", "campaign_id": passed.campaign_id, "at": ledger.clock(), **more}
    done = await record_action(
        ledger.runtime, member_id=member, phone=None, email=None, kind=kind, now=ledger.clock(), **values
    )
    return await note_acted(ledger.runtime, passed, done.id)


# ── the link ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wants", "words"),
    [("share", "SHARE"), ("share", "I will share it"), ("custom", "share"), ("sign", "Share!")],
)
async def test_share_brings_the_link_and_the_page(ledger: Ledger, wants: str, words: str) -> None:
    who, passed = await passed_on(ledger, wants=wants)
    for number in range(2):
        await says(ledger, words, number=number)
    [said] = await answers(ledger)
    [link, page] = [word for word in said.split() if word.startswith("https://")]
    assert read_forward_token(ledger.runtime.key, link.rpartition("/f/")[2]) == passed.ref
    assert read_shared_token(ledger.runtime.key, page.rpartition("/shared/")[2]) == passed.ref
    assert (link, page) == (forward_link(ledger.runtime, passed.ref), shared_link(ledger.runtime, passed.ref))
    assert await actions(ledger) == [(who, "share")], "the link was taken; whether it is passed on, nobody knows yet"
    assert await ledger.execute("SELECT * FROM thread") == []


async def test_share_after_a_yes(ledger: Ledger) -> None:
    who, _ = await passed_on(ledger)
    await says(ledger, "YES")
    await says(ledger, "SHARE", number=2)
    assert len(await answers(ledger)) == 1
    assert await actions(ledger) == [(who, "yes"), (who, "share")]


@pytest.mark.parametrize("words", ["Can you share the address with me?", "shark", "who shared my number"])
async def test_other_words_wait_for_a_person(ledger: Ledger, words: str) -> None:
    await passed_on(ledger)
    await says(ledger, words)
    assert await answers(ledger) == []
    assert await actions(ledger) == []
    assert len(await ledger.execute("SELECT * FROM thread")) == 1


async def test_share_comes_too_late_after_the_end(ledger: Ledger) -> None:
    await passed_on(ledger, wants="share", deadline=ledger.clock() + timedelta(hours=2))
    ledger.clock.advance(hours=3)
    for number in range(2):
        await says(ledger, "SHARE", number=number)
    [said] = await answers(ledger)
    assert "over now" in said
    assert await actions(ledger) == []


async def test_an_ask_may_carry_the_link(ledger: Ledger) -> None:
    _, passed = await passed_on(ledger, texts={"en": {"default": {"text": "Dinner? Pass it on: {{ forward }}"}}})
    [message] = ledger.sms.handed
    assert message.text == f"Tenants Together: Dinner? Pass it on: {forward_link(ledger.runtime, passed.ref)}"


@pytest.mark.parametrize(("text", "segments"), [("x" * 120, 1), ("x" * 120 + "{{ forward }}", 2)])
async def test_the_link_counts_in_what_a_text_weighs(ledger: Ledger, text: str, segments: int) -> None:
    ask = Ask.model_validate({"title": "Dinner", "texts": {"en": {"default": {"text": text}}}})
    await ledger.add_members(1)
    seen = await preview_ask(ledger.runtime, ask, now=ledger.clock())
    assert seen.segments == weights_of(ledger.runtime, ask, ["sms"])["sms"] == segments


async def test_only_an_ask_is_passed_on(ledger: Ledger) -> None:
    campaign = await ledger.launch(start=False)
    texts = {"en": {"default": {"text": "It moved. {{ forward }}"}}}
    with pytest.raises(BadInput, match="only an ask is passed on"):
        await ledger.launch(kind="moved", about=campaign, texts=texts)
    assert await find_passed(ledger.runtime, DeliveryRef(202611, 4711)) is None


# ── opened ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_to_follow_it_shows_that_it_was_passed_on(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger, wants="share")
    await asyncio.gather(*[opens(ledger, passed) for _ in range(5)])
    assert await actions(ledger) == [(who, "shared")]
    assert await brought(ledger, who) == [(5, 0, 0)]
    await says(ledger, "DONE")
    assert await actions(ledger) == [(who, "shared")], "said as well as seen counts once"


async def test_said_before_it_is_seen_counts_once(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger, wants="share")
    await says(ledger, "Done!")
    await opens(ledger, passed)
    assert await actions(ledger) == [(who, "shared")]


async def test_a_scanner_that_opens_it_as_it_comes_does_not_count(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    assert passed.sent_at is not None
    await note_opened(ledger.runtime, passed, now=passed.sent_at + timedelta(seconds=1))
    assert (await actions(ledger), await brought(ledger, who)) == ([], [])


async def test_after_the_end_it_is_counted_but_nothing_is_done_any_more(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger, deadline=ledger.clock() + timedelta(hours=2))
    ledger.clock.advance(hours=3)
    await opens(ledger, passed)
    assert (await actions(ledger), await brought(ledger, who)) == ([], [(1, 0, 0)])


@pytest.mark.parametrize("gone", ["UPDATE member SET erased_at = 1", "UPDATE member SET kind = 'group'"])
async def test_a_group_or_somebody_who_is_gone_counts_for_nobody(ledger: Ledger, gone: str) -> None:
    who, passed = await passed_on(ledger)
    await ledger.execute(f"{gone} WHERE id = :id", id=who)
    found = await find_passed(ledger.runtime, passed.ref)
    assert found is not None
    assert found.member_id == 0, "the page shows the ask all the same"
    await opens(ledger, found)
    await joins(ledger, found)
    for table in ("action", "forward", "forwarded"):
        assert await ledger.execute(f"SELECT * FROM {table}") == []
    with pytest.raises(NotFound):
        await what_they_brought(ledger.runtime, who, now=ledger.clock())


# ── joined ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_joins_counts_once_they_confirm(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    await joins(ledger, passed)
    assert await brought(ledger, who) == [(0, 0, 0)], "anybody can fill in a form"
    [consent] = await ledger.execute("SELECT source FROM consent WHERE state = 'unconfirmed'")
    assert consent.source.startswith("passed on, join form, wording")
    await says(ledger, "YES", sender=FRIEND)
    assert await brought(ledger, who) == [(0, 1, 0)]
    [friend] = await ledger.execute("SELECT id, joined_by FROM member WHERE id <> :who", who=who)
    assert friend.joined_by == passed.campaign_id
    assert await brought(ledger, friend.id) == []


async def test_a_mailbox_confirms_itself(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    await joins(ledger, passed, email="bo@example.org")
    [address] = await ledger.execute("SELECT id FROM address WHERE value = 'bo@example.org'")
    await confirm_address(ledger.runtime, address.id, now=ledger.clock())
    assert await brought(ledger, who) == [(0, 1, 0)]


async def test_each_counts_for_the_first_who_brought_them_and_nobody_brings_who_is_known(ledger: Ledger) -> None:
    one, other = await ledger.add_members(2)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    links = []
    for row in await ledger.rows(campaign):
        found = await find_passed(ledger.runtime, DeliveryRef(row.month, row.id))
        assert found is not None
        links.append(found)
    first, second = sorted(links, key=lambda link: link.member_id)
    ledger.clock.advance(minutes=5)
    await joins(ledger, first)
    await joins(ledger, second)
    [known] = await ledger.execute("SELECT value FROM address WHERE member_id = :id", id=one)
    await joins(ledger, second, sms=known.value)
    await joins(ledger, first, sms=known.value)
    await says(ledger, "YES", sender=FRIEND)
    assert [(row.member_id, row.joined is not None) for row in await ledger.execute("SELECT * FROM forwarded")] == [
        (one, True)
    ]
    await opens(ledger, second)
    assert (await brought(ledger, one), await brought(ledger, other)) == ([(0, 1, 0)], [(1, 0, 0)])


# ── acted ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_newcomer_who_acts_in_any_way_counts(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    await joins(ledger, passed)
    await says(ledger, "YES", sender=FRIEND)
    [friend] = await ledger.execute("SELECT brought_id FROM forwarded")
    for kind, count in (("click", 0), ("no", 0), ("came", 1), ("gave", 1)):
        await record_action(
            ledger.runtime, member_id=friend.brought_id, phone=None, email=None, external_id=kind, kind=kind,
            campaign_id=passed.campaign_id, at=ledger.clock(), now=ledger.clock(),
        )  # fmt: skip
        assert await brought(ledger, who) == [(0, 1, count)]


async def test_a_member_who_acts_through_the_link_counts_once(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    [friend] = await ledger.add_members(1)
    assert await does(ledger, passed, friend)
    ledger.clock.advance(hours=1)
    await does(ledger, passed, friend, "gave")
    assert await brought(ledger, who) == [(0, 0, 1)]
    await says(ledger, "SHARE")
    assert await brought(ledger, who) == [(0, 0, 1)]


async def test_who_acted_before_did_not_come_by_it_and_nobody_brings_themselves(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    [before, clicked, only_no] = await ledger.add_members(3)
    await record_action(
        ledger.runtime, member_id=before, phone=None, email=None, external_id="1", kind="yes", now=ledger.clock(),
        campaign_id=passed.campaign_id, at=ledger.clock(),
    )  # fmt: skip
    ledger.clock.advance(minutes=5)
    assert not await does(ledger, passed, before)
    assert not await does(ledger, passed, who)
    assert not await does(ledger, passed, only_no, "no")
    await does(ledger, passed, clicked, "click")
    assert await does(ledger, passed, clicked), "to open a link is not to act"
    assert await brought(ledger, who) == [(0, 0, 1)]


async def test_told_twice_or_by_two_links_it_counts_for_one(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    [friend, other] = await ledger.add_members(2)
    assert await does(ledger, passed, friend)
    await does(ledger, passed, friend)
    ledger.clock.advance(hours=1)
    [row] = await ledger.rows(passed.campaign_id)
    (number,) = await ledger.store.take_ids(1)
    await ledger.execute(
        "INSERT INTO delivery (month, id, campaign_id, member_id, channel, status)"
        " VALUES (:month, :id, :campaign, :member, 'sms', 'sent')",
        month=row.month, id=number, campaign=passed.campaign_id, member=other,
    )  # fmt: skip
    theirs = await find_passed(ledger.runtime, DeliveryRef(row.month, number))
    assert theirs is not None
    assert not await does(ledger, theirs, friend, "gave")
    await opens(ledger, theirs)
    assert (await brought(ledger, who), await brought(ledger, other)) == ([(0, 0, 1)], [(1, 0, 0)])


async def test_a_link_that_is_none_of_ours(ledger: Ledger) -> None:
    _, passed = await passed_on(ledger)
    token = forward_link(ledger.runtime, passed.ref).rpartition("/")[2]
    assert (await passed_by(ledger.runtime, token)).ref == passed.ref
    for wrong in (token[:-1], "x", shared_link(ledger.runtime, passed.ref).rpartition("/")[2]):
        with pytest.raises(NotFound, match="no link of ours"):
            await passed_by(ledger.runtime, wrong)


# ── what is seen ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_ask_is_shown_in_the_visitors_language_to_nobody_by_name(ledger: Ledger) -> None:
    english = "Dear {{ first_name | default('friend') }}, {{ total }} gave: {{ link }} or {{ forward }}"
    texts = {"en": {"default": {"text": english}}, "es": {"sms": {"text": "Hola"}, "default": {"text": "Vale"}}}
    who, passed = await passed_on(
        ledger, texts=texts, link="https://example.org/give#top", wants="give", goal={"measure": "gave", "target": 9},
    )  # fmt: skip
    await does(ledger, passed, who, "gave")
    seen = await see_ask(ledger.runtime, passed, "en", now=ledger.clock())
    mine = forward_link(ledger.runtime, passed.ref)
    assert seen.link == f"https://example.org/give?via={mine.rpartition('/')[2]}#top"
    assert seen.words == f"Dear friend, 1 gave: {seen.link} or {mine}"
    spanish = await see_ask(ledger.runtime, passed, "es", now=ledger.clock())
    assert (spanish.words, spanish.locale) == ("Vale", "es")
    assert (await see_ask(ledger.runtime, passed, "fr", now=ledger.clock())).locale == "en"


async def test_an_ask_that_speaks_to_one_channel_only_is_shown_as_it_was_said_there(ledger: Ledger) -> None:
    _, passed = await passed_on(
        ledger, channels=["sms"], texts={"en": {"sms": {"text": "Come!"}}}, wants="host",
        picture={"url": "https://e.org/p", "alt": "p"}, link="https://outreach.example.org/host",
    )  # fmt: skip
    seen = await see_ask(ledger.runtime, passed, "de", now=ledger.clock())
    assert (seen.words, seen.link, seen.is_over) == ("Come!\nhttps://e.org/p", "", False)


async def test_a_members_page_has_their_own_asks_newest_first_and_the_one_they_look_from(ledger: Ledger) -> None:
    who, passed = await passed_on(ledger)
    await opens(ledger, passed)
    later = await ledger.launch_and_route(title="Later", deadline=ledger.clock() + timedelta(hours=1))
    await ledger.send()
    unopened = await ledger.launch_and_route(title="Unopened")
    found = await what_they_brought(ledger.runtime, who, now=ledger.clock(), also=later)
    assert [one.campaign_id for one in found] == [later, passed.campaign_id]
    assert unopened not in [one.campaign_id for one in found]
    ledger.clock.advance(hours=2)
    [first, second] = await what_they_brought(ledger.runtime, who, now=ledger.clock(), also=later)
    assert (first.is_over, second.is_over) == (True, False)
    assert second == Brought(
        campaign_id=passed.campaign_id, title="Dinner", link=forward_link(ledger.runtime, passed.ref), opened=1,
        joined=0, acted=0, is_over=False,
    )  # fmt: skip
