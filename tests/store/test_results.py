"""What came of an ask, counted in the ledger."""

from __future__ import annotations

from sqlalchemy import true

from router.results import acted_csv, results_of
from router.store.engine import Store
from tests.support.desk import acted
from tests.support.ledger import Ledger


async def test_what_came_of_it(store: Store) -> None:
    ledger = Ledger(store)
    members = await ledger.add_members(4)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    await acted(ledger, members[0], campaign, "gave", amount=1250, currency="EUR")
    await acted(ledger, members[1], campaign, "yes")
    await acted(ledger, members[2], campaign, "click")
    await ledger.execute(
        "INSERT INTO reaction (campaign_id, channel, kind, variant, count) VALUES (:id, 'sms', 'opt_out', 0, 1)",
        id=campaign,
    )
    await ledger.execute(
        "UPDATE tally SET status = 'delivered', count = 3 WHERE campaign_id = :id AND status = 'sent'", id=campaign
    )
    await ledger.execute(
        "INSERT INTO tally (campaign_id, channel, status, reason, count) VALUES (:id, 'sms', 'failed', 'content', 1)",
        id=campaign,
    )
    found = await results_of(ledger.runtime, campaign, now=ledger.clock())
    assert (found.reached, found.arrived, {one.value: n for one, n in found.failed.items()}) == (3, 3, {"content": 1})
    assert (found.people_acted, found.acted.count, found.acted.of) == (2, 2, 3)
    assert 0 < found.acted.low < found.acted.estimate < found.acted.high < 1
    [sms] = found.channels
    assert (sms.channel, sms.reached, sms.failed, sms.opted_out.count) == ("sms", 3, 1, 1)
    assert {(one.kind, one.people, one.amount, one.currency) for one in found.did} == {
        ("gave", 1, 12.5, "EUR"), ("yes", 1, 0.0, ""), ("click", 1, 0.0, ""),
    }  # fmt: skip
    pieces = [piece async for piece in acted_csv(ledger.runtime, campaign, true())]
    assert [line.split(",")[:2] for line in b"".join(pieces).decode().splitlines()[1:]] == [
        [str(members[0]), "gave"],
        [str(members[1]), "yes"],
        [str(members[2]), "click"],
    ]
