"""What the contract table does not say of the whatsapp channel; the real adapter against the sandbox."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.sandbox import Knobs, Sandbox
from channels.sandbox.twilio_content import ASK, NOTICE
from channels.whatsapp import WhatsAppChannel
from router.core.channel import HttpRequest, Inbound, Listening, OutboundMessage, Picture, Receipt, Template
from router.core.errors import BadInput, FailureClass, Refused
from router.core.model import DeliveryStatus
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider
from tests.channels.contract.sms import CREATED, form
from tests.channels.contract.table import DELIVERY, NOW
from tests.channels.contract.whatsapp import CONTENT, TABLE
from tests.channels.sandbox_hooks import Hooks

AMERICAN, BRITON = "+12025550123", "+447700900123"
YES = {"1": "Amal", "2": "come on Saturday.", "3": f"YES|{DELIVERY}", "4": f"NO|{DELIVERY}"}


def message(to: str = BRITON, **changes: Any) -> OutboundMessage:
    return dataclasses.replace(TABLE, to=to).message(**({"in_window": False} | changes))


@pytest.mark.parametrize(
    ("to", "changes", "failure", "code"),
    [
        (BRITON, {}, FailureClass.TEMPLATE, "63016"),
        (BRITON, {"is_ask": False}, FailureClass.TEMPLATE, "63016"),
        (AMERICAN, {}, FailureClass.TEMPLATE, "63016"),
        (AMERICAN, {"template": Template(id=CONTENT)}, FailureClass.WA_MARKETING, "63049"),
    ],
)
async def test_what_would_not_be_delivered_is_not_even_sent(
    to: str, changes: dict[str, Any], failure: FailureClass, code: str
) -> None:
    provider = HttpProvider()
    await provider.start()
    async with HttpWire() as wire:
        with pytest.raises(Refused) as caught:
            await TABLE.open(wire, **provider.settings()).send(message(to, **changes))
    await provider.stop()
    assert (caught.value.failure, caught.value.code) == (failure, code)
    assert to not in str(caught.value)
    assert provider.requests == []
    assert provider.leftovers() == []


@pytest.mark.parametrize(
    ("to", "changes", "words"),
    [
        (BRITON, {"template": Template(id=CONTENT)}, "ContentSid"),
        (AMERICAN, {"template": Template(id=CONTENT), "is_ask": False}, "ContentSid"),
        (AMERICAN, {"template": Template(id=CONTENT), "in_window": True}, "Body"),
    ],
)
async def test_the_window_decides_between_template_and_words(to: str, changes: dict[str, Any], words: str) -> None:
    provider = HttpProvider()
    await provider.start()
    provider.script(CREATED)
    async with HttpWire() as wire:
        await TABLE.open(wire, **provider.settings()).send(message(to, **changes))
    await provider.stop()
    assert {"ContentSid", "Body"} & form(provider).keys() == {words}


def test_a_sender_is_required_and_each_is_named_once() -> None:
    with pytest.raises(BadInput, match="OUTREACH_WHATSAPP_MESSAGING_SERVICE_SID or OUTREACH_WHATSAPP_FROM_NUMBER"):
        TABLE.open(HttpWire(), from_number=" ")
    pool = TABLE.open(HttpWire(), from_number="whatsapp:+12025550101, +12025550102,+12025550101")
    assert tuple(pool.senders) == ("+12025550101", "+12025550102")
    assert tuple(TABLE.open(HttpWire()).senders) == ("",)


async def test_a_message_leaves_from_the_sender_that_the_router_chose() -> None:
    provider = HttpProvider()
    await provider.start()
    provider.script(CREATED)
    async with HttpWire() as wire:
        channel = TABLE.open(wire, **provider.settings(), from_number="+12025550101,+12025550102")
        await channel.send(message(in_window=True, sender="+12025550102"))
    await provider.stop()
    assert form(provider)["From"] == "whatsapp:+12025550102"


def test_one_person_has_one_rate() -> None:
    limit_key = WhatsAppChannel.spec.limit_key
    assert limit_key is not None
    assert limit_key(BRITON) == ("chat", BRITON)


class Stage:
    """The real adapter, the sandbox, and the webhook between them."""

    def __init__(self, wire: HttpWire, sandbox: Sandbox, hooks: Hooks) -> None:
        self.sandbox, self._hooks = sandbox, hooks
        prefix = "OUTREACH_WHATSAPP_"
        environment = sandbox.channel_environment()
        settings = {name.removeprefix(prefix).lower(): environment[name] for name in environment if prefix in name}
        sandbox.webhooks["whatsapp"] = f"{hooks.url}/hooks/whatsapp/main"
        self.channel = TABLE.open(wire, webhook_url=sandbox.webhooks["whatsapp"], **settings)
        self.settings = settings

    async def heard(self) -> list[Any]:
        """The events of all webhooks since the last time, once nothing more is to come."""
        await self.sandbox.idle()
        events: list[Any] = []
        for call in self._hooks.calls:
            headers = {name.lower(): value for name, value in call.headers.items()}
            request = HttpRequest(method="POST", url=call.url, headers=headers, body=call.body, received_at=NOW)
            self.channel.verify(request)
            events += self.channel.receive(request).events
        self._hooks.calls.clear()
        return events


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    knobs = Knobs(receipt_delay=0.001, reply_delay=0.001)
    async with HttpWire() as wire, Hooks() as hooks, Sandbox(knobs=knobs) as sandbox:
        yield Stage(wire, sandbox, hooks)


async def test_an_ask_is_answered_by_button_and_then_freely(stage: Stage) -> None:
    sent = await stage.channel.send(message(template=Template(id=ASK.sid, variables=YES)))
    receipts = await stage.heard()
    assert [(event.status, event.delivery, event.provider_id) for event in receipts] == [
        (status, DELIVERY, sent.provider_id)
        for status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ)
    ]
    stage.sandbox.phones.answer(f"whatsapp:{BRITON}", "YES")
    [pressed] = await stage.heard()
    assert (pressed.text, pressed.button, pressed.delivery) == ("YES", True, DELIVERY)
    assert (pressed.sender, pressed.recipient) == (BRITON, "+12025550100")
    picture = Picture(url="https://example.org/thanks.jpg", alt="A crowd")
    await stage.channel.send(message(in_window=True, is_ask=False, text="Thank you!", picture=picture))
    assert (await stage.heard())[-1].status is DeliveryStatus.READ
    accepted = [(row.to, row.text, row.delivery) for row in stage.sandbox.memory.accepted]
    assert accepted == [
        (f"whatsapp:{BRITON}", "Hi Amal, come on Saturday. See you there?", str(DELIVERY)),
        (f"whatsapp:{BRITON}", "Thank you!", str(DELIVERY)),
    ]


@pytest.mark.parametrize(
    ("to", "changes", "failure"),
    [
        (BRITON, {"in_window": True}, FailureClass.TEMPLATE),
        (BRITON, {"template": Template(id=ASK.sid, variables={"1": "Amal"})}, FailureClass.TEMPLATE),
        (AMERICAN, {"is_ask": False, "template": Template(id=ASK.sid, variables=YES)}, FailureClass.WA_MARKETING),
    ],
)
async def test_what_whatsapp_keeps_back_fails_by_receipt(
    stage: Stage, to: str, changes: dict[str, Any], failure: FailureClass
) -> None:
    await stage.channel.send(message(to, **changes))
    [receipt] = await stage.heard()
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.failure, receipt.delivery) == (DeliveryStatus.FAILED, failure, DELIVERY)


async def test_stop_is_ours_to_answer(stage: Stage) -> None:
    await stage.channel.send(message(template=Template(id=NOTICE.sid, variables={"1": "Amal", "2": "it moved."})))
    await stage.heard()
    stage.sandbox.phones.answer(f"whatsapp:{BRITON}", "STOP")
    [stop] = await stage.heard()
    assert (stop.text, stop.button, stop.provider_answers, stop.keyword) == ("STOP", False, False, None)
    await stage.channel.send(message(in_window=True, is_ask=False, text="You will hear no more from us."))


async def test_the_check_compares_the_webhook(stage: Stage) -> None:
    health = await stage.channel.check(NOW)
    assert (health.who, health.webhook, health.mend) == ("Sandbox", stage.sandbox.webhooks["whatsapp"], ())
    stage.sandbox.webhooks["whatsapp"] = ""
    health = await stage.channel.check(NOW)
    assert health.webhook == ""
    assert len(health.mend) == 1


@pytest.mark.parametrize("settings", [{}, {"from_number": "", "messaging_service_sid": "MG1"}])
async def test_listening_finds_whatsapp_and_no_sms(stage: Stage, settings: dict[str, str]) -> None:
    async with HttpWire() as wire:
        channel = TABLE.open(wire, **(stage.settings | settings), listen="yes")
        assert isinstance(channel, Listening)
        assert channel.listens
        stage.sandbox.phones.reply(f"whatsapp:{BRITON}", "over WhatsApp")
        stage.sandbox.phones.reply(BRITON, "by SMS")
        await stage.sandbox.idle()
        stream = channel.listen()
        async with asyncio.timeout(5):
            received = await anext(stream)
            assert (await anext(stream)).rest == 10.0
        [event] = received.events
        assert isinstance(event, Inbound)
        assert (event.text, event.sender, event.recipient) == ("over WhatsApp", BRITON, "+12025550100")
