"""May we write to this person, where and when: the decision as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.attention import BudgetAsk, Dial
from router.core.budget_limits import rules_of
from router.core.budget_policy import BudgetSection
from router.core.consent import Allow, check, check_reply, check_self_test
from router.core.model import Address, AddressState, AskKind, ConsentState, Member, Reason
from router.core.purse import Purse, Slot, to_ms
from router.core.quiet_hours import QuietHours
from router.core.routing import Deliver, Hold, House, Plan, route
from router.settings import load_settings, load_toml
from tests.support.runtime import PLAIN_BUDGET

NOON = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
HOUSE = House(
    budget=rules_of(BudgetSection.model_validate(PLAIN_BUDGET)),
    quiet_hours=QuietHours.from_toml(load_toml("quiet_hours", load_settings())),
)
PLAN = Plan(
    kind=AskKind.ASK,
    budget=BudgetAsk(campaign=1),
    channels=frozenset({"sms", "email"}),
    earliest=NOON,
    expires_at=NOON + timedelta(hours=72),
)


def address(channel: str = "sms", number: int = 1, **values: Any) -> Address:
    return Address(
        **{"id": number, "channel": channel, "value": "v", "hash": "h", "consent": ConsentState.GRANTED, **values}
    )


def member(*addresses: Address, **values: Any) -> Member:
    return Member(**{"id": 7, "zone": "Europe/Paris", "country": "FR", "addresses": addresses, **values})


def asked(*days_ago: float) -> Purse:
    return Purse(
        tuple(sorted(Slot(to_ms(NOON - timedelta(days=days)), n, "sms") for n, days in enumerate(days_ago, 1)))
    )


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (member(), Reason.NO_ADDRESS),
        (member(address(), erased=True), Reason.ERASED),
        (member(address("telegram")), Reason.NO_CHANNEL),
        (member(address(consent=ConsentState.NONE)), Reason.NO_CONSENT),
        (member(address(consent=ConsentState.UNCONFIRMED)), Reason.UNCONFIRMED),
        (member(address(consent=ConsentState.REVOKED)), Reason.SUPPRESSED),
        (member(address(suppressed=True)), Reason.SUPPRESSED),
        (member(address(state=AddressState.DEAD)), Reason.ADDRESS_DEAD),
        (member(address(), purse=asked(1, 2, 3)), Reason.CAP),
        # several reasons: the one that came closest to a message
        (member(address("telegram"), address(suppressed=True)), Reason.SUPPRESSED),
        (member(address(consent=ConsentState.NONE), address("email", suppressed=True)), Reason.SUPPRESSED),
        (member(address(suppressed=True), address("email"), purse=asked(1, 1, 1)), Reason.CAP),
    ],
)
def test_why_somebody_is_not_written_to(person: Member, reason: Reason) -> None:
    assert route(person, PLAN, HOUSE, now=NOON) == Hold(reason)


def test_the_members_own_order_of_channels_decides() -> None:
    for first, second in (("email", "sms"), ("sms", "email")):
        liked, other = address(first, 1, rank=0), address(second, 2, rank=1)
        assert route(member(liked, other), PLAN, HOUSE, now=NOON) == Deliver(liked, NOON)


def test_a_channel_that_may_not_be_used_gives_way_to_the_next() -> None:
    phone, mail = address("sms", 1, suppressed=True), address("email", 2)
    assert route(member(phone, mail), PLAN, HOUSE, now=NOON) == Deliver(mail, NOON)


def test_a_fallback_passes_over_what_was_tried() -> None:
    phone, mail = address("sms", 1), address("email", 2)
    assert route(member(phone, mail), PLAN, HOUSE, now=NOON, without={1}) == Deliver(mail, NOON)
    assert route(member(phone, mail), PLAN, HOUSE, now=NOON, without={1, 2}) == Hold(Reason.NO_ADDRESS)


def test_the_oldest_ask_falls_out_of_the_window() -> None:
    person = member(address(), purse=asked(1, 2, 7))
    assert isinstance(route(person, PLAN, HOUSE, now=NOON), Deliver)


def test_quiet_hours_defer_to_the_morning_by_the_members_clock() -> None:
    night = NOON.replace(hour=22)
    plan = replace(PLAN, earliest=night)
    verdict = route(member(address()), plan, HOUSE, now=night)
    assert verdict == Deliver(address(), datetime(2026, 11, 20, 8, 0, tzinfo=UTC))


def test_an_ask_that_would_come_too_late_is_held_not_sent_at_night() -> None:
    night = NOON.replace(hour=22)
    plan = replace(PLAN, earliest=night, expires_at=night + timedelta(hours=6))
    assert route(member(address()), plan, HOUSE, now=night) == Hold(Reason.QUIET_HOURS)


def test_a_service_message_passes_the_cap_and_needs_a_sign_up() -> None:
    plan = replace(PLAN, kind=AskKind.REMINDER, budget=BudgetAsk(campaign=1, free=True))
    person = member(address(), purse=asked(1, 1, 1))
    assert isinstance(route(person, plan, HOUSE, now=NOON), Deliver)
    assert route(replace(person, signed_up=False), plan, HOUSE, now=NOON) == Hold(Reason.NOT_SIGNED_UP)
    assert route(replace(person, addresses=(address(suppressed=True),)), plan, HOUSE, now=NOON) == Hold(
        Reason.SUPPRESSED
    )


def test_an_ask_waits_for_the_next_free_slot_and_then_for_daylight() -> None:
    asked_thrice = member(address(), purse=asked(1, 2, 6.9))
    free = NOON + timedelta(days=0.1)  # 20:24 in Paris, after the window for texts
    assert route(asked_thrice, PLAN, HOUSE, now=NOON) == Deliver(address(), datetime(2026, 11, 20, 8, 0, tzinfo=UTC))
    soon_over = replace(PLAN, expires_at=free + timedelta(hours=1))
    assert route(asked_thrice, soon_over, HOUSE, now=NOON) == Hold(Reason.QUIET_HOURS)
    assert route(asked_thrice, replace(PLAN, expires_at=free), HOUSE, now=NOON) == Hold(Reason.CAP)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"dial": Dial.PAUSED}, Hold(Reason.PAUSED)),
        ({"dial": Dial.URGENT_ONLY}, Hold(Reason.DIAL)),
        ({"paused_until": NOON + timedelta(days=30)}, Hold(Reason.PAUSED)),
        ({"dial": Dial.WEEKLY}, Deliver(address(), NOON)),
        ({"dial": Dial.WEEKLY, "purse": asked(2)}, Hold(Reason.DIAL)),
    ],
)
def test_the_members_dial_is_obeyed(values: dict[str, Any], expected: Deliver | Hold) -> None:
    assert route(member(address(), **values), PLAN, HOUSE, now=NOON) == expected


@given(
    st.lists(
        st.builds(
            Address,
            id=st.integers(1, 5),
            channel=st.sampled_from(["sms", "email", "telegram"]),
            value=st.just("v"),
            hash=st.just("h"),
            state=st.sampled_from(list(AddressState)),
            consent=st.sampled_from(list(ConsentState)),
            suppressed=st.booleans(),
        ),
        max_size=4,
    ),
    st.lists(st.floats(0, 30), max_size=6).map(lambda days: asked(*days)),
    st.sampled_from(list(AskKind)),
    st.integers(0, 47),
)
def test_whoever_is_written_to_consented_in_time_and_within_the_cap(
    addresses: list[Address], purse: Purse, kind: AskKind, hour: int
) -> None:
    now = NOON.replace(hour=0) + timedelta(hours=hour)
    plan = replace(PLAN, kind=kind, budget=BudgetAsk(campaign=1, free=kind.is_service), earliest=now)
    verdict = route(member(*addresses, purse=purse), plan, HOUSE, now=now)
    if isinstance(verdict, Hold):
        assert verdict.reason.sentence
        return
    chosen = verdict.address
    assert chosen.consent is ConsentState.GRANTED
    assert not chosen.suppressed
    assert chosen.state is AddressState.ACTIVE
    assert chosen.channel in plan.channels
    assert now <= verdict.not_before < plan.expires_at
    window = HOUSE.quiet_hours.window(chosen.channel, "Europe/Paris", "FR", verdict.not_before)
    assert window.opens_at <= verdict.not_before < window.closes_at
    if not kind.is_service:
        since = to_ms(verdict.not_before - timedelta(days=7))
        recent = [slot for slot in purse.slots if slot.at > since]
        assert len(recent) < 3


def test_an_allow_is_made_nowhere_else() -> None:
    with pytest.raises(TypeError, match=r"router\.core\.consent"):
        Allow(address(), object())
    assert isinstance(check(address()), Allow)


def test_every_reason_has_a_sentence_for_the_member() -> None:
    for reason in Reason:
        assert reason.sentence.endswith(".")


@pytest.mark.parametrize(("minutes", "allowed"), [(0, True), (5, True), (6, False)])
def test_the_one_confirmation_goes_out_within_five_minutes_even_after_a_stop(minutes: int, allowed: bool) -> None:
    verdict = check_reply(address(suppressed=True), asked_at=NOON, now=NOON + timedelta(minutes=minutes))
    assert isinstance(verdict, Allow) is allowed


def test_a_test_send_goes_to_oneself_unless_one_said_stop() -> None:
    assert isinstance(check_self_test(address(consent=ConsentState.NONE)), Allow)
    assert check_self_test(address(suppressed=True)) is Reason.SUPPRESSED
