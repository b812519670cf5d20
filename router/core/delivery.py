"""How a delivery moves, and what to do about a failure: the only place that maps failure, attempt and now to a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from router.core.errors import FailureClass, Moved, NotSent, SendError, Throttled
from router.core.model import DeliveryStatus, Reason
from router.core.policy import RetryPolicy

_S = DeliveryStatus

RECEIPT_MOVES: Mapping[DeliveryStatus, frozenset[DeliveryStatus]] = {
    _S.SENT: frozenset({_S.SENDING, _S.UNKNOWN}),
    _S.DELIVERED: frozenset({_S.SENDING, _S.UNKNOWN, _S.SENT}),
    _S.READ: frozenset({_S.SENDING, _S.UNKNOWN, _S.SENT, _S.DELIVERED}),
    _S.FAILED: frozenset({_S.SENDING, _S.UNKNOWN, _S.SENT}),
}
"""What a receipt says → the states it may move (rule 14: forward only)."""

FINAL = frozenset({_S.DELIVERED, _S.READ, _S.FAILED, _S.EXPIRED, _S.CANCELLED, _S.HELD})
"""Nothing is expected to happen any more; SENT and UNKNOWN still wait for receipts."""

REFUNDED = frozenset({_S.FAILED, _S.EXPIRED, _S.CANCELLED, _S.HELD})
"""States in which the ask surely reached nobody, so that its budget slot is given back (rule 15)."""

SENDER_PAUSE = timedelta(minutes=15)
"""How long a delivery waits after the provider found fault with our account and no other sender can take it
(FACTS.md 4.4, circuit breaker)."""

DAILY_CAP_PAUSE = timedelta(hours=1)
"""How long a used-up daily allowance rests where nobody says when it begins anew."""


def advance(status: DeliveryStatus, said: DeliveryStatus) -> DeliveryStatus | None:
    """The state that a receipt saying `said` moves a delivery in `status` to; None where it is only evidence."""
    return said if status in RECEIPT_MOVES.get(said, frozenset()) else None


class Step(StrEnum):
    """What to do with a delivery whose send failed."""

    REQUEUE = "requeue"
    """It surely was not sent: back to the queue, not before `Next.at`."""
    RETRY = "retry"
    """The provider had taken it and then failed: a new row for the same channel, not before `Next.at`."""
    FALLBACK = "fallback"
    """This address will not do: a new row on the member's next allowed channel, if there is one."""
    FAIL = "fail"
    """The end of it."""
    EXPIRE = "expire"
    """Too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A step and what goes with it."""

    step: Step
    reason: Reason
    at: datetime | None = None
    suppress: bool = False
    """Write a suppression for this address and channel."""
    address_dead: bool = False
    """Mark the address as dead."""
    pause: timedelta | None = None
    """Rest the sender's bucket for so long."""
    burns_attempt: bool = True


def after_send_error(
    error: SendError,
    *,
    attempts: int,
    now: datetime,
    expires_at: datetime | None,
    policy: RetryPolicy,
    others: bool = False,
    daily_reset: datetime | None = None,
) -> Next:
    """What to do after `Channel.send` raised `NotSent` or `Refused`. `attempts` counts this one.

    `others` says that another sender could take it over at once; `daily_reset` is when the provider's daily allowance
    begins anew. (`OutcomeUnknown` is not asked about here: there is only one thing to do, to wait.)
    """
    if isinstance(error, Moved):
        return _unless_late(now, expires_at, reason=Reason.UNREACHABLE, burns_attempt=False)
    if isinstance(error, Throttled):
        wait = timedelta(seconds=error.retry_after if error.retry_after is not None else policy.rate_seconds)
        return _unless_late(now + wait, expires_at, reason=Reason.UNREACHABLE, pause=wait, burns_attempt=False)
    if isinstance(error, NotSent):
        waits = policy.transport_seconds
        if attempts > len(waits):
            return Next(step=Step.FALLBACK, reason=Reason.UNREACHABLE)
        wait = timedelta(0) if others else timedelta(seconds=waits[attempts - 1])
        return _unless_late(now + wait, expires_at, reason=Reason.UNREACHABLE)
    if error.failure is FailureClass.SENDER_CONFIG and others and attempts <= len(policy.transport_seconds):
        return _unless_late(now, expires_at, reason=Reason.SENDER_CONFIG)
    return _after_failure(
        error.failure,
        tries=attempts,
        now=now,
        expires_at=expires_at,
        policy=policy,
        again=Step.REQUEUE,
        daily_reset=daily_reset,
    )


def after_receipt(
    failure: FailureClass | None,
    *,
    hop: int,
    now: datetime,
    expires_at: datetime | None,
    policy: RetryPolicy,
    daily_reset: datetime | None = None,
    turn_ends: datetime | None = None,
) -> Next:
    """What to do after a receipt said FAILED about a message that the provider had taken; `hop` is the row's own.

    `turn_ends` is when the next channel's turn comes, where the ask has a waterfall (`core.waterfall`): a provider that
    gave up by then leaves the ask to that channel, and nothing is tried again after it.
    """
    return _after_failure(
        failure or FailureClass.UNKNOWN,
        tries=hop + 1,
        now=now,
        expires_at=expires_at,
        policy=policy,
        again=Step.RETRY,
        daily_reset=daily_reset,
        turn_ends=turn_ends,
    )


def after_allowance(*, now: datetime, expires_at: datetime | None, reset: datetime) -> Next:
    """What to do where our own count says that the day's allowance is used up: wait for the next, or go elsewhere."""
    return _unless_late(
        max(now, reset),
        expires_at,
        reason=Reason.UNREACHABLE,
        burns_attempt=False,
        late=Step.FALLBACK,
    )


def _after_failure(
    failure: FailureClass,
    *,
    tries: int,
    now: datetime,
    expires_at: datetime | None,
    policy: RetryPolicy,
    again: Step,
    daily_reset: datetime | None,
    turn_ends: datetime | None = None,
) -> Next:
    last = min((moment for moment in (expires_at, turn_ends) if moment is not None), default=None)
    match failure:
        case FailureClass.OPT_OUT:
            return Next(step=Step.FAIL, reason=Reason.SUPPRESSED, suppress=True)
        case FailureClass.ADDRESS_DEAD:
            return Next(step=Step.FALLBACK, reason=Reason.ADDRESS_DEAD, address_dead=True)
        case FailureClass.RECIPIENT_TRANSIENT:
            waits = policy.recipient_minutes
            at = now + timedelta(minutes=waits[min(tries, len(waits)) - 1])
            if tries > len(waits) or (last is not None and at >= last):
                return Next(step=Step.FALLBACK, reason=Reason.UNREACHABLE)
            return Next(step=again, reason=Reason.UNREACHABLE, at=at)
        case FailureClass.RATE:
            wait = timedelta(seconds=policy.rate_seconds)
            return _unless_late(
                now + wait, expires_at, reason=Reason.UNREACHABLE, pause=wait, burns_attempt=False, step=again
            )
        case FailureClass.DAILY_CAP:
            reset = daily_reset or now + DAILY_CAP_PAUSE
            return _unless_late(
                reset,
                last,
                reason=Reason.UNREACHABLE,
                pause=None if daily_reset else DAILY_CAP_PAUSE,
                burns_attempt=False,
                step=again,
                late=Step.FALLBACK,
            )
        case FailureClass.SENDER_CONFIG:
            if again is Step.RETRY:
                return Next(step=Step.FALLBACK, reason=Reason.SENDER_CONFIG)
            return _unless_late(now + SENDER_PAUSE, expires_at, reason=Reason.SENDER_CONFIG, burns_attempt=False)
        case FailureClass.TEMPLATE | FailureClass.WA_MARKETING:
            return Next(step=Step.FALLBACK, reason=Reason.REFUSED)
        case FailureClass.CONTENT:
            return Next(step=Step.FAIL, reason=Reason.CONTENT)
        case FailureClass.EXPIRED:
            if turn_ends is not None and (expires_at is None or now < expires_at):
                return Next(step=Step.FALLBACK, reason=Reason.UNREACHABLE)
            return Next(step=Step.EXPIRE, reason=Reason.EXPIRED)
        case FailureClass.TRANSPORT | FailureClass.UNKNOWN:
            if tries > 1:
                return Next(step=Step.FAIL, reason=Reason.REFUSED)
            return _unless_late(now + timedelta(minutes=1), expires_at, reason=Reason.REFUSED, step=again)


def _unless_late(
    at: datetime,
    expires_at: datetime | None,
    *,
    reason: Reason,
    step: Step = Step.REQUEUE,
    late: Step = Step.EXPIRE,
    pause: timedelta | None = None,
    burns_attempt: bool = True,
) -> Next:
    if expires_at is not None and at >= expires_at:
        return Next(
            step=late,
            reason=Reason.EXPIRED if late is Step.EXPIRE else reason,
            pause=pause,
            burns_attempt=burns_attempt,
        )
    return Next(step=step, reason=reason, at=at, pause=pause, burns_attempt=burns_attempt)
