"""The cases of the email channel. An SMTP server's answers stand in for HTTP's statuses."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.email.adapter import EmailChannel
from router.core.channel import Health, HttpRequest, OptOut, Receipt
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled
from router.core.model import DeliveryRef, DeliveryStatus
from tests.channels.contract.smtp_provider import CUT, HANG, Say, SmtpProvider
from tests.channels.contract.table import DELIVERY, Accepted, ChannelTable, Failing, Fault, Webhook

PASSWORD = "hush-smtp-password"
WEBHOOK_KEY = ec.derive_private_key(0x5EED, ec.SECP256R1())
MESSAGE_ID = f"<{DELIVERY}@example.org>"
WHEN = 1_795_262_300


def public_key() -> str:
    der = WEBHOOK_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def sign(url: str, body: bytes, at: datetime) -> HttpRequest:
    """As SendGrid's "Signed Event Webhook" does."""
    stamp = str(int(at.timestamp()))
    signature = WEBHOOK_KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return HttpRequest(
        method="POST",
        url=url,
        headers={
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": stamp,
        },
        body=body,
        received_at=at,
    )


def check_plain(provider: SmtpProvider) -> None:
    [mail] = provider.mails
    assert (mail.sender, mail.recipient) == ("news@example.org", "ada@example.net")
    message = BytesParser(policy=policy.default).parsebytes(mail.content)
    assert message["Message-ID"] == MESSAGE_ID
    [sender] = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Example Union", "news@example.org")
    assert [to.addr_spec for to in message["To"].addresses] == ["ada@example.net"]
    assert message["Subject"] == "Saturday"
    assert message["Date"].datetime == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Come on Saturday!\r\n"
    assert "X-SMTPAPI" not in message
    assert "List-Unsubscribe" not in message
    assert message["Auto-Submitted"] == "auto-generated"
    assert provider.logins == [b"\0mailer\0" + PASSWORD.encode()]


def check_bulk(provider: SmtpProvider) -> None:
    message = BytesParser(policy=policy.default).parsebytes(provider.mails[0].content)
    assert message["List-Unsubscribe"] == "<https://router.example.org/u/t0ken>, <mailto:stop@example.org>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Precedence"] == "bulk"
    assert "Auto-Submitted" not in message
    assert [to.addr_spec for to in message["Reply-To"].addresses] == ["office@example.org"]
    assert json.loads(message["X-SMTPAPI"]) == {"unique_args": {"delivery": str(DELIVERY)}}
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content() == "Hello\r\n.dot\r\n..dots\r\nFrom me\r\nend. "
    assert html.get_content() == "<p>Olá</p>\r\n.\r\n"


def receipt(number: int, event_id: str, status: DeliveryStatus, seconds: int = 0, **more: Any) -> Receipt:
    return Receipt(
        event_id=event_id,
        status=status,
        at=datetime.fromtimestamp(WHEN + seconds, UTC),
        delivery=DeliveryRef(202611, number),
        **({"provider_id": f"<202611-{number}@example.org>"} | more),
    )


def failed(number: int, event_id: str, code: str, failure: FailureClass) -> Receipt:
    return receipt(number, event_id, DeliveryStatus.FAILED, code=code, failure=failure)


def opt_out(event_id: str, *, complaint: bool = False) -> OptOut:
    return OptOut(
        event_id=event_id,
        address="ada@example.net",
        at=datetime.fromtimestamp(WHEN, UTC),
        complaint=complaint,
        delivery=DELIVERY,
    )


def refused(at: str, answer: str, failure: FailureClass, *steps: Say) -> Failing:
    return Failing(name=f"{at} {answer}", steps=(Say(at, answer), *steps), error=Refused, failure=failure)


def throttled(at: str, answer: str) -> Failing:
    return Failing(name=f"{at} {answer}", steps=(Say(at, answer),), error=Throttled, failure=FailureClass.RATE)


def not_sent(at: str, answer: str) -> Failing:
    return Failing(name=f"{at} {answer}", steps=(Say(at, answer),), error=NotSent, failure=FailureClass.TRANSPORT)


TABLE = ChannelTable(
    channel=EmailChannel,
    to="ada@example.net",
    settings={
        "security": "plain",
        "username": "mailer",
        "password": PASSWORD,
        "connections": "2",
        "from_address": "news@example.org",
        "webhook_public_key": public_key(),
    },
    secrets=(PASSWORD, base64.b64encode(b"\0mailer\0" + PASSWORD.encode()).decode()),
    provider=SmtpProvider,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, code="connect", listening=False
        ),
        Fault.SILENCE: Failing(
            name="silence", steps=(Say("BODY", HANG),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
        Fault.CUT: Failing(name="cut", steps=(Say("BODY", CUT),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Fault.ERROR: Failing(
            name="451", steps=(Say("BODY", "451 local error"),), error=Refused, failure=FailureClass.RECIPIENT_TRANSIENT
        ),
        Fault.UNAVAILABLE: Failing(
            name="421 as greeting",
            steps=(Say("GREETING", "421 come back later"),),
            error=Throttled,
            failure=FailureClass.RATE,
        ),
        Fault.THROTTLED: Failing(
            name="450 4.7.0",
            steps=(Say("MAIL", "450 4.7.0 too many messages"),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="4.7.0",
        ),
        Fault.UNAUTHORIZED: Failing(
            name="535",
            steps=(Say("AUTH", "535 5.7.8 credentials invalid for hush"),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
            code="5.7.8",
        ),
        Fault.HTML: Failing(
            name="html as greeting",
            steps=(Say("GREETING", "<html>Welcome</html>"),),
            error=NotSent,
            failure=FailureClass.TRANSPORT,
        ),
        Fault.EMPTY_LIST: Failing(
            name="[] for an answer", steps=(Say("BODY", "[]"),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
    },
    failing=(
        not_sent("GREETING", HANG),
        not_sent("GREETING", CUT),
        not_sent("EHLO", CUT),
        not_sent("AUTH", "454 4.3.0 try later"),
        not_sent("MAIL", HANG),
        not_sent("MAIL", CUT),
        not_sent("MAIL", "[]"),
        not_sent("RCPT", HANG),
        not_sent("DATA", HANG),
        not_sent("DATA", CUT),
        not_sent("DATA", "250 what"),
        refused("GREETING", "554 5.7.1 you are listed", FailureClass.SENDER_CONFIG),
        refused("MAIL", "550 sender not verified", FailureClass.SENDER_CONFIG),
        refused("MAIL", "530 5.7.0 STARTTLS first", FailureClass.SENDER_CONFIG),
        refused("RCPT", "550 5.1.1 <ada@example.net> unknown", FailureClass.ADDRESS_DEAD),
        refused("RCPT", "550 no such user", FailureClass.ADDRESS_DEAD),
        refused("RCPT", "550-5.1.10 null MX\r\n550 5.1.10 really", FailureClass.ADDRESS_DEAD),
        refused("RCPT", "550 5.2.1 disabled", FailureClass.ADDRESS_DEAD, Say("RSET", CUT)),
        refused("RCPT", "452 4.2.2 mailbox full", FailureClass.RECIPIENT_TRANSIENT),
        refused("RCPT", "552 5.2.2 mailbox full", FailureClass.RECIPIENT_TRANSIENT),
        refused("RCPT", "450 4.4.1 no answer from host", FailureClass.RECIPIENT_TRANSIENT),
        refused("RCPT", "450 busy", FailureClass.RECIPIENT_TRANSIENT),
        refused("RCPT", "554 5.7.1 Relay access denied", FailureClass.SENDER_CONFIG),
        refused("BODY", "550 5.7.1 this looks like spam", FailureClass.CONTENT),
        refused("BODY", "550 5.7.1 rejected by the domain's DMARC policy", FailureClass.SENDER_CONFIG),
        refused("BODY", "550 5.7.26 unauthenticated", FailureClass.SENDER_CONFIG),
        refused("BODY", "552 5.3.4 too big", FailureClass.CONTENT),
        refused("BODY", "554 5.6.0 malformed", FailureClass.CONTENT),
        refused("BODY", "554 no", FailureClass.CONTENT),
        refused("BODY", "555 5.5.4 unheard of", FailureClass.UNKNOWN),
        throttled("RCPT", "450 4.7.1 greylisted"),
        throttled("RCPT", "421 4.3.2 going down"),
        throttled("BODY", "421 too fast"),
        throttled("AUTH", "454 4.7.0 too many logins"),
    ),
    accepted=(
        Accepted(name="plain text", steps=(), provider_id=MESSAGE_ID, check=check_plain),
        Accepted(
            name="bulk",
            steps=(),
            provider_id=MESSAGE_ID,
            message={
                "text": "Hello\r\n.dot\r..dots\nFrom me\nend. ",
                "html": "<p>Olá</p>\n.\n",
                "unsubscribe_url": "https://router.example.org/u/t0ken",
            },
            settings={
                "unsubscribe_mailto": "stop@example.org",
                "reply_to": "office@example.org",
                "provider": "sendgrid",
            },
            check=check_bulk,
        ),
        Accepted(name="251", steps=(Say("RCPT", "251 will forward"),), provider_id=MESSAGE_ID),
    ),
    checks=(
        ((), Health(who="news@example.org")),
        ((Say("AUTH", "535 5.7.8 no"),), FailureClass.SENDER_CONFIG),
    ),
    webhooks=(
        Webhook(
            name="progress",
            fixture="sendgrid_events",
            key="progress",
            events=(
                receipt(17, "ev-delivered", DeliveryStatus.DELIVERED, 2),
                receipt(17, "ev-open", DeliveryStatus.READ, 4, provider_id=""),
            ),
        ),
        Webhook(
            name="failures",
            fixture="sendgrid_events",
            key="failures",
            events=(
                failed(17, "ev-1", "5.0.0", FailureClass.ADDRESS_DEAD),
                failed(18, "ev-2", "5.2.2", FailureClass.RECIPIENT_TRANSIENT),
                failed(19, "ev-3", "blocked", FailureClass.UNKNOWN),
                failed(20, "ev-4", "5.7.1", FailureClass.CONTENT),
                failed(21, "ev-5", "bounced address", FailureClass.ADDRESS_DEAD),
                failed(22, "ev-6", "unsubscribed address", FailureClass.OPT_OUT),
            ),
        ),
        Webhook(
            name="opt-outs",
            fixture="sendgrid_events",
            key="opt_outs",
            events=(opt_out("ev-spam", complaint=True), opt_out("ev-unsub"), opt_out("ev-group")),
        ),
    ),
    encode=lambda payload: json.dumps(payload, ensure_ascii=False).encode(),
    sign=sign,
)
