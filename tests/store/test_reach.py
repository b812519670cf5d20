"""What failures and moves teach about addresses, and that nothing is left behind in a queue because of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from router.competing import next_route
from router.core.channel import GroupChange, GroupEvent, Receipt, Received
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus
from router.fanout import route_range_of
from router.group_list import list_groups
from router.launch import start_due_campaigns
from router.receive import Receiver
from tests.support.ledger import Ledger
from tests.support.movement import DINNER, Movement, everywhere
from tests.support.settling import settle, working

OLD, NEW = "-4711", "-1000000004711"


@pytest.fixture
async def movement(database_url: str) -> AsyncIterator[Movement]:
    """All eight channels."""
    async with everywhere(database_url) as movement:
        yield movement


async def moved(movement: Movement) -> None:
    """Telegram tells that the group has become a supergroup."""
    event = GroupEvent(
        event_id="9", group=OLD, change=GroupChange.MOVED, at=movement.clock(), title="Block 5", moved_to=NEW
    )
    async with Receiver(movement.runtime).running() as receiver:
        await receiver.submit("telegram", "main", Received(events=(event,)), movement.clock())


async def test_what_waits_for_the_second_record_of_a_group_that_moved_finds_its_end(movement: Movement) -> None:
    """The new chat was heard of first, as another group: its message is cancelled, and its batch closes."""
    group, double = await movement.add_groups([OLD, NEW], channel="telegram")
    await movement.execute("INSERT INTO member_tag (tag, member_id) VALUES ('harbour', :id)", id=double)
    campaign = await movement.launch(**DINNER)
    await start_due_campaigns(movement.runtime, now=movement.clock())
    while (prepared := await next_route(movement.runtime)) is not None:
        while await route_range_of(movement.runtime, prepared, now=movement.clock()) is not None:
            pass
    assert await movement.statuses(campaign) == {"queued": 2}
    await moved(movement)
    async with working(movement):
        await settle(movement, campaign)
    rows = await movement.execute("SELECT member_id, status, reason FROM delivery ORDER BY member_id")
    assert [tuple(row) for row in rows] == [(group, "sent", None), (double, "cancelled", "merged")]
    assert movement.received() == {NEW: 1}
    assert (await movement.view(campaign)).status == "finished"
    assert await movement.execute("SELECT 1 FROM batch WHERE open") == []
    [left] = await list_groups(movement.runtime)
    assert (left.id, left.address, left.tags) == (group, NEW, ["harbour", "rent"])
    gone = await movement.execute("SELECT value, state FROM address WHERE member_id = :id", id=double)
    assert [tuple(row) for row in gone] == [("", "dead")]


F = FailureClass


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (F.OPT_OUT, "suppressed"),
        (F.ADDRESS_DEAD, "address_dead"),
        (F.RECIPIENT_TRANSIENT, "unreachable"),
        (F.CONTENT, "content"),
        (F.SENDER_CONFIG, "sender_config"),
        (F.TEMPLATE, "refused"),
        (F.UNKNOWN, "refused"),
        (F.EXPIRED, "expired"),
        (None, "refused"),
    ],
)
async def test_a_failure_that_a_receipt_tells_of_keeps_its_reason(
    ledger: Ledger, failure: FailureClass | None, reason: str
) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    [row] = await ledger.rows(campaign)
    ref = DeliveryRef(row.month, row.id)
    await ledger.receipt(ref, DeliveryStatus.FAILED, code="30000", failure=failure)
    first, *_ = await ledger.rows(campaign)
    assert (first.status, first.reason) == ("failed", reason)
    tallied = await ledger.execute(
        "SELECT status, reason, count FROM tally WHERE campaign_id = :id AND count <> 0 AND status <> 'queued'",
        id=campaign,
    )
    assert [tuple(one) for one in tallied] == [("failed", reason, 1)]


async def test_two_receipts_of_one_message_in_one_webhook_leave_the_tally_right(ledger: Ledger) -> None:
    """A message given up as unsettled is settled after all, twice at once."""
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    [row] = await ledger.rows(campaign)
    await ledger.execute("UPDATE delivery SET status = 'unknown', reason = 'unsettled' WHERE id = :id", id=row.id)
    await ledger.execute("UPDATE tally SET status = 'unknown', reason = 'unsettled' WHERE status = 'sent'")
    ref, at = DeliveryRef(row.month, row.id), ledger.clock()
    said = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)
    both = tuple(Receipt(event_id=one.value, status=one, at=at, delivery=ref) for one in said)
    await ledger.submit(Received(events=both))
    tallied = await ledger.execute("SELECT status, reason, count FROM tally WHERE count <> 0")
    assert [tuple(one) for one in tallied] == [("delivered", "", 1)]
