"""What comes onto an organizer's desk, put into a ledger: acts, questions, ideas, events."""

from __future__ import annotations

from typing import Any

from router.actions import record_action
from router.store.tables import to_ms
from tests.support.ledger import Ledger


async def acted(ledger: Ledger, member: int, campaign: int, kind: str, **money: Any) -> None:
    """Somebody did something, as another system tells."""
    await record_action(
        ledger.runtime,
        member_id=member,
        phone=None,
        email=None,
        external_id=f"{member}-{kind}",
        kind=kind,
        campaign_id=campaign,
        at=ledger.clock(),
        now=ledger.clock(),
        **money,
    )


async def wrote(ledger: Ledger, member: int, *, claimed_by: str | None = None) -> None:
    """Somebody wrote what no rule understood."""
    await ledger.execute(
        "INSERT INTO thread (member_id, status, channel, inbound_id, messages, waiting, waiting_since, last_in_at,"
        " claimed_by) VALUES (:member, :status, 'sms', 0, 1, 1, :at, :at, :by)",
        member=member,
        status="claimed" if claimed_by else "open",
        at=to_ms(ledger.clock()),
        by=claimed_by,
    )


async def proposed(ledger: Ledger, member: int, number: int, status: str, next_at: int | None, words: str) -> None:
    """An idea of a member's."""
    await ledger.execute(
        "INSERT INTO proposal (id, number, member_id, text, status, reason, next_at, created_at, changed_at)"
        " VALUES (:id, :number, :member, :text, :status, 'crowd', :next, 1, 1)",
        id=number,
        number=number,
        member=member,
        status=status,
        text=words,
        next=next_at,
    )


async def offered(ledger: Ledger, member: int, number: int, title: str) -> None:
    """An event that its host proposed."""
    moment = to_ms(ledger.clock())
    await ledger.execute(
        "INSERT INTO event (id, number, status, title, host_id, starts_at, ends_at, capacity, created_by, created_at)"
        " VALUES (:id, :number, 'proposed', :title, :member, :starts, :ends, 8, 'a member', :now)",
        id=number,
        number=number,
        title=title,
        member=member,
        starts=moment + 86_400_000,
        ends=moment + 90_000_000,
        now=moment,
    )
