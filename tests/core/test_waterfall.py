"""One channel after the other: how long each is waited for, and who is asked once more, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels import SPECS
from router.core.ask import Ask
from router.core.content_check import find_problems
from router.core.delivery import Step, after_receipt
from router.core.errors import BadInput
from router.core.errors import FailureClass as F
from router.core.model import DeliveryStatus as S
from router.core.policy import read_policy
from router.core.waterfall import LIVE, Hop, may_go_on, may_remind, reminders, to_withdraw, turn_ends, wait_on
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
POLICY = read_policy(load_toml("policy", load_settings()))


def ask(*steps: dict[str, Any], **values: Any) -> Ask:
    return Ask.model_validate(
        {"title": "Vote", "texts": {"en": {"default": {"text": "Call"}}}, "waterfall": list(steps), **values}
    )


SMS, EMAIL = {"channel": "sms"}, {"channel": "email"}
TONIGHT = {"tonight": True, "deadline": NOW}


@pytest.mark.parametrize(
    ("made", "channel", "minutes"),
    [
        (ask(), "sms", None),
        (ask(SMS), "email", None),
        (ask(SMS), "sms", 360),
        (ask(SMS, urgent=True), "sms", 30),
        (ask(SMS, **TONIGHT), "sms", 30),
        (ask(SMS, EMAIL), "email", 1_440),
        (ask(SMS, EMAIL, urgent=True), "email", 180),
        (ask({"channel": "webpush"}), "webpush", 120),
        (ask({"channel": "fcm"}, urgent=True), "fcm", 10),
        (ask({"channel": "telegram"}), "telegram", 240),
        (ask({"channel": "slack"}, urgent=True), "slack", 20),
        (ask({"channel": "sms", "wait_minutes": 7}, urgent=True), "sms", 7),
    ],
)
def test_how_long_a_channel_is_waited_for(made: Ask, channel: str, minutes: int | None) -> None:
    """The policy's waits are FACTS.md 4.5; an author's own go before them."""
    wait = None if minutes is None else timedelta(minutes=minutes)
    assert wait_on(made, channel, POLICY.waits) == wait
    assert turn_ends(made, channel, POLICY.waits, NOW) == (None if wait is None else NOW + wait)


def test_silence_is_waited_for_only_where_a_step_says_so() -> None:
    acted = {"channel": "sms", "success": "acted"}
    assert reminders(ask(acted, EMAIL), POLICY.waits) == {"sms": timedelta(hours=6)}
    assert reminders(ask(SMS, EMAIL), POLICY.waits) == {}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"waterfall": [SMS, EMAIL, SMS]}, "twice"),
        ({"waterfall": [SMS], "channels": ["email"]}, "leaves out"),
        ({"waterfall": [{**SMS, "wait_minutes": 0}]}, "greater than or equal to 1"),
        ({"waterfall": [{**SMS, "success": "read"}]}, "'delivered' or 'acted'"),
        ({"waterfall": [{**SMS, "success": "acted"}], "kind": "reminder", "about": 1}, "asks for nothing"),
    ],
)
def test_a_waterfall_that_cannot_be_meant_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Ask.model_validate({"title": "Vote", "texts": {"en": {"default": {"text": "Call"}}}, **values})


def test_a_step_for_a_channel_that_does_not_exist_is_refused_when_it_is_saved() -> None:
    [problem] = find_problems(ask(SMS, {"channel": "pigeon"}), SPECS)
    assert str(problem).startswith("waterfall: there is no channel 'pigeon'; known are apprise, email")


def test_a_policy_without_a_wait_for_all_channels_is_refused() -> None:
    toml = load_toml("policy", load_settings())
    with pytest.raises(BadInput, match="needs a default for channels"):
        read_policy({**toml, "waits": {"sms": toml["waits"]["sms"]}})


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("failure", "hop", "turn", "step"),
    [
        # The provider gave up when its time was over: the next channel's turn. Without a waterfall that is the end.
        (F.EXPIRED, 0, HOUR, Step.FALLBACK),
        (F.EXPIRED, 0, None, Step.EXPIRE),
        # A phone that is off is tried again after half an hour, unless the next channel has its turn by then.
        (F.RECIPIENT_TRANSIENT, 0, HOUR, Step.RETRY),
        (F.RECIPIENT_TRANSIENT, 0, HOUR / 2, Step.FALLBACK),
        (F.RECIPIENT_TRANSIENT, 1, HOUR, Step.FALLBACK),
        (F.RECIPIENT_TRANSIENT, 1, 5 * HOUR, Step.RETRY),
        (F.DAILY_CAP, 0, HOUR, Step.FALLBACK),
        (F.DAILY_CAP, 0, 2 * HOUR, Step.RETRY),
        # What is final without a waterfall is final with one.
        (F.OPT_OUT, 0, HOUR, Step.FAIL),
        (F.CONTENT, 0, HOUR, Step.FAIL),
        (F.ADDRESS_DEAD, 0, HOUR, Step.FALLBACK),
        (F.UNKNOWN, 1, HOUR, Step.FAIL),
    ],
)
def test_a_receipt_of_failure_within_a_waterfall(failure: F, hop: int, turn: timedelta | None, step: Step) -> None:
    ends = None if turn is None else NOW + turn
    late = NOW + timedelta(hours=72)
    found = after_receipt(failure, hop=hop, now=NOW, expires_at=late, policy=POLICY.retry, turn_ends=ends)
    assert found.step is step


def test_an_ask_that_ran_out_itself_goes_nowhere_else() -> None:
    found = after_receipt(F.EXPIRED, hop=0, now=NOW, expires_at=NOW, policy=POLICY.retry, turn_ends=NOW + HOUR)
    assert found.step is Step.EXPIRE


def hops(*rows: tuple[int, S]) -> list[Hop]:
    return [Hop(number, hop, status) for number, (hop, status) in enumerate(rows, start=1)]


@pytest.mark.parametrize(
    ("rows", "may"),
    [
        (hops((0, S.SENT)), True),
        (hops((0, S.DELIVERED)), True),
        (hops((0, S.READ)), True),
        (hops((0, S.UNKNOWN)), False),  # it may never have left: nobody is reminded of what they never saw
        (hops((0, S.SENDING)), False),
        (hops((0, S.FAILED)), False),
        (hops((0, S.FAILED), (1, S.SENT)), True),  # the fallback is what arrived
        (hops((0, S.CANCELLED), (1, S.SENT)), True),
        (hops((0, S.SENT), (1, S.SENT)), False),  # that is the one more
        (hops((0, S.SENT), (1, S.QUEUED)), False),
        (hops((0, S.SENT), (1, S.CANCELLED)), False),  # it was withdrawn, not forgotten
        (hops((0, S.SENT), (1, S.FAILED)), False),
    ],
)
def test_who_may_be_asked_once_more(rows: list[Hop], may: bool) -> None:
    """At most once: whichever row of these is looked at."""
    assert any(may_remind(row.delivery, rows) for row in rows) is may


@given(st.lists(st.sampled_from(S), min_size=1, max_size=5), st.data())
def test_reminders_never_come_twice(statuses: list[S], data: st.DataObject) -> None:
    """Whatever became of a member's messages: after one reminder there is no other, whatever becomes of that one."""
    rows = hops(*enumerate(statuses))
    reminded = next((row for row in rows if may_remind(row.delivery, rows)), None)
    if reminded is not None:
        later = data.draw(st.sampled_from(S))
        more = [*rows, Hop(99, reminded.hop + 1, later)]
        assert not any(may_remind(row.delivery, more) for row in more)


@given(st.lists(st.sampled_from(S), min_size=1, max_size=5))
def test_a_failure_goes_on_only_where_nothing_else_lives(statuses: list[S]) -> None:
    rows = hops(*enumerate(statuses))
    for row in rows:
        others = {other.status for other in rows if other != row}
        assert may_go_on(row.delivery, rows) is not bool(others & LIVE)


@pytest.mark.parametrize(
    ("kind", "rows", "withdrawn"),
    [
        ("yes", hops((0, S.QUEUED)), []),  # the first message is no further one
        ("yes", hops((0, S.FAILED), (1, S.QUEUED)), [2]),
        ("yes", hops((0, S.SENT), (1, S.QUEUED)), [2]),
        ("yes", hops((0, S.SENT), (1, S.SENDING)), []),
        ("no", hops((0, S.FAILED), (1, S.QUEUED)), [2]),
        ("signed", hops((0, S.SENT), (1, S.QUEUED), (2, S.QUEUED)), [2, 3]),
        # A click may be a mail scanner's: it answers a reminder, and leaves alone what stands in for a failure.
        ("click", hops((0, S.SENT), (1, S.QUEUED)), [2]),
        ("click", hops((0, S.FAILED), (1, S.QUEUED)), []),
    ],
)
def test_what_is_of_no_use_once_somebody_acted(kind: str, rows: list[Hop], withdrawn: list[int]) -> None:
    assert to_withdraw(kind, rows, first=False) == withdrawn


@pytest.mark.parametrize(
    ("rows", "withdrawn"),
    [
        (hops((0, S.QUEUED)), [1]),
        (hops((0, S.SENDING)), []),
        (hops((0, S.SENT), (1, S.QUEUED)), [2]),
        (hops((0, S.CANCELLED), (1, S.QUEUED)), [2]),  # moved to another channel before it left
    ],
)
def test_the_first_message_is_of_no_use_to_who_answered_before_it_left(rows: list[Hop], withdrawn: list[int]) -> None:
    assert to_withdraw("yes", rows, first=True) == withdrawn
