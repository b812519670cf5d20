"""Commands in groups: what each does, what is said in the group and what to one person alone, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from router.core.channel import GroupChange, Keyword, Received
from router.core.group_links import read_group_token
from router.group_list import list_groups
from router.groups import add_group, change_group
from router.receive import Receiver
from router.store.engine import Store
from tests.support.chats import GROUP, SLACK_GROUP, STEWARD, Chats
from tests.support.gatherings import invite, open_event, the_rsvp
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import settle, working

MEMBER, STRANGER = "5150", "6660"
IDEA = "Let us plant trees along the canal this spring"


@pytest.fixture
async def chats(store: Store) -> Chats:
    """A Telegram group that let us in."""
    chats = Chats(store)
    await chats.let_in()
    return chats


@pytest.fixture(autouse=True)
def bot_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `outreach serve` finds it."""
    monkeypatch.setenv("OUTREACH_TELEGRAM_USERNAME", "union_bot")


# ── help, why, quiet ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_help_comes_in_the_groups_language_whoever_asks(chats: Chats) -> None:
    [(place, words)] = await chats.write(STRANGER, "/help", keyword=Keyword.HELP)
    assert place == GROUP
    assert words.startswith("/events what is on")
    group = await chats.the_group()
    await change_group(chats.runtime, group, locale="es", by="ana", now=chats.ledger.clock())
    [(_, words)] = await chats.write(STRANGER, "/help")
    assert words.startswith("/events qué hay")


async def test_why_names_the_day_and_the_tags_and_no_person(chats: Chats) -> None:
    await chats.add_person(STEWARD)
    group = await chats.the_group()
    [(_, bare)] = await chats.write(MEMBER, "/why")
    assert "on 20 Nov 2026" in bare
    assert "Only asks to all groups" in bare
    await change_group(chats.runtime, group, tags=["rent", "board"], by="ana", now=chats.ledger.clock())
    chats.ledger.clock.advance(days=3)
    [(_, words)] = await chats.write(MEMBER, "why?")
    assert "on 20 Nov 2026" in words
    assert "board, rent" in words
    assert f"at most {chats.runtime.policy.budget.overall.week} a week" in words
    assert STEWARD not in words
    assert "Ana" not in words


async def test_only_the_steward_quiets_us_and_others_are_told_once(chats: Chats) -> None:
    await chats.add_person(MEMBER)
    [(place, told)] = await chats.write(MEMBER, "/quiet 2 weeks")
    assert (place, told[:31]) == (GROUP, "Only the steward of this group ")
    assert await chats.write(STRANGER, "/quiet 2 weeks") == []
    assert await paused(chats) is None
    assert await chats.write(STEWARD, "/quiet 2 weeks") == [
        (GROUP, "Quiet: no asks here until 4 Dec 2026. /quiet off ends that.")
    ]
    assert await paused(chats) == chats.ledger.clock() + timedelta(weeks=2)
    assert await chats.write(STRANGER, "/quiet off") == []
    assert await paused(chats) is not None
    assert await chats.write(STEWARD, "/quiet off") == [(GROUP, "Asks come here again.")]
    assert await paused(chats) is None
    audit = await chats.rows("audit", "who, what")
    assert audit.count(("its steward", "group.quiet")) == 2


@pytest.mark.parametrize("span", ["forever", "400 days", "0 days", "7", "stop it"])
async def test_a_span_that_is_none_is_explained_once_and_changes_nothing(chats: Chats, span: str) -> None:
    [(_, words)] = await chats.write(STEWARD, f"/quiet {span}")
    assert "/quiet 2 weeks" in words
    assert await chats.write(STEWARD, f"/quiet {span}") == []
    assert await paused(chats) is None


async def paused(chats: Chats) -> Any:
    return (await list_groups(chats.runtime))[0].quiet_until


# ── how often we speak ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hundred_commands_get_the_answers_of_an_hour_and_no_more(chats: Chats) -> None:
    most = chats.runtime.policy.groups.answers_an_hour
    flood = [chats.words(str(6000 + n), "/help") for n in range(100)]
    assert len(await chats.hear(*flood)) == most
    assert await chats.write(MEMBER, "/why") == []
    chats.ledger.clock.advance(hours=1)
    assert len(await chats.write(MEMBER, "/why")) == 1


async def test_the_same_update_twice_is_answered_once(chats: Chats) -> None:
    for expected in (1, 0):
        assert len(await chats.write(STRANGER, "/help", event_id="told again")) == expected


async def test_a_group_that_put_us_out_hears_nothing(chats: Chats) -> None:
    await chats.change(GroupChange.REMOVED)
    assert await chats.write(MEMBER, "/help") == []
    assert await chats.write(MEMBER, "/help", group="-1009") == [], "nor one that we are not in"


async def test_words_that_are_no_command_are_chatter(chats: Chats) -> None:
    await chats.add_person(MEMBER)
    for words in ("good evening", "/calls", "/start", "second thoughts", "propose we wait"):
        assert await chats.write(MEMBER, words) == []
    assert await chats.rows("thread", "member_id, status") == []


async def test_two_processes_at_once_tell_two_strangers_once(chats: Chats) -> None:
    other = Store(chats.runtime.store.url.render_as_string(hide_password=False))
    try:
        receivers = [Receiver(chats.runtime), Receiver(replace(chats.runtime, store=other))]
        async with receivers[0].running(), receivers[1].running():
            await asyncio.gather(
                *(
                    receivers[n % 2].submit(
                        "telegram", "main", Received(events=(chats.words(str(6100 + n), "/second 7"),)),
                        chats.ledger.clock(),
                    )
                    for n in range(8)
                )
            )  # fmt: skip
    finally:
        await other.aclose()
    said = await chats.rows("reply_text", "month, text")
    assert len(said) == 1


# ── people we do not know ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", ["/rsvp 3", f"/propose {IDEA}", "/second 7", "/report 7", "SECOND 7"])
async def test_a_stranger_is_shown_the_way_to_a_private_chat_once(chats: Chats, words: str) -> None:
    [(place, told)] = await chats.write(STRANGER, words)
    assert place == GROUP
    link = told.rpartition(" ")[2]
    assert link.startswith("https://t.me/union_bot?start=")
    found = read_group_token(chats.runtime.key, link.partition("=")[2])
    assert found is not None
    assert found.group_id == await chats.the_group()
    assert await chats.write("6661", words) == []
    people = await chats.rows("member", "id, kind")
    assert [kind for _, kind in people] == ["group"]
    assert await chats.rows("proposal", "id, number") == []
    chats.ledger.clock.advance(hours=13)
    assert len(await chats.write("6661", words)) == 1


async def test_somebody_who_never_confirmed_is_a_stranger(chats: Chats) -> None:
    await chats.add_person(MEMBER, consent="unconfirmed")
    [(_, told)] = await chats.write(MEMBER, f"/propose {IDEA}")
    assert "t.me" in told
    assert await chats.rows("proposal", "id, number") == []


async def test_without_the_bots_name_there_is_no_way_to_show(chats: Chats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTREACH_TELEGRAM_USERNAME")
    assert await chats.write(STRANGER, "/second 7") == []


async def test_on_slack_a_stranger_is_told_alone_and_once_and_a_yes_makes_them_a_member(chats: Chats) -> None:
    await chats.let_in(SLACK_GROUP, channel="slack", person="U0ADMIN")
    slack: dict[str, Any] = {"group": SLACK_GROUP, "channel": "slack"}
    [(place, told)] = await chats.write("U0STRANGER", f"/propose {IDEA}", **slack)
    assert place == "U0STRANGER"
    assert "Reply YES" in told
    assert await chats.write("U0STRANGER", f"/propose {IDEA}", **slack) == []
    assert await chats.rows("proposal", "id, number") == []
    [(place, told)] = await chats.write("U0STRANGER", "YES", group="", channel="slack")
    assert (place, told[:26]) == ("U0STRANGER", "Tenants Together: welcome!")
    [(place, told)] = await chats.write("U0STRANGER", f"/propose {IDEA}", **slack)
    assert place == SLACK_GROUP
    assert len(await chats.rows("proposal", "id, number")) == 1


# ── stop ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("person", [MEMBER, STRANGER, STEWARD])
async def test_stop_in_a_group_silences_who_writes_it_never_the_group(chats: Chats, person: str) -> None:
    await chats.add_person(MEMBER)
    await chats.write(person, "/stop", keyword=Keyword.STOP)
    assert await chats.rows("suppression", "address_hash, channel") == [(chats.hash_of(person), "telegram")]
    assert len(await chats.write(STRANGER, "/help")) == 1


async def test_somebody_who_said_stop_gets_no_private_word(chats: Chats) -> None:
    await chats.add_person(MEMBER)
    campaign = await invite(chats.ledger)
    event = await open_event(chats.ledger, campaign)
    await chats.write(MEMBER, "STOP")
    [(place, told)] = await chats.write(MEMBER, "/rsvp 1")
    assert (place, "t.me" in told) == (GROUP, True)
    assert (await chats.ledger.execute("SELECT count(*) AS n FROM rsvp WHERE event_id = :id", id=event))[0].n == 0
    await chats.write(MEMBER, f"/propose {IDEA}")
    assert await chats.write(MEMBER, "/second 1") == [], "about their own idea only they would be told"


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_events_are_listed_without_addresses_or_hosts(chats: Chats) -> None:
    [(_, none)] = await chats.write(STRANGER, "/events")
    assert none == "No event is open just now."
    campaign = await invite(chats.ledger)
    host = await chats.add_person("7001")
    await chats.ledger.execute("UPDATE member SET first_name = 'Yasmin' WHERE id = :id", id=host)
    for number in range(1, 8):
        area = "Belleville" if number == 7 else "Bastille"
        await open_event(chats.ledger, campaign, host=host, area=area, seats=number)
    await open_event(chats.ledger, campaign, host=host, trusted=False)
    [(place, words)] = await chats.write(STRANGER, "/events")
    assert place == GROUP
    lines = words.split("\n")
    assert lines[:2] == [
        "1: Bastille, Thu 3 Dec 19:00, seats left: 1", "2: Bastille, Thu 3 Dec 19:00, seats left: 2",
    ]  # fmt: skip
    assert len(lines) == 6
    assert lines[5] == "/rsvp 1 takes a seat; where exactly you learn in private."
    for hidden in ("rue Haute", "Yasmin", "75011"):
        assert hidden not in words
    group = await chats.the_group()
    about = {"country": "FR", "place": "belleville", "by": "ana", "now": chats.ledger.clock()}
    await change_group(chats.runtime, group, **about)
    [(_, words)] = await chats.write(STRANGER, "/events")
    assert words.split("\n")[:-1] == ["7: Belleville, Thu 3 Dec 19:00, seats left: 7"]
    await change_group(chats.runtime, group, **about | {"country": "ES"})
    assert await chats.write(STRANGER, "/events") == [], "none is there, and that was said"


async def test_a_members_seat_is_told_to_them_alone(chats: Chats) -> None:
    campaign = await invite(chats.ledger)
    member = await chats.add_person(MEMBER)
    event = await open_event(chats.ledger, campaign)
    [(place, words)] = await chats.write(MEMBER, "/rsvp 1")
    assert place == MEMBER
    assert "12 rue Haute" in words
    assert (await the_rsvp(chats.ledger, event, member)).status == "confirmed"
    actions = await chats.rows("action", "member_id, campaign_id, kind")
    assert actions == [(member, campaign, "yes")]
    [(place, words)] = await chats.write(MEMBER, "/rsvp 1")
    assert place == MEMBER, "said again it changes nothing"
    assert [row.seats for row in [await the_rsvp(chats.ledger, event, member)]] == [1]
    [(place, words)] = await chats.write(MEMBER, "/rsvp 99")
    assert (place, words) == (GROUP, "There is no open event 99. /events shows those there are.")
    assert await chats.write(MEMBER, "/rsvp 99") == []


async def test_a_number_that_two_asks_have_is_that_of_the_ask_in_this_group(chats: Chats) -> None:
    """What the list shows under a number is what the number takes."""
    other = await invite(chats.ledger)
    soon = await open_event(chats.ledger, other, area="Elsewhere")
    campaign = await invite(chats.ledger, groups=["all"])
    await chats.ledger.execute("UPDATE delivery SET status = 'sent' WHERE campaign_id = :id", id=campaign)
    later = chats.ledger.clock() + timedelta(days=20)
    ours = await open_event(chats.ledger, campaign, area="Here", starts_at=later)
    member = await chats.add_person(MEMBER)
    [(_, words)] = await chats.write(MEMBER, "/rsvp")
    assert words.startswith("1: Here")
    assert "Elsewhere" not in words
    await chats.write(MEMBER, "/rsvp 1")
    assert await the_rsvp(chats.ledger, ours, member) is not None
    assert await the_rsvp(chats.ledger, soon, member) is None


# ── ideas ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_idea_and_its_seconds_are_spoken_of_in_the_group_in_numbers(chats: Chats) -> None:
    for person in (MEMBER, "5151", "5152"):
        await chats.add_person(person)
    [(place, taken)] = await chats.write(MEMBER, f"/propose {IDEA}")
    assert place == GROUP
    assert "1" in taken
    [row] = await chats.rows("proposal", "number, text, group_id")
    assert row == (1, IDEA, await chats.the_group())
    first, second = [await chats.write(person, "/second #1") for person in ("5151", "5152")]
    assert [place for place, _ in first + second] == [GROUP, GROUP]
    assert first != second, "each is news"
    [(place, _)] = await chats.write("5151", "SECOND 1", button=True)
    assert place == "5151", "that they did already is theirs alone"
    assert await chats.rows("proposal", "number, seconds") == [(1, 2)]
    [(place, _)] = await chats.write("5152", "/report 1 spam")
    assert place == "5152", "who reports is nobody's business"
    everything = " ".join(words for words in (taken, first[0][1], second[0][1]))
    assert "Ana" not in everything


@pytest.mark.parametrize("words", ["/propose", "/propose 🎉", f"/propose {'a' * 4_000}", "/second", "/second 99"])
async def test_what_is_no_idea_gets_one_friendly_sentence_and_no_effect(chats: Chats, words: str) -> None:
    await chats.add_person(MEMBER)
    [(_, told)] = await chats.write(MEMBER, words)
    assert told
    assert await chats.write(MEMBER, words) == []
    assert await chats.rows("proposal", "id, number") == []


# ── topics ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_command_in_a_topic_is_answered_there_and_asks_still_go_to_the_chat(chats: Chats) -> None:
    topic = f"{GROUP}/45"
    for _ in range(2):
        [(place, _)] = await chats.write(STRANGER, "/help", group=topic)
        assert place == topic
    [(place, _)] = await chats.write(STRANGER, "/help")
    assert place == GROUP
    assert sorted(await chats.rows("address", "value, consent, rank")) == [(GROUP, "granted", 0), (topic, "none", 100)]
    campaign = await chats.ledger.launch_and_route(groups=["all"])
    [row] = await chats.ledger.rows(campaign)
    assert await chats.ledger.execute("SELECT value FROM address WHERE id = :id", id=row.address_id) == [(GROUP,)]
    await chats.change(GroupChange.REMOVED)
    assert await chats.write(STRANGER, "/help", group=topic) == []
    await chats.change(GroupChange.ADDED)
    assert [place for place, _ in await chats.write(STRANGER, "/help", group=topic)] == [topic]


async def test_a_topic_that_was_entered_by_itself_is_a_group_of_its_own(chats: Chats) -> None:
    topic = f"{GROUP}/45"
    await add_group(
        chats.runtime, channel="telegram", account="main", value=topic, title="Block 5, rent", tags=["rent"],
        by="ana", now=chats.ledger.clock(),
    )  # fmt: skip
    [(place, words)] = await chats.write(STRANGER, "/why", group=topic)
    assert place == topic
    assert "Asks for rent" in words


# ── in private ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_commands_mean_the_same_in_private(chats: Chats) -> None:
    member = await chats.add_person(MEMBER)
    await chats.write(MEMBER, "/quiet 2 weeks", group="")
    [row] = await chats.ledger.execute("SELECT paused_until FROM member WHERE id = :id", id=member)
    assert row.paused_until is not None
    await chats.write(MEMBER, "/quiet off", group="")
    [row] = await chats.ledger.execute("SELECT paused_until FROM member WHERE id = :id", id=member)
    assert row.paused_until is None
    kept = await chats.rows("inbound", "id, text")
    assert [text for _, text in kept][-2:] == ["/quiet 2 weeks", "/quiet off"], "as they wrote it"


# ── over the simulated providers ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels, with webhooks and a worker to come."""
    async with everywhere(database_url) as movement:
        yield movement


async def test_commands_come_and_go_over_the_real_channels(movement: Movement) -> None:
    telegram, slack = movement.sandbox.telegram.people, movement.sandbox.slack.people
    async with working(movement):
        telegram.join(GROUP, STEWARD)
        slack.join(SLACK_GROUP, inviter="U0ADMIN")
        await movement.sandbox.idle()
        telegram.write(f"{GROUP}/45", STRANGER, "/why@sandbox_union_bot")
        telegram.write(GROUP, STRANGER, "/help@another_bot")
        slack.command("U0STRANGER", "/outreach", "help", SLACK_GROUP)
        slack.mention(SLACK_GROUP, "U0STRANGER", "why")
        await movement.sandbox.idle()
        places = {f"{GROUP}/45": 1, SLACK_GROUP: 2}
        await movement.until(lambda: dict(movement.received()) == places)
        telegram.write(GROUP, STEWARD, "/quiet 2 weeks")
        await movement.sandbox.idle()
        await movement.until(lambda: movement.received()[GROUP] == 1)
        await settle(movement, await movement.launch(**DINNER | {"groups": ["all"]}), until=timedelta(hours=1))
    assert dict(movement.received()) == {f"{GROUP}/45": 1, SLACK_GROUP: 3, GROUP: 1}, "a quiet group is not asked"
