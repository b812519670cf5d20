"""A group's chat and the people in it, spoken to by the receiver as a webhook would: what they write, what is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from channels.slack.adapter import SlackChannel
from channels.telegram.adapter import TelegramChannel
from router.core.address import address_hash
from router.core.channel import Channel, GroupChange, GroupEvent, Inbound, Keyword, Received
from router.core.model import DeliveryRef
from router.receive import Receiver
from router.store.bulk import insert_rows
from router.store.engine import Store
from router.store.tables import address, to_ms
from router.wire import HttpWire
from tests.support.ledger import Ledger

GROUP, SLACK_GROUP = "-1000000004711", "C0RENT00001"
STEWARD = "4242"
"""Who lets us in."""

_ABOUT = {"account": "main", "webhook_url": "https://outreach.example.org/hooks", "organization": "T"}
_numbers = count(1)


class Chats:
    """An installation with a Telegram bot and a Slack app that were let into one group each."""

    def __init__(self, store: Store, **overrides: Any) -> None:
        self.ledger = Ledger(store, **overrides)
        telegram: Channel = TelegramChannel({"token": "12345:token", "webhook_secret": "s"} | _ABOUT, HttpWire())
        slack: Channel = SlackChannel({"bot_token": "xoxb-1", "signing_secret": "s"} | _ABOUT, HttpWire())
        bots = {"telegram": {"main": telegram}, "slack": {"main": slack}}
        runtime = self.ledger.runtime
        self.runtime = replace(runtime, channels={**runtime.channels, **bots})
        self.ledger.runtime, self.ledger.receiver = self.runtime, Receiver(self.runtime)

    async def add_person(self, value: str, *, channel: str = "telegram", consent: str = "granted") -> int:
        """A member whose only address is this one; returns their number."""
        [number] = await self.ledger.add_members(1)
        [address_id] = await self.runtime.store.take_ids(1)
        hash_ = self.hash_of(value, channel)
        row = (address_id, number, channel, value, hash_, "active", consent, 0, "main", to_ms(self.ledger.clock()))
        columns = ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "account", "created_at")
        async with self.runtime.store.write() as connection:
            await insert_rows(connection, address, columns, [row])
        return number

    def hash_of(self, value: str, channel: str = "telegram") -> str:
        """The keyed hash of an address."""
        return address_hash(self.runtime.key, self.runtime.specs[channel].address_kind, value)

    async def change(
        self, change: GroupChange, *, group: str = GROUP, person: str = STEWARD, channel: str = "telegram", **more: Any
    ) -> None:
        """Something happens to a group, or to us in it."""
        event = GroupEvent(
            event_id=f"g{next(_numbers)}", group=group, change=change, at=self.ledger.clock(), title="Block 5",
            person=person, **more,
        )  # fmt: skip
        await self.ledger.submit(Received(events=(event,)), channel=channel)

    async def let_in(self, group: str = GROUP, *, channel: str = "telegram", person: str = STEWARD) -> int:
        """Somebody lets us into a group; returns its number."""
        await self.change(GroupChange.ADDED, group=group, person=person, channel=channel)
        [row] = await self.ledger.execute("SELECT member_id FROM address WHERE value = :value", value=group)
        return int(row.member_id)

    def words(self, person: str, text: str, *, group: str = GROUP, **more: Any) -> Inbound:
        """What somebody writes, or presses (``button=True``)."""
        values: dict[str, Any] = {"event_id": f"m{next(_numbers)}", "at": self.ledger.clock(), "recipient": "1"}
        return Inbound(sender=person, text=text, group=group, **(values | more))

    async def write(
        self, person: str, text: str, *, group: str = GROUP, channel: str = "telegram", **more: Any
    ) -> list[tuple[str, str]]:
        """Somebody writes in the group; what we say to that, as (address, words)."""
        return await self.hear(self.words(person, text, group=group, **more), channel=channel)

    async def follow(self, person: str, payload: str) -> list[tuple[str, str]]:
        """Somebody opens a private chat with our Telegram bot by a link."""
        return await self.write(person, "/start", group="", payload=payload, keyword=Keyword.START)

    async def hear(self, *events: Inbound, channel: str = "telegram") -> list[tuple[str, str]]:
        """Take these in, and tell what we say to them."""
        before = len(await self._said())
        await self.ledger.submit(Received(events=events), channel=channel)
        return (await self._said())[before:]

    async def _said(self) -> Sequence[tuple[str, str]]:
        rows = await self.ledger.execute(
            "SELECT a.value, r.text FROM reply_text r JOIN delivery d ON d.month = r.month AND d.id = r.delivery_id"
            " JOIN address a ON a.id = d.address_id ORDER BY d.id"
        )
        return [(row.value, row.text) for row in rows]

    async def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """What stands in a table."""
        return [tuple(row) for row in await self.ledger.execute(f"SELECT {columns} FROM {table} ORDER BY 1")]

    async def the_group(self) -> int:
        """The number of the first group."""
        number: int = (await self.rows("member WHERE kind = 'group'", "id"))[0][0]
        return number

    def ref(self, row: Any) -> DeliveryRef:
        """The name of a delivery, as a button under it carries it."""
        return DeliveryRef(row.month, row.id)
