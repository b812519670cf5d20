"""What people did because of an ask is counted for everybody who looks, until it is of so many that it takes time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from router.store import acts
from router.store.acts import LASTS, Did, read_acts
from tests.support.ledger import Ledger

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
ASK = 7


async def do(ledger: Ledger, member: int, kind: str, channel: str = "sms", amount: int = 0) -> None:
    await ledger.execute(
        "INSERT INTO action (id, member_id, campaign_id, kind, source, external_id, at, amount, currency, channel)"
        " SELECT coalesce(max(id), 0) + 1, CAST(:member AS bigint), CAST(:ask AS bigint), CAST(:kind AS varchar),"
        " 'api', CAST(coalesce(max(id), 0) + 1 AS varchar), 0, CAST(:amount AS bigint), CAST(:currency AS varchar),"
        " CAST(:channel AS varchar) FROM action",
        member=member, ask=ASK, kind=kind, amount=amount, currency="EUR" if amount else "", channel=channel,
    )  # fmt: skip


async def test_each_person_counts_once_for_a_kind_a_channel_and_in_all(ledger: Ledger) -> None:
    for member, kind, channel, amount in (
        (1, "yes", "sms", 0), (1, "yes", "email", 0), (1, "gave", "email", 500), (1, "gave", "email", 250),
        (2, "yes", "sms", 0), (3, "click", "email", 0),
    ):  # fmt: skip
        await do(ledger, member, kind, channel, amount)
    found = await read_acts(ledger.store, ASK, now=NOW)
    assert found.did == (Did("yes", "", 2, 0), Did("click", "", 1, 0), Did("gave", "EUR", 1, 750))
    assert (found.by_channel, found.people) == ({"sms": 2, "email": 1}, 2)


async def test_of_many_all_are_shown_one_count_for_a_while(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "MANY", 1)
    await do(ledger, 1, "yes")
    assert (await read_acts(ledger.store, ASK, now=NOW)).people == 1
    await do(ledger, 2, "yes")
    seen = [await read_acts(ledger.store, ASK, now=NOW)]
    await do(ledger, 3, "yes")
    seen += [await read_acts(ledger.store, ASK, now=NOW + after) for after in (LASTS - timedelta(seconds=1), LASTS)]
    assert [(one.people, one.at) for one in seen] == [(2, NOW), (2, NOW), (3, NOW + LASTS)]
