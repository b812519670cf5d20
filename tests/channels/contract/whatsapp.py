"""The cases of the whatsapp channel."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from channels.whatsapp import WhatsAppChannel
from router.core.channel import Button, Health, Inbound, Keyword, OutboundMessage, Picture, Receipt, Template
from router.core.errors import FailureClass
from router.core.model import DeliveryStatus
from tests.channels.contract import sms
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.sms import (
    ACCOUNT,
    ACTIVE,
    CREATED,
    SID,
    TOKEN,
    error,
    form,
    receipt,
    refused,
    sign,
)
from tests.channels.contract.table import DELIVERY, NOW, WEBHOOK_URL, Accepted, ChannelTable, Webhook

CONTENT = "HX00000000000000000000000000000001"
SENDER = "+12025550199"
DELIVERED = f"{WEBHOOK_URL}?d={DELIVERY}"


class WhatsAppTable(ChannelTable):
    """Messages go to somebody who has just written, where the row does not say otherwise."""

    def message(self, **changes: Any) -> OutboundMessage:
        return super().message(**({"in_window": True} | changes))


def check_free_words(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.line == f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"
    assert form(provider) == {
        "To": "whatsapp:+12025550123",
        "Body": "½ price + tea = 100%? 🎉\nÇa va?",
        "From": f"whatsapp:{SENDER}",
        "StatusCallback": DELIVERED,
        "ValidityPeriod": "14400",
    }


def check_service(provider: HttpProvider) -> None:
    assert form(provider)["MessagingServiceSid"] == "MG1"
    assert "From" not in form(provider)
    assert form(provider)["ValidityPeriod"] == "60"


def check_picture(provider: HttpProvider) -> None:
    assert form(provider)["Body"] == "Come on Saturday!"
    assert form(provider)["MediaUrl"] == "https://example.org/a.jpg?x=1&y=2"


def check_long_caption(provider: HttpProvider) -> None:
    assert form(provider)["Body"] == "x" * 1025 + "\nhttps://example.org/a.jpg?x=1&y=2"
    assert "MediaUrl" not in form(provider)


def check_template(provider: HttpProvider) -> None:
    sent = form(provider)
    assert json.loads(sent.pop("ContentVariables")) == {"1": "Çem & Li", "2": "first second", "3": f"YES|{DELIVERY}"}
    assert sent == {
        "To": "whatsapp:+12025550123",
        "ContentSid": CONTENT,
        "From": f"whatsapp:{SENDER}",
        "StatusCallback": DELIVERED,
        "ValidityPeriod": "14400",
    }


def check_template_without_holes(provider: HttpProvider) -> None:
    assert form(provider)["ContentSid"] == CONTENT
    assert "ContentVariables" not in form(provider)


def inbound(number: int, text: str, **more: Any) -> Inbound:
    return Inbound(
        event_id=f"SMabcdef1234567890abcdef12345678a{number}",
        sender="+12025550123",
        recipient=SENDER,
        text=text,
        at=NOW,
        **more,
    )


def incoming(name: str, key: str, *events: Inbound) -> Webhook:
    return Webhook(
        name=name, fixture="twilio_whatsapp_incoming_message", key=key, url=WEBHOOK_URL, events=tuple(events)
    )


def status(key: str, *events: Receipt) -> Webhook:
    return Webhook(name=key, fixture="twilio_whatsapp_status_callback", key=key, events=tuple(events))


def senders(**more: Any) -> Reply:
    """https://www.twilio.com/docs/whatsapp/api/senders"""
    other = {"sender_id": "whatsapp:+447700900123", "status": "OFFLINE", "webhook": {}}
    ours = {"sender_id": f"whatsapp:{SENDER}", "status": "ONLINE", "webhook": None}
    return Reply(200, {"senders": [other, ours | more], "meta": {"key": "senders", "next_page_url": None}})


TABLE = WhatsAppTable(
    channel=WhatsAppChannel,
    to="+12025550123",
    settings={"account_sid": ACCOUNT, "auth_token": TOKEN, "from_number": f"whatsapp:{SENDER}"},
    secrets=sms.TABLE.secrets,
    provider=HttpProvider,
    faults=sms.TABLE.faults,
    failing=(
        refused(21211, FailureClass.ADDRESS_DEAD),
        refused(21610, FailureClass.OPT_OUT),
        refused(21655, FailureClass.TEMPLATE),
        refused(21656, FailureClass.TEMPLATE),
        refused(21910, FailureClass.SENDER_CONFIG),
        refused(63007, FailureClass.SENDER_CONFIG),
        refused(39998, FailureClass.UNKNOWN),
    ),
    accepted=(
        Accepted(
            name="free words",
            steps=(CREATED,),
            provider_id=SID,
            message={"text": "½ price + tea = 100%? 🎉\nÇa va?", "buttons": (Button(label="I am in", reply="YES"),)},
            check=check_free_words,
        ),
        Accepted(
            name="by service",
            steps=(CREATED,),
            provider_id=SID,
            message={"valid_seconds": 60},
            settings={"messaging_service_sid": "MG1"},
            check=check_service,
        ),
        Accepted(
            name="a picture",
            steps=(CREATED,),
            provider_id=SID,
            message={"picture": Picture(url="https://example.org/a.jpg?x=1&y=2", alt="A crowd")},
            check=check_picture,
        ),
        Accepted(
            name="a picture with more words than fit below it",
            steps=(CREATED,),
            provider_id=SID,
            message={"text": "x" * 1025, "picture": Picture(url="https://example.org/a.jpg?x=1&y=2", alt="A crowd")},
            check=check_long_caption,
        ),
        Accepted(
            name="a template",
            steps=(CREATED,),
            provider_id=SID,
            message={
                "in_window": False,
                "is_ask": False,
                "template": Template(
                    id=CONTENT, variables={"1": "Çem & Li", "2": "first\n\tsecond ", "3": f"YES|{DELIVERY}"}
                ),
            },
            check=check_template,
        ),
        Accepted(
            name="a template without holes",
            steps=(CREATED,),
            provider_id=SID,
            message={"in_window": False, "is_ask": False, "template": Template(id=CONTENT)},
            check=check_template_without_holes,
        ),
    ),
    checks=(
        (
            (ACTIVE, senders(webhook={"callback_url": WEBHOOK_URL, "callback_method": "POST"})),
            Health(who="Example Union", webhook=WEBHOOK_URL),
        ),
        (
            (ACTIVE, senders(status="OFFLINE")),
            Health(
                who="Example Union",
                webhook="",
                mend=(
                    f"WhatsApp says that {SENDER} is OFFLINE",
                    f"Twilio brings what is written to {SENDER} to nobody, not to {WEBHOOK_URL}",
                ),
            ),
        ),
        ((error(401, 20003),), FailureClass.SENDER_CONFIG),
    ),
    webhooks=(
        status("sent", receipt(DeliveryStatus.SENT, "sent")),
        status("delivered", receipt(DeliveryStatus.DELIVERED, "delivered")),
        status("read", receipt(DeliveryStatus.READ, "read")),
        status(
            "outside_the_window",
            receipt(DeliveryStatus.FAILED, "undelivered", code="63016", failure=FailureClass.TEMPLATE),
        ),
        status(
            "marketing_held_back",
            receipt(DeliveryStatus.FAILED, "undelivered", code="63049", failure=FailureClass.WA_MARKETING),
        ),
        incoming("words", "text", inbound(0, "Yes, I'll bring 3 friends & a çake 🎂")),
        incoming("our button", "button_of_ours", inbound(1, "YES", button=True, delivery=DELIVERY)),
        incoming("our button, always the same", "button_with_a_fixed_payload", inbound(2, "YES", button=True)),
        incoming(
            "a button of a template not made for us", "button_of_somebody_else", inbound(3, "Confirm", button=True)
        ),
        incoming("stop is ours to answer", "stop", inbound(4, "STOP")),
        incoming(
            "stop, answered by Twilio",
            "stop_by_advanced_opt_out",
            inbound(5, "Arrêt", keyword=Keyword.STOP, provider_answers=True),
        ),
        incoming("a picture without words", "picture", inbound(6, "")),
        incoming("somebody who hides their number", "hidden_number"),
    ),
    encode=lambda payload: urlencode(payload).encode(),
    sign=sign,
)
