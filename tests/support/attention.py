"""What must hold of everybody's contact budget after any test: exact slots, and nobody over their caps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from router.core import purse
from router.core.budget_policy import BudgetSection, SpacedCaps
from router.core.purse import DAY_MS, Purse
from tests.support.ledger import Ledger

ENDED = ("held", "cancelled", "expired", "failed")
"""What surely reached nobody, and costs nothing (DESIGN.md 6, rule 15)."""

_ROWS = (
    "SELECT d.id, d.channel, d.status, d.not_before, d.sent_at, coalesce(m.household_id, m.id) AS holder"
    " FROM delivery d JOIN member m ON m.id = d.member_id WHERE d.costs"
)


async def purses_of(ledger: Ledger) -> dict[int, Purse]:
    """Holder → what is kept of them."""
    rows = await ledger.execute("SELECT holder, slots FROM contact_budget")
    return {holder: purse.decode(slots) for holder, slots in rows}


async def assert_slots_are_exact(ledger: Ledger) -> None:
    """A slot, or a free follow-up, for each delivery that reached somebody or still may; and no other.

    No delivery waits for a moment before its slot's; a little later it may, when the provider was busy.
    """
    wanted: dict[int, list[int]] = defaultdict(list)
    waiting: dict[int, int] = {}
    for row in await ledger.execute(_ROWS):
        if row.status not in ENDED:
            wanted[row.holder].append(row.id)
        if row.status == "queued":
            waiting[row.id] = row.not_before
    kept: dict[int, list[int]] = {}
    for holder, one in (await purses_of(ledger)).items():
        free = [number for thread in one.threads for number in thread.deliveries]
        if found := [*free, *(slot.delivery for slot in one.slots)]:
            kept[holder] = sorted(found)
        late = {slot.delivery: waiting.get(slot.delivery, slot.at) - slot.at for slot in one.slots}
        assert all(0 <= by < 3_600_000 for by in late.values()), late
    assert kept == {holder: sorted(numbers) for holder, numbers in wanted.items()}


async def assert_nobody_is_over_budget(ledger: Ledger, section: BudgetSection) -> None:
    """The law in every window, over the slots as well as over what has left."""
    kept = {
        holder: [(slot.at, slot.channel) for slot in one.slots] for holder, one in (await purses_of(ledger)).items()
    }
    came: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for row in await ledger.execute(_ROWS):
        if row.status not in ENDED and row.sent_at is not None:
            came[row.holder].append((row.sent_at, row.channel))
    for asks in (*kept.values(), *came.values()):
        _keep([at for at, _ in asks], section.overall)
        for name, caps in section.channels.items():
            _keep([at for at, channel in asks if channel in (caps.covers or [name])], caps)


def _keep(moments: Iterable[int], caps: SpacedCaps) -> None:
    ordered = sorted(moments)
    for days, most in ((1, caps.day), (7, caps.week), (30, caps.month)):
        for start in ordered:
            assert sum(start <= at < start + days * DAY_MS for at in ordered) <= most, (days, ordered)
    assert all(later - sooner >= caps.gap_hours * 3_600_000 for sooner, later in pairwise(ordered)), ordered


async def reasons(ledger: Ledger, campaign: int) -> Counter[tuple[str, str | None]]:
    """(status, reason) → how many of a campaign's deliveries."""
    rows: list[Any] = await ledger.rows(campaign)
    return Counter((row.status, row.reason) for row in rows)
