"""The campaigns of which something may still be sent, with their asks: looked at every second, parsed once."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import Ask
from router.core.model import CampaignStatus
from router.store.bulk import sql
from router.store.campaigns import read_ask
from router.store.engine import Store
from router.store.tables import from_ms, to_ms


class Running(NamedTuple):
    """A campaign and its ask in the words that count now."""

    id: int
    month: int
    status: CampaignStatus
    expires_at: datetime
    goal_met_at: datetime | None
    ask: Ask


_parsed: WeakKeyDictionary[Store, OrderedDict[tuple[int, int], Ask]] = WeakKeyDictionary()
"""ledger → (campaign, version of its words) → the ask, which never changes."""

_KEPT = 500
"""Asks of a ledger that are kept; the least used is let go."""


async def read_known_ask(store: Store, connection: AsyncConnection, campaign_id: int, version: int) -> Ask:
    """The ask of a campaign in this version of its words, parsed once. Raises `NotFound`."""
    known = _parsed.setdefault(store, OrderedDict())
    key = campaign_id, version
    if key not in known:
        known[key] = await read_ask(connection, campaign_id, version)
        while len(known) > _KEPT:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]


async def read_running(store: Store, *, now: datetime) -> list[Running]:
    """Campaigns that run, are paused, or have sent all but may yet get a further hop; oldest first."""
    found: list[Running] = []
    async with store.read() as connection:
        rows = await connection.execute(
            sql(
                "SELECT id, month, status, text_version, expires_at, goal_met_at FROM campaign"
                " WHERE status IN ('running', 'paused', 'finished') AND kind <> 'reply' AND expires_at > :now"
                " ORDER BY id"
            ),
            {"now": to_ms(now)},
        )
        for row in rows.all():
            ask = await read_known_ask(store, connection, row.id, row.text_version)
            met = None if row.goal_met_at is None else from_ms(row.goal_met_at)
            found.append(Running(row.id, row.month, CampaignStatus(row.status), from_ms(row.expires_at), met, ask))
    return found
