"""An ask posted in groups' chats: who answers there, what stands there, and the look that brings it up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from router.community.group_chats.showing import show_tallies, stop_showing
from router.core.channel import Inbound, Received
from router.core.model import DeliveryRef
from router.receive import Receiver
from router.store.engine import Store
from tests.support.movement import DINNER, Movement
from tests.support.settling import settle, working

TELEGRAM, SLACK = "-1000000004711", "C0RENT00001"
_TEXT = {"text": "Dinner on Thursday? {{ organization }}"}
BUTTONS = [{"label": "I will come", "reply": "YES"}, {"label": "Not me", "reply": "NO"}]
SUPPER: dict[str, Any] = DINNER | {"texts": {"en": {"default": {**_TEXT, "buttons": BUTTONS}}}}
"""An ask for groups and people with two buttons."""

_numbers = count(1)


async def post(movement: Movement, groups: dict[str, str], **ask: Any) -> int:
    """Enter groups (address → channel) and post an ask in them; returns the campaign."""
    for address, channel in groups.items():
        await movement.add_groups([address], channel=channel)
    async with working(movement):
        campaign = await movement.launch(**(SUPPER | ask))
        await settle(movement, campaign, until=timedelta(hours=1))
    return campaign


async def ref_of(movement: Movement, campaign: int, group: str) -> DeliveryRef:
    """The delivery that is the post of a campaign in a group."""
    [row] = await movement.execute(
        "SELECT d.month, d.id FROM delivery d JOIN address a ON a.id = d.address_id"
        " WHERE d.campaign_id = :campaign AND a.value = :group",
        campaign=campaign, group=group,
    )  # fmt: skip
    return DeliveryRef(row.month, row.id)


def said(movement: Movement, person: str, words: str, group: str, about: DeliveryRef | None, **more: Any) -> Inbound:
    """What somebody presses (or writes: ``button=False``) under a post."""
    given: dict[str, Any] = {"at": movement.clock(), "button": True, "recipient": "1", **more}
    return Inbound(event_id=f"e{next(_numbers)}", sender=person, text=words, group=group, delivery=about, **given)


async def hear(movement: Movement, *events: Inbound, channel: str = "telegram", store: Store | None = None) -> None:
    """Take events in as a webhook does, all of them at once; with `store` as another process."""
    runtime = movement.runtime if store is None else replace(movement.runtime, store=store)
    async with Receiver(runtime).running() as receiver:
        await receiver.submit(channel, "main", Received(events=events), movement.clock())


async def look(movement: Movement, *, after: timedelta = timedelta(minutes=6)) -> None:
    """Let so much time pass, then bring every post up to date that is due."""
    movement.clock.jump(after)
    while await show_tallies(movement.runtime, "test", now=movement.clock()):
        pass
    await stop_showing(movement.runtime, "test")


def posts(movement: Movement, channel: str) -> Sequence[Any]:
    """The messages of ours that stand in the groups of a channel, oldest first."""
    if channel == "telegram":
        return [message for message in movement.sandbox.telegram.messages.values() if message.chat < 0]
    return [message for message in movement.sandbox.slack.messages.values() if message.address.startswith("C")]


async def answers(movement: Movement) -> dict[str, int]:
    """kind → how many people."""
    rows = await movement.execute("SELECT kind, count(*) AS n FROM group_answer GROUP BY kind")
    return {row.kind: row.n for row in rows}
