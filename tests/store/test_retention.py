"""What was kept for long enough goes, month by month; what proves something, and what pages count, stays."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router.community.afterwards import afterwards
from router.core.channel import Inbound, OptOut, Received
from router.core.errors import NotAllowed
from router.core.model import DeliveryRef, DeliveryStatus
from router.core.policy import Policy
from router.core.retention_policy import oldest_kept
from router.records import retention
from router.records.retention import Going, apply, keep_house, review
from router.store.engine import Store
from router.why import why
from tests.support.commands import typed_in
from tests.support.ledger import Ledger
from tests.support.runtime import Clock, build_runtime

AUGUST, SEPTEMBER = datetime(2025, 8, 12, 15, tzinfo=UTC), datetime(2025, 9, 12, 15, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)

BY_MONTH = ("delivery", "attempt", "receipt", "batch", "reply_text", "inbound", "inbound_claim")
FOR_GOOD = ("suppression", "consent", "ask_claim", "tally", "reaction", "action", "audit", "campaign", "spending")


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """An installation in August of last year."""
    return Ledger(store, clock=Clock(AUGUST))


async def an_ask(ledger: Ledger, event: str) -> int:
    """An ask to three: one answers it, one asks something that waits, one wants silence; it is over by the evening."""
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    rows = [row for row in await ledger.rows(campaign) if row.status == "sent"]
    for row in rows:
        await ledger.receipt(DeliveryRef(row.month, row.id), DeliveryStatus.DELIVERED)
    phones = [await phone_of(ledger, row.member_id) for row in rows[-3:]]
    events: list[Any] = [
        Inbound(event_id=f"{event}{words}", sender=phone, recipient="+12025550100", text=words, at=ledger.clock())
        for phone, words in zip(phones, ("HELP", "And who brings the chairs?"), strict=False)
    ]
    events.append(OptOut(address=phones[2], event_id=f"{event}out", at=ledger.clock()))
    await ledger.submit(Received(events=tuple(events)))
    await ledger.send()
    await ledger.finish()
    return campaign


async def phone_of(ledger: Ledger, member: int) -> str:
    [(phone,)] = await ledger.execute("SELECT value FROM address WHERE member_id = :id", id=member)
    return str(phone)


async def count(ledger: Ledger, tables: tuple[str, ...], where: str = "true") -> dict[str, int]:
    found = {}
    for table in tables:
        [(rows,)] = await ledger.execute(f"SELECT count(*) FROM {table} WHERE {where}")
        found[table] = rows
    return found


async def gone(ledger: Ledger) -> dict[tuple[str, int], Going]:
    """What `apply` says it did with months and days of which there was anything."""
    lines = await apply(ledger.runtime, by="ana", now=ledger.clock())
    return {(line.kind, line.month): line for line in lines if line.rows}


async def test_a_month_goes_when_it_is_over_and_settled_and_leaves_what_was_counted(ledger: Ledger) -> None:
    old = await an_ask(ledger, "a")
    ledger.clock.now = NOW
    await an_ask(ledger, "b")
    august, of_all = "month = 202508", await count(ledger, FOR_GOOD)
    before = await count(ledger, BY_MONTH, august)
    assert min(before.values()) > 0, f"there is something of each: {before}"
    recent = await count(ledger, BY_MONTH, "month = 202611")
    tallied, [first, *_] = await ledger.tallied(old), await ledger.rows(old)

    [waits] = [line for line in await review(ledger.runtime, now=NOW) if line.kind == "received"]
    assert (waits.month, waits.because) == (202508, "conversations still open in the inbox: 1")
    assert await count(ledger, BY_MONTH, august) == before, "looking drops nothing"
    did = await gone(ledger)
    assert did["messages", 202508].rows == before["delivery"]
    kept = {table: rows for table, rows in before.items() if table.startswith("inbound")}
    assert await count(ledger, BY_MONTH, august) == dict.fromkeys(BY_MONTH, 0) | kept

    await ledger.execute("UPDATE thread SET status = 'done'")
    assert [*await gone(ledger)] == [("received", 202508)]
    assert await count(ledger, BY_MONTH, august) == dict.fromkeys(BY_MONTH, 0)
    assert await count(ledger, BY_MONTH, "month = 202611") == recent
    assert await ledger.tallied(old) == tallied
    assert await count(ledger, FOR_GOOD) == of_all | {"audit": of_all["audit"] + 3}
    [(who, subject)] = await ledger.execute(
        "SELECT DISTINCT who, subject FROM audit WHERE what = 'retention.drop' ORDER BY 2"
    )
    assert (who, subject) == ("ana", "202508")
    if not ledger.store.is_sqlite:
        assert await ledger.execute("SELECT relname FROM pg_class WHERE relname LIKE '%\\_202508'") == []
    assert await gone(ledger) == {}, "nothing is left to go"
    told = await why(ledger.runtime, first.member_id, old, now=NOW)
    assert (told.outcome, told.for_member) == (
        "dropped", ["This was too long ago: we no longer keep who got which message."],
    )  # fmt: skip
    with pytest.raises(NotAllowed, match="dropped on 2026-11-20; its totals stay"):
        await afterwards(ledger.runtime, old, now=NOW)


async def test_a_month_stays_while_anything_of_it_is_under_way(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await an_ask(ledger, "a")
    ledger.clock.now = SEPTEMBER
    await ledger.add_members(1)
    paused = await ledger.launch_and_route()
    await ledger.execute("UPDATE campaign SET status = 'paused' WHERE id = :id", id=paused)
    ledger.clock.now = NOW

    async def because() -> dict[int, str]:
        found = await review(ledger.runtime, now=NOW)
        return {line.month: line.because for line in found if line.kind == "messages"}

    assert await because() == {202508: "", 202509: f"campaign {paused} is paused"}
    ended = "UPDATE campaign SET finished_at = :at WHERE id = :id"
    await ledger.execute(ended, id=old, at=_ms(NOW - timedelta(days=60)))
    assert (await because())[202508] == f"campaign {old} ended in a later month"
    await ledger.execute(ended, id=old, at=_ms(AUGUST))
    await ledger.execute("UPDATE tally SET status = 'unknown' WHERE campaign_id = :id AND status = 'delivered'", id=old)
    assert (await because())[202508] == "messages queued, on their way or of unknown outcome: 3"
    await ledger.execute("UPDATE tally SET status = 'delivered' WHERE status = 'unknown'")

    # Somebody takes it up again just when it has been looked at.
    seen = await retention._look(ledger.runtime, now=NOW)
    await ledger.execute("UPDATE campaign SET status = 'running' WHERE id = :id", id=old)

    async def stale(*_: Any, **__: Any) -> list[Going]:
        return seen

    monkeypatch.setattr(retention, "_look", stale)
    did = await gone(ledger)
    assert did["messages", 202508].because == f"campaign {old} is running"
    assert len(await ledger.rows(old)) == 3
    assert await count(ledger, ("attempt", "receipt"), "month = 202508") == {"attempt": 4, "receipt": 3}


async def test_what_goes_by_the_day_and_the_command(ledger: Ledger, database_url: str) -> None:
    for number, days in ((1, 8), (2, 6)):
        await ledger.execute(
            "INSERT INTO parked_receipt (channel, event_id, provider_id, status, at, parked_at)"
            " VALUES ('sms', :id, 'x', 'delivered', 0, :at)",
            id=str(number), at=_ms(datetime.now(UTC) - timedelta(days=days)),
        )  # fmt: skip
    typed = typed_in(database_url)

    async def say(*words: str) -> str:
        result = await asyncio.to_thread(typed, "retention", *words)
        assert result.exit_code == 0, result.output
        return result.output

    assert "To drop it: outreach retention --apply" in await say()
    assert await count(ledger, ("parked_receipt",)) == {"parked_receipt": 2}
    assert "To drop it" not in await say("--apply", "--by", "bo")
    assert await ledger.execute("SELECT event_id FROM parked_receipt") == [("2",)]
    assert await ledger.execute("SELECT who, what, subject FROM audit") == [("bo", "retention.drop", "parked_receipts")]


@pytest.mark.parametrize("automatic", [True, False])
async def test_a_worker_does_it_once_a_night_where_it_may(store: Store, automatic: bool) -> None:
    policy = _policy(automatic=automatic)
    ledger = Ledger(store, clock=Clock(AUGUST), policy=policy)
    await an_ask(ledger, "a")
    ledger.clock.now = NOW.replace(hour=2)
    assert not await keep_house(ledger.runtime, "one", now=ledger.clock())
    ledger.clock.now = NOW.replace(hour=3)
    assert [await keep_house(ledger.runtime, name, now=ledger.clock()) for name in ("one", "two", "one")] == [
        True, False, False,
    ]  # fmt: skip
    assert bool(await count(ledger, ("delivery",)) == {"delivery": 0}) is automatic


def _policy(**changes: Any) -> Policy:
    shipped: Policy = build_runtime(Store("sqlite://")).policy
    return shipped.model_copy(update={"retention": shipped.retention.model_copy(update=changes)})


@pytest.mark.parametrize(
    ("now", "months", "oldest"), [(NOW, 13, 202510), (datetime(2026, 1, 1, tzinfo=UTC), 1, 202512), (NOW, 22, 202501)]
)
def test_whole_months_after_it_are_counted(now: datetime, months: int, oldest: int) -> None:
    assert oldest_kept(now, months) == oldest


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
