"""One channel after the other: how long each is waited for, and when a member is asked once more on the next.

The next channel's turn comes on proven non-delivery alone; an outcome that nobody knows is none. Where a step says
``success = "acted"`` it also comes, once per member, where nobody acted in time (FACTS.md 4.5): that is a reminder, so
it costs contact budget. Whatever comes after the first message is withdrawn as soon as the member acts, and so is the
first message of an ask, where they answered in a group or by a friend's link before it left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from router.core.ask import Ask
from router.core.launch_policy import Wait
from router.core.model import AskKind, DeliveryStatus

_S = DeliveryStatus

LIVE = frozenset({_S.QUEUED, _S.SENDING, _S.SENT, _S.DELIVERED, _S.READ, _S.UNKNOWN})
"""The ask reached its member this way, may have reached them, or is about to."""

ARRIVED = frozenset({_S.SENT, _S.DELIVERED, _S.READ})
"""The provider took it and nothing says that it failed. Where nobody knows whether it left, nobody is reminded."""

CLICK = "click"
"""To open a link. It may be a mail scanner, so it withdraws reminders but does not stop a fall to the next channel."""

ANY_CHANNEL = "default"
"""The policy's wait for channels without one of their own."""


class Hop(NamedTuple):
    """One of the deliveries by which one ask goes to one member."""

    delivery: int
    hop: int
    status: DeliveryStatus


def wait_on(ask: Ask, channel: str, waits: Mapping[str, Wait]) -> timedelta | None:
    """How long the provider may try on this channel; None where the ask's waterfall has no step for it."""
    step = next((step for step in ask.waterfall if step.channel == channel), None)
    if step is None:
        return None
    if step.wait_minutes is not None:
        return timedelta(minutes=step.wait_minutes)
    wait = waits.get(channel, waits[ANY_CHANNEL])
    return timedelta(minutes=wait.urgent if ask.is_urgent else wait.normal)


def turn_ends(ask: Ask, channel: str, waits: Mapping[str, Wait], began: datetime) -> datetime | None:
    """When the turn of a channel ends on which the ask first left at `began`; None where it has no step."""
    wait = wait_on(ask, channel, waits)
    return None if wait is None else began + wait


def reminders(ask: Ask, waits: Mapping[str, Wait]) -> dict[str, timedelta]:
    """channel → how long an answer is waited for there before the member is asked once more on the next."""
    if ask.kind is not AskKind.ASK:
        return {}
    found = {step.channel: wait_on(ask, step.channel, waits) for step in ask.waterfall if step.success == "acted"}
    return {channel: wait for channel, wait in found.items() if wait is not None}


def has_ended(kind: str, *, reminder: bool) -> bool:
    """Whether an action of this kind means that nothing more is to be asked; `reminder`: by a reminder."""
    return reminder or kind != CLICK


def may_go_on(delivery: int, hops: Iterable[Hop]) -> bool:
    """Whether this delivery's failure leaves the member unasked: no other one lives. `hops` are all of the member's."""
    return not any(other.status in LIVE for other in hops if other.delivery != delivery)


def may_remind(delivery: int, hops: Iterable[Hop]) -> bool:
    """Whether nobody's answer to this delivery may bring one more: it arrived, and it was neither followed nor is it
    itself the one more (something else of the ask would live, or come after it)."""
    rows = list(hops)
    mine = next((row for row in rows if row.delivery == delivery), None)
    if mine is None or mine.status not in ARRIVED:
        return False
    return not any(other.status in LIVE or other.hop > mine.hop for other in rows if other.delivery != delivery)


def to_withdraw(kind: str, hops: Iterable[Hop], *, first: bool) -> list[int]:
    """The queued deliveries that are of no use any more once the member did something of this `kind`.

    With `first` (`core.group_first.is_answer`) the first message is of no use any more either.
    """
    rows = list(hops)
    arrived = any(row.status in LIVE and row.status is not _S.QUEUED for row in rows)
    ended = has_ended(kind, reminder=arrived)
    return [row.delivery for row in rows if row.status is _S.QUEUED and (ended if row.hop else first)]
