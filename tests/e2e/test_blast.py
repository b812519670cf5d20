"""One ask goes from the ledger to the provider and its receipts come back."""

from __future__ import annotations

from tests.support.movement import Movement


async def test_an_ask_reaches_everybody_once_and_its_receipts_come_back(movement: Movement) -> None:
    await movement.add_members(100)
    campaign = await movement.launch()
    await movement.work()
    await movement.sandbox.idle()
    await movement.until(lambda: _all(movement, campaign, "delivered", 100))
    assert set(movement.received().values()) == {1}
    assert len(movement.received()) == 100
    view = await movement.view(campaign)
    assert view.counts == {"sms": {"delivered": 100}}


async def _all(movement: Movement, campaign: int, status: str, count: int) -> bool:
    return await movement.statuses(campaign) == {status: count}
