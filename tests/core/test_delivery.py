"""What to do about a failed send: class, attempt and now make a step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from router.core.delivery import SENDER_PAUSE, Step, after_allowance, after_receipt, after_send_error
from router.core.errors import FailureClass as F
from router.core.errors import Moved, NotSent, Refused, SendError, Throttled
from router.core.model import DeliveryRef, Reason
from router.core.policy import read_policy
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=72)
POLICY = read_policy(load_toml("policy", load_settings())).retry


@pytest.mark.parametrize(
    ("error", "attempts", "step", "seconds"),
    [
        (Throttled("20429", 17), 1, Step.REQUEUE, 17),
        (Throttled("20429"), 1, Step.REQUEUE, 5),
        (Throttled("20429", 17), 99, Step.REQUEUE, 17),  # burns no attempt, so their number does not matter
        (NotSent(F.TRANSPORT), 1, Step.REQUEUE, 1),
        (NotSent(F.TRANSPORT), 5, Step.REQUEUE, 300),
        (NotSent(F.TRANSPORT), 6, Step.FALLBACK, None),
        (Refused(F.OPT_OUT), 1, Step.FAIL, None),
        (Refused(F.ADDRESS_DEAD), 1, Step.FALLBACK, None),
        (Refused(F.RECIPIENT_TRANSIENT), 1, Step.REQUEUE, 30 * 60),
        (Refused(F.RECIPIENT_TRANSIENT), 2, Step.REQUEUE, 240 * 60),
        (Refused(F.RECIPIENT_TRANSIENT), 3, Step.FALLBACK, None),
        (Refused(F.RATE), 1, Step.REQUEUE, 5),
        (Refused(F.DAILY_CAP), 1, Step.REQUEUE, 3600),
        (Refused(F.TEMPLATE), 1, Step.FALLBACK, None),
        (Refused(F.WA_MARKETING), 1, Step.FALLBACK, None),
        (Refused(F.CONTENT), 1, Step.FAIL, None),
        (Refused(F.SENDER_CONFIG), 1, Step.REQUEUE, 900),
        (Refused(F.EXPIRED), 1, Step.EXPIRE, None),
        (Refused(F.UNKNOWN, "99999"), 1, Step.REQUEUE, 60),
        (Refused(F.UNKNOWN, "99999"), 2, Step.FAIL, None),
    ],
)
def test_after_a_send_that_surely_did_not_arrive(
    error: SendError, attempts: int, step: Step, seconds: int | None
) -> None:
    found = after_send_error(error, attempts=attempts, now=NOW, expires_at=LATER, policy=POLICY)
    assert found.step is step
    assert found.at == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("failure", "hop", "step"),
    [
        (F.RECIPIENT_TRANSIENT, 0, Step.RETRY),
        (F.RECIPIENT_TRANSIENT, 1, Step.RETRY),
        (F.RECIPIENT_TRANSIENT, 2, Step.FALLBACK),
        (F.ADDRESS_DEAD, 0, Step.FALLBACK),
        (F.OPT_OUT, 0, Step.FAIL),
        (F.CONTENT, 0, Step.FAIL),
        (F.SENDER_CONFIG, 0, Step.FALLBACK),
        (F.UNKNOWN, 0, Step.RETRY),
        (F.UNKNOWN, 1, Step.FAIL),
        (None, 0, Step.RETRY),
        (F.RATE, 0, Step.RETRY),
        (F.EXPIRED, 0, Step.EXPIRE),
    ],
)
def test_after_a_receipt_of_failure(failure: F | None, hop: int, step: Step) -> None:
    assert after_receipt(failure, hop=hop, now=NOW, expires_at=LATER, policy=POLICY).step is step


@pytest.mark.parametrize("failure", list(F))
def test_every_class_leads_somewhere_and_nothing_is_tried_after_its_time(failure: F) -> None:
    soon = NOW + timedelta(milliseconds=1)
    for found in (
        after_send_error(Refused(failure), attempts=1, now=NOW, expires_at=soon, policy=POLICY),
        after_receipt(failure, hop=0, now=NOW, expires_at=soon, policy=POLICY),
    ):
        assert found.step not in (Step.REQUEUE, Step.RETRY)


def test_what_goes_with_a_step() -> None:
    def after(failure: F) -> object:
        return after_send_error(Refused(failure), attempts=1, now=NOW, expires_at=LATER, policy=POLICY)

    stop = after(F.OPT_OUT)
    assert (stop.suppress, stop.reason) == (True, Reason.SUPPRESSED)  # type: ignore[attr-defined]
    assert after(F.ADDRESS_DEAD).address_dead  # type: ignore[attr-defined]
    ours = after(F.SENDER_CONFIG)
    assert (ours.at, ours.burns_attempt) == (NOW + SENDER_PAUSE, False)  # type: ignore[attr-defined]


def test_another_sender_takes_over_at_once_but_not_for_ever() -> None:
    for error in (NotSent(F.TRANSPORT, "connect"), Refused(F.SENDER_CONFIG, "21606")):
        for attempts, step, at in ((1, Step.REQUEUE, NOW), (5, Step.REQUEUE, NOW)):
            found = after_send_error(error, attempts=attempts, now=NOW, expires_at=LATER, policy=POLICY, others=True)
            assert (found.step, found.at, found.burns_attempt) == (step, at, True)
    ended = after_send_error(
        NotSent(F.TRANSPORT, "connect"), attempts=6, now=NOW, expires_at=LATER, policy=POLICY, others=True
    )
    assert ended.step is Step.FALLBACK
    alone = after_send_error(
        Refused(F.SENDER_CONFIG, "21606"), attempts=6, now=NOW, expires_at=LATER, policy=POLICY, others=True
    )
    assert (alone.step, alone.at) == (Step.REQUEUE, NOW + SENDER_PAUSE)


def test_a_daily_allowance_waits_for_its_reset_or_goes_elsewhere() -> None:
    reset = NOW + timedelta(hours=3)
    for found in (
        after_send_error(
            Refused(F.DAILY_CAP, "30023"), attempts=1, now=NOW, expires_at=LATER, policy=POLICY, daily_reset=reset
        ),
        after_allowance(now=NOW, expires_at=LATER, reset=reset),
    ):
        assert (found.step, found.at, found.burns_attempt) == (Step.REQUEUE, reset, False)
    late = after_allowance(now=NOW, expires_at=NOW + timedelta(hours=1), reset=reset)
    assert late.step is Step.FALLBACK


def test_an_address_that_moved_is_tried_again_at_once_and_burns_no_attempt() -> None:
    found = after_send_error(Moved("-1002"), attempts=1, now=NOW, expires_at=LATER, policy=POLICY)
    assert (found.step, found.at, found.burns_attempt) == (Step.REQUEUE, NOW, False)


@pytest.mark.parametrize(
    "text", ["", "202611", "202611-", "-7", "2026-7", "202611-7x", "٢٠٢٦١١-7", "202611-" + "9" * 19]
)
def test_a_reference_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a delivery reference"):
        DeliveryRef.parse(text)


def test_a_reference_is_read_as_it_was_written() -> None:
    assert DeliveryRef.parse(str(DeliveryRef(202611, 17))) == DeliveryRef(202611, 17)
