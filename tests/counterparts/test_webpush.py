"""What our Web Push channel sends, a push service of somebody else's making can verify and decrypt."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from channels.webpush.adapter import WebPushChannel
from channels.webpush.vapid import new_private_key
from router.core import consent
from router.core.channel import Button, OutboundMessage, Picture
from router.core.errors import FailureClass, Refused
from router.core.model import Address, ConsentState, DeliveryRef
from router.core.push import subscription_value
from tests.counterparts.conftest import Observed


class Browser:
    """A subscription at the push service."""

    def __init__(self, service: str, subscription: dict[str, Any]) -> None:
        self._service = service
        self._name = subscription["clientHash"]
        self.address = subscription_value(subscription)

    @classmethod
    async def subscribed(cls, service: str, key: str) -> Browser:
        options = {"userVisibleOnly": "true", "applicationServerKey": key}
        return cls(service, (await _post(f"{service}/subscribe", options))["data"])

    async def expire(self) -> None:
        await _post(f"{self._service}/expire-subscription/{self._name}", {})

    async def notifications(self) -> list[dict[str, Any]]:
        """What reached it, decrypted with its own keys."""
        got = await _post(f"{self._service}/get-notifications", {"clientHash": self._name})
        return [json.loads(message) for message in got["data"]["messages"]]


async def _post(url: str, content: object) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, json=content) as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json(content_type=None)) if reply.content_type == "application/json" else {}


def open_channel(wire: Observed) -> WebPushChannel:
    settings = {
        "vapid_private_key": new_private_key(),
        "vapid_subject": "mailto:office@example.org",
        "organization": "Example Union",
        "account": "main",
        "webhook_url": "https://router.example.org/hooks/webpush/main",
    }
    return WebPushChannel(settings, wire)


def message_to(address: str, **more: Any) -> OutboundMessage:
    there = Address(id=1, channel="webpush", value=address, hash="h", consent=ConsentState.GRANTED)
    allow = consent.check(there)
    assert isinstance(allow, consent.Allow)
    values = {"text": "Come on Saturday!", "delivery": DeliveryRef(202611, 17), "now": datetime.now(UTC)}
    return OutboundMessage(allow=allow, **(values | more))


@pytest.mark.parametrize("text", ["Come!", "½ price + tea & cake = 100%? 🎉\nÇa va", "word " * 2_000], ids=len)
async def test_a_notification_is_verified_and_decrypted(wire: Observed, push_service: str, text: str) -> None:
    channel = open_channel(wire)
    browser = await Browser.subscribed(push_service, channel.public_key)
    message = message_to(
        browser.address,
        text=text,
        subject="Saturday",
        link="https://example.org/a/b",
        topic="ask17",
        buttons=(Button(label="I come", reply="YES"),),
        picture=Picture(url="https://example.org/tea.png", alt="A cup of tea"),
    )
    await channel.send(message)
    [shown] = await browser.notifications()
    assert (shown["title"], shown["url"], shown["tag"]) == ("Saturday", "https://example.org/a/b", "ask17")
    assert shown["actions"] == [{"action": "YES|202611-17", "title": "I come"}]
    assert shown["body"] == text or (len(text) > 4_000 and text.startswith(shown["body"].rstrip("…")))


async def test_each_browser_reads_its_own(wire: Observed, push_service: str) -> None:
    channel = open_channel(wire)
    browsers = [await Browser.subscribed(push_service, channel.public_key) for _ in range(3)]
    for place, browser in enumerate(browsers):
        await channel.send(message_to(browser.address, text=f"for {place}"))
    for place, browser in enumerate(browsers):
        assert [one["body"] for one in await browser.notifications()] == [f"for {place}"]


async def test_a_subscription_that_ended_is_a_dead_address(wire: Observed, push_service: str) -> None:
    channel = open_channel(wire)
    browser = await Browser.subscribed(push_service, channel.public_key)
    await browser.expire()
    with pytest.raises(Refused) as refused:
        await channel.send(message_to(browser.address))
    assert refused.value.failure is FailureClass.ADDRESS_DEAD
    assert await browser.notifications() == []


async def test_another_key_than_the_browser_subscribed_to_is_refused(wire: Observed, push_service: str) -> None:
    browser = await Browser.subscribed(push_service, open_channel(wire).public_key)
    with pytest.raises(Refused) as refused:
        await open_channel(wire).send(message_to(browser.address))
    assert refused.value.failure is FailureClass.SENDER_CONFIG
    assert await browser.notifications() == []
