"""The contact budget as tables: what one person bears, and why not more."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import pytest

from router.core.attention import BudgetAsk, Dial, Recipient, Refusal, Thread
from router.core.budget import earliest, pick_victim
from router.core.budget_limits import rules_of
from router.core.budget_policy import read_budget
from router.core.errors import BadInput
from router.core.purse import (
    ANSWERABLE,
    EMPTY,
    OVERRIDE,
    PERMISSION,
    SPENT,
    Purse,
    Slot,
    answered,
    decode,
    encode,
    forget,
    merge,
    refund,
    spend,
)
from tests.core.budgets import (
    DAY,
    FILE,
    NOW,
    RULES,
    add,
    ask,
    asked,
    find,
    ms,
    placed,
    unanswered,
    when,
)

URGENT = ask(urgent=True, override=True)


def changed(**at: Any) -> dict[str, Any]:
    """The shipped file with some keys (``overall__week``) set, or taken away where the value is None."""
    data = copy.deepcopy(FILE)
    for path, value in at.items():
        *sections, key = path.split("__")
        table = data["budget"]
        for section in sections:
            table = table.setdefault(section, {})
        if value is None:
            del table[key]
        else:
            table[key] = value
    return data


@pytest.mark.parametrize(
    ("purse", "channel", "hour"),
    [
        (EMPTY, "sms", 0),
        # the gap of the channel, and one a day over all channels
        (asked(-1), "sms", 71),
        (asked(-1), "email", 23),
        (asked(-1, channel="email"), "email", 47),
        (asked(-24), "email", 0),
        (asked(-72), "sms", 0),
        (asked(-1), "apprise", 23),
        # caps over 7 days: two texts, one on WhatsApp, three in all
        (asked(-144, -72), "sms", 24),
        (asked(-72, channel="whatsapp"), "whatsapp", 96),
        (asked(-150, -100, -50, channel="telegram"), "telegram", 18),
        (asked(-150, -100, -50, channel="telegram"), "sms", 18),
        # caps over 30 days: four texts, eight in all
        (asked(-700, -500, -300, -200), "sms", 20),
        (asked(*(-700 + 96 * n for n in range(8)), channel="telegram"), "telegram", 20),
        # push is one screen, whichever way it lights up
        (asked(-1, channel="webpush"), "fcm", 23),
        # asks that lie ahead count: neither beside them nor between two that leave too little room
        (asked(10), "sms", 82),
        (asked(72), "sms", 0),
        (asked(71), "sms", 143),
        (asked(24, 48), "email", 0),
        (asked(30, 50, channel="email"), "telegram", 0),
        (asked(1, 40, channel="email"), "telegram", 64),
        (asked(-30, 20, channel="email"), "telegram", 44),
    ],
)
def test_the_first_moment_with_room(purse: Purse, channel: str, hour: float) -> None:
    assert find(purse, channel=channel) == hour
    if hour:
        assert find(purse, channel=channel, until=hour) in {Refusal.CAP, Refusal.GAP}
    assert find(purse, channel=channel, until=hour + 1) == hour


@pytest.mark.parametrize(
    ("purse", "channel", "refusal"),
    [
        (asked(-30), "sms", Refusal.GAP),
        (asked(-144, -72), "sms", Refusal.CAP),
        (asked(-1), "email", Refusal.CAP),
        (asked(-60), "whatsapp", None),
    ],
)
def test_a_gap_is_a_cap_to_the_member(purse: Purse, channel: str, refusal: Refusal | None) -> None:
    found = find(purse, channel=channel, until=1)
    if refusal is None:
        assert found == 0
        return
    assert found is refusal
    assert refusal.told is Refusal.CAP


def test_every_refusal_has_a_sentence_for_the_member() -> None:
    for refusal in Refusal:
        assert refusal.sentence.endswith(".")


@pytest.mark.parametrize(
    ("joined", "campaign", "purse", "found"),
    [
        # one in seven days at first, and never more than four in thirty
        (-5 * DAY, 1, asked(-30, channel="email"), 6 * DAY - 6),
        (-29 * DAY, 1, asked(-30, channel="email"), DAY),
        (-30 * DAY, 1, asked(-30, channel="email"), 0),
        (None, 1, asked(-30, channel="email"), 0),
        # what one joined through may go on for seven days
        (-5 * DAY, 7, asked(-30, channel="email"), 0),
        (-6 * DAY, 7, asked(-10, channel="email"), 14),
        (-7 * DAY + 10, 7, asked(-10, channel="email"), 7 * DAY - 10),
    ],
)
def test_whoever_joined_lately_hears_less(joined: float | None, campaign: int, purse: Purse, found: float) -> None:
    who = Recipient(joined_at=None if joined is None else when(joined), joined_by=7)
    assert find(purse, ask(campaign=campaign), channel="telegram", who=who) == found


def test_a_newcomer_is_told_so() -> None:
    who = Recipient(joined_at=when(-DAY))
    assert find(asked(-30, channel="email"), channel="telegram", until=DAY, who=who) is Refusal.NEWCOMER


@pytest.mark.parametrize(
    ("dial", "purse", "asking", "found"),
    [
        (Dial.EVERYTHING, asked(-30), ask(), 0),
        (Dial.WEEKLY, asked(-30), ask(), 7 * DAY - 30),
        (Dial.WEEKLY, EMPTY, ask(), 0),
        (Dial.URGENT_ONLY, EMPTY, ask(), Refusal.DIAL),
        (Dial.URGENT_ONLY, EMPTY, ask(urgent=True), 0),
        (Dial.URGENT_ONLY, asked(-30), ask(urgent=True), 7 * DAY - 30),
        (Dial.URGENT_ONLY, EMPTY, ask(override=True), Refusal.DIAL),
        (Dial.PAUSED, EMPTY, ask(urgent=True), Refusal.PAUSED),
        (Dial.PAUSED, EMPTY, URGENT, Refusal.PAUSED),
        (Dial.PAUSED, EMPTY, ask(free=True), 0),
    ],
)
def test_the_member_turns_the_dial(dial: Dial, purse: Purse, asking: BudgetAsk, found: float | Refusal) -> None:
    assert find(purse, asking, channel="email", who=Recipient(dial=dial)) == found


def test_the_dial_is_why_a_weekly_member_is_held() -> None:
    assert find(asked(-30), channel="email", until=DAY, who=Recipient(dial=Dial.WEEKLY)) is Refusal.DIAL


@pytest.mark.parametrize("asking", [ask(), URGENT, ask(thread=Thread(campaign=5, until=when(60)))])
def test_a_pause_ends_by_itself_and_nothing_passes_it(asking: BudgetAsk) -> None:
    who = Recipient(paused_until=when(50), said_yes=True)
    assert find(EMPTY, asking, who=who, until=50) is Refusal.PAUSED
    assert find(EMPTY, asking, who=who, until=51) == 50
    assert find(EMPTY, asking, who=who, at=55) == 55


@pytest.mark.parametrize(
    ("purse", "channel", "hour"),
    [
        (unanswered(-500, -400), "sms", 0),
        (unanswered(-600, -500, -100), "sms", 44),
        (unanswered(-600, -500, -100), "telegram", 0),
        (unanswered(*(-700 + 100 * n for n in range(6)), channel="email"), "email", 520),
        # without a link, keyword or button nobody could have answered
        (asked(-600, -500, -100), "sms", 0),
        (unanswered(-600, -500, -100, channel="webpush"), "fcm", 0),
        (unanswered(-600, -500, -30, channel="webpush"), "fcm", 10),
        # asks ahead count once their time has come: the third widens the gap behind it, not before it
        (unanswered(-600, -500, 80), "sms", 0),
        (unanswered(-600, -500, 20), "sms", 164),
    ],
)
def test_asks_that_nobody_answers_become_rarer(purse: Purse, channel: str, hour: float) -> None:
    assert find(purse, channel=channel) == hour


def test_any_action_makes_them_as_frequent_as_before() -> None:
    purse = unanswered(-600, -500, -400, -60, channel="email")
    assert find(purse, channel="email") == 36
    assert find(answered(purse, when(-50)), channel="email") == 0
    # an answer after the first of four leaves three, one after the second leaves two, one before all changes nothing
    assert find(answered(purse, when(-550)), channel="email") == 36
    assert find(answered(purse, when(-500)), channel="email") == 0
    assert answered(purse, when(-601)) is purse
    assert answered(asked(-100), NOW) == asked(-100)


def test_unanswered_asks_are_counted_after_they_are_forgotten() -> None:
    purse = forget(unanswered(-1000, -900, -100), NOW)
    assert [slot.delivery for slot in purse.slots] == [3]
    assert (purse.missed, purse.quiet_since) == ((("sms", 2),), ms(-1000))
    assert find(purse) == 44
    assert find(answered(purse, NOW)) == 0
    assert find(refund(purse, [3])) == 0


HALF_A_YEAR = 180 * DAY
PLEASE = ask(permission=True, answerable=True)


def test_after_half_a_year_of_silence_we_ask_once_whether_to_go_on_and_then_let_go() -> None:
    purse = unanswered(-HALF_A_YEAR)
    assert find(purse) is Refusal.SILENT
    assert find(purse, URGENT) is Refusal.SILENT
    assert find(purse, at=-1, until=0) == -1
    assert find(purse, ask(free=True)) == 0
    assert find(purse, PLEASE) == 0
    once = placed(purse, PLEASE, 0)
    assert find(once, PLEASE, at=100) is Refusal.LET_GO
    assert find(once, at=100) is Refusal.LET_GO
    later = placed(once, ask(free=True), 0, now=90 * DAY)
    assert later.slots == ()
    assert find(later, at=90 * DAY, until=99 * DAY) is Refusal.LET_GO
    assert find(answered(later, when(90 * DAY)), at=90 * DAY, until=99 * DAY) == 90 * DAY
    assert find(refund(once, [99]), PLEASE, at=100) == 100


def test_who_was_not_asked_is_not_silent() -> None:
    assert find(asked(-HALF_A_YEAR)) == 0
    assert find(answered(unanswered(-HALF_A_YEAR), when(-HALF_A_YEAR))) == 0
    # the year starts with the first ask after the last answer, not with that answer
    assert find(add(answered(unanswered(-300 * DAY), when(-299 * DAY)), unanswered(-100).slots)) == 0


def test_an_ask_that_would_come_after_the_silence_fell_does_not_come() -> None:
    purse = add(unanswered(-HALF_A_YEAR + 10), asked(-1, first=9).slots)
    assert find(purse, channel="sms") is Refusal.SILENT
    assert find(purse, PLEASE, channel="sms") == 71


def test_whoever_said_yes_gets_four_follow_ups_until_the_deadline() -> None:
    yes = Recipient(said_yes=True, dial=Dial.WEEKLY)
    follow = ask(campaign=6, thread=Thread(campaign=5, until=when(100)))
    purse = asked(-1)
    assert find(purse, follow) == 71
    for number in range(4):
        assert find(purse, follow, who=yes) == 0
        purse = placed(purse, follow, 0, delivery=10 + number, who=yes)
    assert purse.slots == asked(-1).slots
    assert find(purse, follow, who=yes) == 7 * DAY - 1
    assert find(refund(purse, [11]), follow, who=yes) == 0
    assert find(asked(99), follow, who=yes, at=99) == 99
    assert find(asked(99), follow, who=yes, at=100) == 99 + 7 * DAY
    assert forget(purse, when(99)).threads == purse.threads
    assert forget(purse, when(100)).threads == ()


def test_an_override_raises_every_cap_to_the_ceiling_twice_a_month() -> None:
    chat = {"channel": "telegram"}
    purse = asked(-150, -100, -1, **chat)
    assert find(purse, ask(urgent=True), **chat) == 23
    assert find(purse, URGENT, **chat) == 0
    once = placed(purse, URGENT, 0, delivery=10, **chat)
    assert once.slots[-1].flags & OVERRIDE
    # two a day, and four are more than the usual three a week
    assert find(once, URGENT, at=1, **chat) == 23
    twice = placed(once, URGENT, 23, delivery=11, now=23, **chat)
    assert twice.slots[-1].flags & OVERRIDE
    # the third in 30 days must find room as any other; then it is none
    assert find(twice, URGENT, at=24, **chat) == 167
    third = placed(twice, URGENT, 480, delivery=12, now=480, **chat)
    assert not third.slots[-1].flags & OVERRIDE
    assert find(third, URGENT, at=481, until=500, **chat) is Refusal.CAP
    assert find(third, URGENT, at=481, **chat) == 504
    assert find(refund(third, [10]), URGENT, at=481, **chat) == 481


def test_an_override_goes_no_higher_than_the_ceiling() -> None:
    low = changed(urgent__ceiling={"day": 2, "week": 4, "month": 9}, channels__push__month=10)
    rules = rules_of(read_budget(low))
    for purse, hour in (
        (asked(-150, -100, -10, channel="email"), 0),
        (asked(-150, -140, -100, -10, channel="email"), 18),
        (asked(*(-700 + 80 * n for n in range(9)), channel="webpush"), 20),
    ):
        found = earliest(purse, URGENT, rules, channel="telegram", at=NOW, until=when(40 * DAY))
        assert found == when(hour)


def test_an_override_lifts_neither_the_whole_week_nor_the_ceiling() -> None:
    week = asked(-160, -130, -100, -70, -40, channel="email")
    assert find(week, URGENT, channel="telegram") == 8
    assert find(week, ask(), channel="telegram") == 68
    new = Recipient(joined_at=when(-DAY))
    assert find(asked(-1, channel="email"), URGENT, channel="telegram", who=new) == 0


def slot(at: float, number: int, priority: int, deadline: float = 0, flags: int = 0, channel: str = "sms") -> Slot:
    return Slot(ms(at), number, channel, flags, priority, ms(deadline) if deadline else 0)


@pytest.mark.parametrize(
    ("slots", "victim"),
    [
        ([slot(10, 1, priority=1)], 1),
        # equals and betters keep theirs; so does what was sent
        ([slot(10, 1, priority=2)], None),
        ([slot(10, 1, priority=3)], None),
        ([slot(10, 1, priority=0, flags=SPENT)], None),
        # nothing is taken that does not help, or where there is room
        ([slot(10, 1, priority=1), slot(-10, 2, priority=5)], None),
        ([slot(100, 1, priority=1)], None),
        ([slot(60, 1, 1), slot(60, 2, 0)], None),
        ([slot(-100, 1, 5), slot(-60, 2, 5), slot(30, 3, 1)], 3),
        # the least important; then the one with most time left; then the later; then the last to come
        ([slot(-100, 1, 1), slot(40, 2, 1, channel="email"), slot(-50, 3, 0, channel="email")], 3),
        ([slot(-100, 1, 0, 50), slot(40, 2, 0, 60, channel="email"), slot(-50, 3, 0, 90, channel="email")], 3),
        ([slot(-100, 1, 0), slot(40, 2, 0, 60, channel="email"), slot(-50, 3, 0, 90, channel="email")], 1),
        ([slot(-100, 1, 0), slot(40, 2, 0, channel="email"), slot(-50, 3, 0, channel="email")], 2),
    ],
)
def test_a_more_important_ask_takes_the_slot_of_a_lesser_one(slots: list[Slot], victim: int | None) -> None:
    found = pick_victim(add(EMPTY, slots), ask(priority=2), RULES, channel="telegram", at=NOW, until=when(1))
    assert (found.delivery if found else None) == victim


def test_what_could_not_be_taken_is_not_named_again() -> None:
    purse = add(EMPTY, [slot(-100, 1, 0), slot(40, 2, 0, channel="email"), slot(-50, 3, 0, channel="email")])
    named = set[int]()
    while found := pick_victim(purse, ask(priority=2), RULES, channel="telegram", at=NOW, until=when(1), without=named):
        named.add(found.delivery)
    assert named == {1, 2, 3}


def test_nothing_is_taken_from_anybody_for_one_who_wants_silence() -> None:
    purse = asked(10, flags=0)
    for who in (Recipient(dial=Dial.PAUSED), Recipient(dial=Dial.URGENT_ONLY), Recipient(paused_until=when(9))):
        found = pick_victim(purse, ask(priority=9), RULES, channel="sms", at=NOW, until=when(1), recipient=who)
        assert found is None


def test_what_is_free_costs_nothing() -> None:
    full = asked(*(-700 + 96 * n for n in range(8)))
    assert find(full, ask(free=True), until=1) == 0
    assert placed(full, ask(free=True), 0) == full


def test_what_was_sent_keeps_its_slot_and_loses_its_rank() -> None:
    purse = add(EMPTY, [slot(1, 1, 3, 40, flags=ANSWERABLE), slot(100, 2, 3, 140)])
    sent = spend(purse, [1])
    assert sent.slots == (Slot(ms(1), 1, "sms", ANSWERABLE | SPENT), purse.slots[1])
    assert spend(sent, [1, 77]) is sent
    assert refund(sent, [77]) is sent
    assert refund(sent, [1, 2]).slots == ()


def test_a_household_counts_what_either_was_asked_and_heeds_what_either_answered() -> None:
    mine = forget(unanswered(-1000, -100), NOW)
    yours = answered(add(asked(-50, first=8), [*unanswered(-2000).slots, slot(20, 5, 1)]), when(-1900))
    both = merge(mine, yours)
    assert [s.delivery for s in both.slots] == [1, 2, 8, 5]
    assert (both.missed, both.quiet_since, both.answered_at) == ((("sms", 1),), ms(-1000), ms(-1900))
    late = merge(mine, answered(unanswered(-200), when(-150)))
    assert (late.missed, late.quiet_since) == ((), 0)
    assert merge(asked(-5, flags=0), asked(-5)) == merge(asked(-5), asked(-5, flags=0)) == asked(-5)


OLD = f'[[{ms(-5)},17,"sms"],[{ms(-100)},4,"email"]]'


def test_todays_text_is_read_as_what_was_sent() -> None:
    assert decode(OLD).slots == (Slot(ms(-100), 4, "email", SPENT), Slot(ms(-5), 17, "sms", SPENT))
    assert decode("[]") is EMPTY
    assert encode(EMPTY) == "[]"
    assert encode(decode(OLD)) == f"{ms(-100)} email 1;{ms(-5)} sms 1|4,17"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[]", "[]"),
        (f'[[{ms(5)},7,"sms",8,2,{ms(40)}]]', f"{ms(5)} sms 8 2 {ms(40)}|7"),
        (
            f'{{"slots":[],"missed":{{"sms":1}},"quiet_since":{ms(-1000)}}}',
            f'{{"missed":{{"sms":1}},"quiet_since":{ms(-1000)}}}|',
        ),
        (
            f'{{"slots":[[{ms(5)},7,"sms",0]],"threads":[[3,{ms(40)},[8,9]]]}}',
            f'{ms(5)} sms 0{{"threads":[[3,{ms(40)},[8,9]]]}}|7',
        ),
    ],
)
def test_the_json_of_older_ledgers_is_read_as_ever(old: str, new: str) -> None:
    assert encode(decode(old)) == new
    assert decode(new) == decode(old)


def test_counters_are_kept_beside_the_slots() -> None:
    purse = forget(add(unanswered(-1000), [slot(5, 7, 2, 40, flags=PERMISSION)]), NOW)
    text = encode(purse)
    assert text == f'{ms(5)} sms 8 2 {ms(40)}{{"missed":{{"sms":1}},"quiet_since":{ms(-1000)}}}|7'
    assert decode(text) == purse


@pytest.mark.parametrize(
    ("data", "place", "words"),
    [
        (changed(overall__day=0), "overall.day", "greater than or equal to 1"),
        (changed(channels__sms__week=0), "channels.sms.week", "greater than or equal to 1"),
        (changed(overall__day="1"), "overall.day", "integer"),
        (changed(overall__month=None), "overall.month", "required"),
        (changed(overall__year=9), "overall.year", "not permitted"),
        (changed(silence=None), "silence", "required"),
        (changed(channels__sms__day=3), "channels.sms.week", "a week cannot hold fewer asks (2) than a day (3)"),
        (changed(channels__email__month=1), "channels.email.month", "30 days cannot hold fewer asks (1) than a week"),
        (changed(newcomers__month=1, newcomers__week=2), "newcomers.month", "fewer asks (1) than a week (2)"),
        (changed(overall__gap_hours=84), "overall.gap_hours", "a gap of 84 h leaves no room for week = 3"),
        (changed(channels__sms__day=2), "channels.sms.gap_hours", "leaves no room for day = 2"),
        (changed(channels__whatsapp__gap_hours=721), "channels.whatsapp.gap_hours", "a gap of 721 h leaves no room"),
        (changed(channels__whatsapp__month=1, channels__whatsapp__gap_hours=400), "channels.whatsapp.gap_hours",
         "widened 2 times"),
        (changed(channels__push__covers=[]), "channels.push.covers", "at least 1 item"),
        (changed(channels__push__covers=["fcm", "sms"]), "channels.push.covers", "sms already has caps under"),
        (changed(newcomers__week=4), "newcomers.week", "cannot bear more than everybody (3)"),
        (changed(newcomers__joining_campaign_days=31), "newcomers.joining_campaign_days", "must not outlast"),
        (changed(urgent__ceiling={"day": 2, "week": 2, "month": 11}), "urgent.ceiling.week", "the normal cap (3)"),
        (changed(urgent__ceiling={"day": 6, "week": 5, "month": 11}), "urgent.ceiling.week", "than a day (6)"),
        (changed(dial__weekly=4), "dial.weekly", "more than overall.week (3)"),
        (changed(unanswered__month_after=3), "unanswered.month_after", "more than widen_after"),
        (changed(silence__days=30), "silence.days", "greater than or equal to 31"),
        (changed(competing__margin=0), "competing.margin", "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_budget_that_cannot_be_meant(data: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_budget(data, file="policy.toml")
    assert refused.value.place == f"policy.toml: budget.{place}"
    assert words in refused.value.sentence


def test_a_file_without_a_budget_says_so() -> None:
    with pytest.raises(BadInput, match=r"policy\.toml: budget\.overall: Field required"):
        read_budget({})


def test_moments_with_fractions_of_a_millisecond_come_back_as_they_were() -> None:
    odd = datetime.fromisoformat("2026-11-19T10:00:00.123456+00:00")
    assert earliest(asked(-100), ask(), RULES, channel="sms", at=odd, until=when(20)) == odd
