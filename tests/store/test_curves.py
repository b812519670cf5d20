"""The curves of a campaign: kept with the ledger, cheaply, and read as points that begin with nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from router.core.model import DeliveryRef, DeliveryStatus
from router.curves import curve_of, keep_curves, points_of, slot_of
from router.store.curves import Figures, Moment
from router.store.engine import Store
from tests.support.ledger import Ledger

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "end"),
    [
        (timedelta(seconds=1), timedelta(minutes=1)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        (timedelta(hours=5, minutes=59, seconds=59), timedelta(hours=6)),
        (timedelta(hours=6, minutes=1), timedelta(hours=6, minutes=15)),
        (timedelta(hours=48, minutes=1), timedelta(hours=54)),
    ],
)
def test_a_minute_then_a_quarter_then_six_hours(age: timedelta, end: timedelta) -> None:
    assert slot_of(NOON + age, NOON) == NOON + end


def test_no_later_piece_ends_before_an_earlier_one() -> None:
    starts_at = NOON + timedelta(minutes=7, seconds=31)
    ends = [slot_of(starts_at + timedelta(seconds=17 * step), starts_at) for step in range(3 * 24 * 3600 // 17)]
    assert ends == sorted(ends)
    assert len(set(ends)) <= 540


def test_what_is_read_begins_with_nothing_and_never_lies_ahead() -> None:
    moments = [
        Moment(NOON + timedelta(minutes=1), "sms", Figures(60, 0, 0)),
        Moment(NOON + timedelta(minutes=2), "email", Figures(6, 6, 6)),
        Moment(NOON + timedelta(minutes=2), "sms", Figures(90, 80, 0)),
    ]
    now = NOON + timedelta(minutes=1, seconds=30)
    first, second, third = points_of(moments, NOON, now)
    assert [point.moment for point in (first, second, third)] == [NOON, NOON + timedelta(minutes=1), now]
    assert first.left == {"email": 0, "sms": 0}
    assert second.rates == {"email": 0, "sms": 1.0}
    assert third.rates == {"email": 0.4, "sms": 1.0}  # what failed had left, too
    assert (third.left, third.delivered, third.failed) == (
        {"email": 6, "sms": 90}, {"email": 6, "sms": 80}, {"email": 6, "sms": 0},
    )  # fmt: skip
    assert points_of([], NOON, now) == []


async def test_another_process_finds_the_curves_of_the_one_before(ledger: Ledger, database_url: str) -> None:
    runtime, clock = ledger.runtime, ledger.clock
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    began = clock()
    assert await keep_curves(runtime, now=began) == 0
    assert await ledger.execute("SELECT 1 FROM curve") == [], "nothing has moved"

    await ledger.send()
    await keep_curves(runtime, now=clock.advance(seconds=1))
    assert await ledger.execute("SELECT 1 FROM curve") == [], "it is not time to look again"
    await keep_curves(runtime, now=clock.advance(seconds=15))
    [first, *_] = await ledger.rows(campaign)
    await ledger.receipt(DeliveryRef(first.month, first.id), DeliveryStatus.DELIVERED)
    await keep_curves(runtime, now=clock.advance(minutes=2))
    await ledger.finish()
    await keep_curves(runtime, now=clock.advance(minutes=1))

    other = Ledger(Store(database_url), clock=clock)
    try:
        points = await curve_of(other.runtime, campaign, began, now=clock())
    finally:
        await other.store.aclose()
    assert [(point.left, point.delivered) for point in points] == [
        ({"sms": 0}, {"sms": 0}),
        ({"sms": 3}, {"sms": 0}),
        ({"sms": 3}, {"sms": 1}),
    ]
    rows = await ledger.execute("SELECT count(*) FROM curve")
    assert rows == [(2,)], "what did not move since is not written again"


async def test_what_is_long_over_is_left_alone(ledger: Ledger) -> None:
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    await ledger.finish()
    await ledger.execute("UPDATE campaign SET status = 'finished' WHERE id = :id", id=campaign)
    await keep_curves(ledger.runtime, now=ledger.clock.advance(days=4))
    assert await ledger.execute("SELECT 1 FROM curve") == []
