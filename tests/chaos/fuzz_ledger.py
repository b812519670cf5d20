"""The small movement that the API is fuzzed over, and what names its members, asks, events and the rest."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from router.core.door_links import Door, door_token
from router.core.event_links import guest_token
from router.core.forward_links import forward_token, shared_token
from router.core.join_links import confirm_token, ideas_token, join_token
from router.core.links import action_token, unsubscribe_token
from router.core.model import CampaignStatus, DeliveryRef
from router.runtime import Runtime
from tests.support.past import Past, write_past

MEMBERS = 300
OF_EACH = 12
"""So many of each kind are named."""
PROBABILITY = 0.6
"""Share of cases in which a name is one of these instead of what schemathesis thought of."""

Names = Mapping[str, Sequence[int | str]]
"""Place of a parameter (``path.id``) → values that lead to something."""

_IDS = ("member", "campaign", "event", "proposal", "call_line", "import_job", "hook", "hook_event")


async def fill(runtime: Runtime, *, now: datetime) -> Names:
    """Write a movement's past into an empty ledger, with an ask in every state and a webhook; what names all that."""
    past = await write_past(runtime, MEMBERS, now=now)
    async with runtime.store.write() as connection:
        small = (await connection.execute(text("SELECT id FROM campaign WHERE recipients = 0 ORDER BY id"))).scalars()
        for number, status in zip(small, [*CampaignStatus] * 4, strict=False):
            await connection.execute(
                text("UPDATE campaign SET status = :status WHERE id = :id"), {"id": number, "status": status.value}
            )
        await connection.execute(
            text(
                "INSERT INTO hook (id, url, secret, kinds, created_by, created_at)"
                " VALUES (77, 'https://192.0.2.1/', :secret, ' action ', 'ana', 0)"
            ),
            {"secret": f"whsec_{b64encode(bytes(32)).decode()}"},
        )
        await connection.execute(
            text(
                "INSERT INTO hook_event (id, hook_id, member_id, kind, body, status, not_before, at)"
                " VALUES (78, 77, 1, 'action', '{}', 'dead', 0, 0)"
            )
        )
        await connection.execute(text("UPDATE thread SET claimed_at = waiting_since WHERE status = 'claimed'"))
        ids: set[int] = set()
        for table in _IDS:
            for order in ("", " DESC"):  # the last members are groups
                found = await connection.execute(text(f"SELECT id FROM {table} ORDER BY id{order} LIMIT {OF_EACH}"))
                ids |= set(found.scalars())
        ids |= set((await connection.execute(text("SELECT id FROM campaign"))).scalars())
        ids |= set((await connection.execute(text(f"SELECT member_id FROM thread LIMIT {OF_EACH}"))).scalars())
        addresses = (
            await connection.execute(text(f"SELECT id FROM address ORDER BY id DESC LIMIT {OF_EACH}"))
        ).scalars()
        tokens = list(_tokens(runtime.key, past, [*addresses], now + timedelta(days=2)))
        codes = [*(await connection.execute(text("SELECT code FROM join_code"))).scalars()]
    return {
        "path.id": sorted(ids),
        "path.campaign": [past.ask(place) for place in range(4)],
        "path.token": tokens,
        "path.code": codes,
        "path.channel": ["sms", "email", "telegram", "slack", "whatsapp"],
        "path.account": ["main"],
        "query.campaign_id": [past.ask(place) for place in range(4)],
    }


def _tokens(key: bytes, past: Past, addresses: Sequence[int], until: datetime) -> Iterator[str]:
    for number in range(1, OF_EACH + 1):
        delivery = DeliveryRef(past.months[0], past.delivery(0, number))
        yield door_token(key, Door(number, 0), until)
        yield join_token(key, number, until)
        yield guest_token(key, past.event(1 + number % past.events), 20 * number + 3)
        for make in (action_token, unsubscribe_token, forward_token, shared_token):
            yield make(key, delivery)
    for address in addresses:
        yield confirm_token(key, address, until)
        yield ideas_token(key, address, until)


def settings_of(names: Names) -> str:
    """`names` as schemathesis' settings take them (TOML)."""
    lines = ["[parameters]"]
    for place in names:
        binding = {"dictionary": _word(place), "probability": PROBABILITY}
        lines.append(f'"{place}" = {_inline(binding)}')
    for place, values in names.items():
        lines += [f"[dictionaries.{_word(place)}]", f"values = {json.dumps([*values])}"]
    return "\n".join(lines) + "\n"


def _word(place: str) -> str:
    return place.replace(".", "_")


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in table.items()) + " }"
