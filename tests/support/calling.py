"""People with telephones, who are asked to call somebody."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from router.community.calls import CallLine, add_line
from router.core.channel import Inbound, Received
from router.store.tables import from_ms
from tests.support.ledger import Ledger

NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""Ten in the morning in Paris, where everybody lives."""


class Phones:
    """What people write, and what they read."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.count = 0

    async def says(self, phone: str, text: str) -> str:
        """Write something; returns what comes back, "" for silence."""
        self.count += 1
        before = len(self.ledger.sms.handed)
        event = Inbound(event_id=f"SM-in-{self.count}", sender=phone, recipient="+1", text=text, at=self.ledger.clock())
        await self.ledger.submit(Received(events=(event,)))
        await self.ledger.send()
        answers = self.ledger.sms.handed[before:]
        assert len(answers) <= 1, "answered once"
        return answers[0].text if answers else ""


async def line(ledger: Ledger, campaign: int, **about: Any) -> CallLine:
    """A line of ten-minute slots from half past nine on, for two callers each."""
    given = {
        "place": "", "name": "Minister Weber", "phone": "+33639980999", "script": "", "slot_minutes": 10, "per_slot": 2,
        "opens_at": NINE + timedelta(minutes=30), "closes_at": NINE + timedelta(minutes=90),
    }  # fmt: skip
    return await add_line(ledger.runtime, campaign, {**given, **about}, by="ana", now=ledger.clock())


async def ask_for_calls(ledger: Ledger, people: int = 1, **ask: Any) -> tuple[int, list[str]]:
    """A campaign that asks these for a call, and their phones."""
    phones = [f"+3363998{number:04d}" for number in range(1, people + 1)]
    for phone in phones:
        await ledger.add_members(1, phone=phone)
    campaign = await ledger.launch_and_route(wants="call", **ask)
    await ledger.send()
    ledger.clock.advance(minutes=1)
    return campaign, phones


async def statuses(ledger: Ledger) -> Counter[str]:
    return Counter(row.status for row in await ledger.execute("SELECT status FROM call"))


async def taken(ledger: Ledger) -> dict[str, int]:
    """Slot → callers, by the counters."""
    rows = await ledger.execute("SELECT starts_at, taken FROM call_slot WHERE taken <> 0 ORDER BY starts_at")
    return {f"{from_ms(row.starts_at):%H:%M}": row.taken for row in rows}


async def actions(ledger: Ledger, campaign: int) -> list[str]:
    rows = await ledger.execute("SELECT kind FROM action WHERE campaign_id = :id ORDER BY id", id=campaign)
    return [row.kind for row in rows]
