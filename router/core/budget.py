"""The contact budget: how often one person may be asked, over all campaigns and channels.

A *slot* is one ask. It counts from the moment it is reserved in the routing transaction, stays counted while the
outcome is unknown, and is given back once, only where the ask surely did not reach anybody (DESIGN.md 6, rule 15).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from router.core.model import BudgetSlot
from router.core.policy import BudgetPolicy

KEPT = timedelta(days=30)
"""Slots older than the longest window are forgotten."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def has_room(slots: Sequence[BudgetSlot], policy: BudgetPolicy, *, at: datetime) -> bool:
    """Whether one more ask at `at` keeps within the cap. Slots that lie ahead (deferred asks) count as well."""
    since = at - timedelta(days=policy.days)
    return sum(slot.at > since for slot in slots) < policy.asks


def reserve(slots: Iterable[BudgetSlot], slot: BudgetSlot) -> tuple[BudgetSlot, ...]:
    """`slots` with one more, those that no window can see any more left out."""
    since = slot.at - KEPT
    return (*(kept for kept in slots if kept.at > since), slot)


def refund(slots: Iterable[BudgetSlot], delivery_ids: Iterable[int]) -> tuple[BudgetSlot, ...]:
    """`slots` without those of these deliveries. Refunding twice is the same as refunding once."""
    gone = set(delivery_ids)
    return tuple(slot for slot in slots if slot.delivery_id not in gone)


def encode(slots: Iterable[BudgetSlot]) -> str:
    """As it is kept in ``contact_budget.slots``."""
    return json.dumps(
        [[(slot.at - _EPOCH) // _MILLISECOND, slot.delivery_id, slot.channel] for slot in slots], separators=(",", ":")
    )


def decode(text: str) -> tuple[BudgetSlot, ...]:
    """What `encode` wrote."""
    if text == "[]":
        return ()
    return tuple(
        BudgetSlot(at=_EPOCH + timedelta(milliseconds=ms), delivery_id=delivery_id, channel=channel)
        for ms, delivery_id, channel in json.loads(text)
    )
