"""The cases of the sms channel."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from twilio.request_validator import RequestValidator

from channels.sms import SmsChannel
from router.core.channel import Health, HttpRequest, Inbound, Keyword, Receipt
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, Throttled
from router.core.model import DeliveryStatus
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.table import DELIVERY, NOW, WEBHOOK_URL, Accepted, ChannelTable, Failing, Fault, Webhook

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "hush-twilio-auth-token"
KEY_SECRET = "hush-twilio-api-key"
SID = "SM1234567890abcdef1234567890abcdef"
CREATED = Reply(201, {"sid": SID, "status": "accepted", "error_code": None, "to": "+12025550123", "num_segments": "1"})

ACTIVE = Reply(200, {"friendly_name": "Example Union", "status": "active"})
"""https://www.twilio.com/docs/iam/api/account#fetch-an-account-resource"""


def service(**more: Any) -> Reply:
    """https://www.twilio.com/docs/messaging/api/service-resource#fetch-a-service-resource"""
    return Reply(200, {"sid": "MG1", "use_inbound_webhook_on_number": False} | more)


def error(status: int, code: int, **headers: str) -> Reply:
    """https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions"""
    body = {
        "code": code,
        "message": "The number +12025550123 …",
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def sign(url: str, body: bytes, at: datetime) -> HttpRequest:
    """https://www.twilio.com/docs/usage/security#validating-requests"""
    params = {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    return HttpRequest(
        method="POST",
        url=url,
        headers={
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": RequestValidator(TOKEN).compute_signature(url, params),
        },
        body=body,
        received_at=at,
    )


def form(provider: HttpProvider) -> dict[str, str]:
    [request] = provider.requests
    return {name: value for name, [value] in parse_qs(request.body.decode(), keep_blank_values=True).items()}


def check_plain(provider: HttpProvider) -> None:
    [request] = provider.requests
    assert request.line == f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == basic(ACCOUNT, TOKEN)
    assert form(provider) == {
        "To": "+12025550123",
        "Body": "Come on Saturday!",
        "MessagingServiceSid": "MG1",
        "StatusCallback": f"{WEBHOOK_URL}?d={DELIVERY}",
        "ValidityPeriod": "36000",
    }


def check_text(provider: HttpProvider) -> None:
    assert form(provider)["Body"] == "½ price + tea & cake = 100%? 🎉\nÇa va\ud83d".encode("utf-8", "replace").decode()
    assert form(provider)["ValidityPeriod"] == "1"


def check_api_key(provider: HttpProvider) -> None:
    assert provider.requests[0].headers["authorization"] == basic("SK1", KEY_SECRET)


def check_number(provider: HttpProvider) -> None:
    assert form(provider)["From"] == "+12025550199"
    assert "MessagingServiceSid" not in form(provider)
    assert form(provider)["ValidityPeriod"] == "36000"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def receipt(status: DeliveryStatus, word: str, **more: Any) -> Receipt:
    return Receipt(
        event_id=f"{SID}:{word}", status=status, at=NOW, **({"delivery": DELIVERY, "provider_id": SID} | more)
    )


def inbound(number: int, text: str, **more: Any) -> Inbound:
    return Inbound(
        event_id=f"SMabcdef1234567890abcdef123456789{number}",
        sender="+12025550123",
        recipient="+12025550199",
        text=text,
        at=NOW,
        **more,
    )


def refused(code: int, failure: FailureClass, status: int = 400) -> Failing:
    return Failing(name=str(code), steps=(error(status, code),), error=Refused, failure=failure, code=str(code))


TABLE = ChannelTable(
    channel=SmsChannel,
    to="+12025550123",
    settings={
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "messaging_service_sid": "MG1",
        "provider_answers": "yes",
    },
    secrets=(TOKEN, KEY_SECRET, base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()),
    provider=HttpProvider,
    faults={
        Fault.CONNECT: Failing(
            name="connect", steps=(), error=NotSent, failure=FailureClass.TRANSPORT, listening=False
        ),
        Fault.SILENCE: Failing(
            name="silence", steps=(Reply(hang=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
        Fault.CUT: Failing(name="cut", steps=(Reply(cut=True),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Fault.ERROR: Failing(
            name="500", steps=(error(500, 20500),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT, code="20500"
        ),
        Fault.UNAVAILABLE: Failing(
            name="503", steps=(Reply(503),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT, code="http 503"
        ),
        Fault.THROTTLED: Failing(
            name="429",
            steps=(error(429, 20429, Retry_After="7"),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="20429",
            retry_after=7.0,
        ),
        Fault.UNAUTHORIZED: Failing(
            name="401", steps=(error(401, 20003),), error=Refused, failure=FailureClass.SENDER_CONFIG, code="20003"
        ),
        Fault.HTML: Failing(
            name="html",
            steps=(Reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
        Fault.EMPTY_LIST: Failing(
            name="[]", steps=(Reply(201, []),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT
        ),
    },
    failing=(
        refused(21211, FailureClass.ADDRESS_DEAD),
        refused(21610, FailureClass.OPT_OUT),
        refused(21612, FailureClass.RECIPIENT_TRANSIENT),
        refused(21617, FailureClass.CONTENT),
        refused(21408, FailureClass.SENDER_CONFIG, 403),
        refused(39998, FailureClass.UNKNOWN),
        refused(30027, FailureClass.DAILY_CAP, 500),
        Failing(name="the queue is full", steps=(error(400, 21611),), error=Throttled, failure=FailureClass.RATE),
        Failing(
            name="throttled until a date",
            steps=(Reply(429, b"", {"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT"}),),
            error=Throttled,
            failure=FailureClass.RATE,
            code="429",
            retry_after=90.0,
        ),
        Failing(
            name="throttled without a word of when",
            steps=(Reply(429, b"", {"Retry-After": "soon"}),),
            error=Throttled,
            failure=FailureClass.RATE,
            retry_after=None,
        ),
        Failing(
            name="html 400",
            steps=(Reply(400, b"<html>Bad request</html>"),),
            error=Refused,
            failure=FailureClass.UNKNOWN,
            code="http 400",
        ),
        Failing(name="[] 404", steps=(Reply(404, []),), error=Refused, failure=FailureClass.UNKNOWN),
        Failing(name="html 403", steps=(Reply(403, b"<html>"),), error=Refused, failure=FailureClass.SENDER_CONFIG),
        Failing(name="413", steps=(Reply(413),), error=Refused, failure=FailureClass.CONTENT),
        Failing(
            name="a redirect is not followed",
            steps=(Reply(307, b"", {"Location": "/elsewhere"}),),
            error=Refused,
            failure=FailureClass.SENDER_CONFIG,
        ),
        Failing(name="408", steps=(Reply(408),), error=OutcomeUnknown, failure=FailureClass.TRANSPORT),
        Failing(
            name="a sid that is only in the text",
            steps=(Reply(201, {"body": f'"sid": "{SID}"', "account_sid": SID, "sid": {"a": 1}}),),
            error=OutcomeUnknown,
            failure=FailureClass.TRANSPORT,
        ),
    ),
    accepted=(
        Accepted(name="by service", steps=(CREATED,), provider_id=SID, check=check_plain),
        Accepted(
            name="any text",
            steps=(CREATED,),
            provider_id=SID,
            message={"text": "½ price + tea & cake = 100%? 🎉\nÇa va\ud83d", "valid_seconds": 0},
            check=check_text,
        ),
        Accepted(
            name="by API key",
            steps=(CREATED,),
            provider_id=SID,
            settings={"api_key_sid": "SK1", "api_key_secret": KEY_SECRET},
            check=check_api_key,
        ),
        Accepted(
            name="by number",
            steps=(Reply(200, b'{"body":"\\"sid\\":\\"SM0","sid":"' + SID.encode() + b'"}'),),
            provider_id=SID,
            message={"valid_seconds": 100_000},
            settings={"messaging_service_sid": "", "from_number": " +12025550199 ,"},
            check=check_number,
        ),
    ),
    checks=(
        (
            (ACTIVE, service(inbound_request_url=WEBHOOK_URL, inbound_method="POST")),
            Health(who="Example Union", webhook=WEBHOOK_URL),
        ),
        (
            (ACTIVE, service(inbound_request_url="https://demo.twilio.com/welcome/sms/reply/")),
            Health(
                who="Example Union",
                webhook="https://demo.twilio.com/welcome/sms/reply/",
                mend=(
                    "Twilio brings what is written to the Messaging Service to "
                    f"https://demo.twilio.com/welcome/sms/reply/, not to {WEBHOOK_URL}",
                ),
            ),
        ),
        (
            (ACTIVE, service(inbound_request_url=WEBHOOK_URL, inbound_method="GET")),
            Health(
                who="Example Union",
                webhook=WEBHOOK_URL,
                mend=("Twilio calls the webhook of the Messaging Service with GET; set it to POST",),
            ),
        ),
        (
            (
                ACTIVE,
                service(inbound_request_url=WEBHOOK_URL, use_inbound_webhook_on_number=True),
                Reply(200, {"phone_numbers": [{"phone_number": "+12025550199"}], "meta": {"key": "phone_numbers"}}),
                Reply(200, {"incoming_phone_numbers": [{"phone_number": "+12025550199", "sms_url": None}]}),
            ),
            Health(
                who="Example Union",
                webhook="",
                mend=(f"Twilio brings what is written to +12025550199 to nobody, not to {WEBHOOK_URL}",),
            ),
        ),
        (
            (ACTIVE, error(403, 20003)),
            Health(who="Example Union", mend=("Twilio did not tell the address of its webhook (20003)",)),
        ),
        (
            (Reply(200, {"friendly_name": "Example Union", "status": "suspended"}),),
            Health(who="Example Union", mend=("Twilio says that the account is suspended",)),
        ),
        ((error(401, 20003),), FailureClass.SENDER_CONFIG),
    ),
    webhooks=(
        Webhook(name="sending", fixture="twilio_status_callback", key="sending", events=()),
        Webhook(
            name="sent", fixture="twilio_status_callback", key="sent", events=(receipt(DeliveryStatus.SENT, "sent"),)
        ),
        Webhook(
            name="delivered",
            fixture="twilio_status_callback",
            key="delivered",
            events=(receipt(DeliveryStatus.DELIVERED, "delivered"),),
        ),
        Webhook(
            name="read", fixture="twilio_status_callback", key="read", events=(receipt(DeliveryStatus.READ, "read"),)
        ),
        Webhook(
            name="undelivered",
            fixture="twilio_status_callback",
            key="undelivered",
            events=(
                receipt(DeliveryStatus.FAILED, "undelivered", code="30003", failure=FailureClass.RECIPIENT_TRANSIENT),
            ),
        ),
        Webhook(
            name="a new code",
            fixture="twilio_status_callback",
            key="failed_with_a_new_code",
            events=(receipt(DeliveryStatus.FAILED, "failed", code="39999", failure=FailureClass.UNKNOWN),),
        ),
        Webhook(
            name="without our reference",
            fixture="twilio_status_callback",
            key="sent",
            url=WEBHOOK_URL,
            events=(receipt(DeliveryStatus.SENT, "sent", delivery=None),),
        ),
        Webhook(
            name="with a reference that is none",
            fixture="twilio_status_callback",
            key="sent",
            url=f"{WEBHOOK_URL}?d=17",
            events=(receipt(DeliveryStatus.SENT, "sent", delivery=None),),
        ),
        Webhook(
            name="yes",
            fixture="twilio_incoming_message",
            key="yes",
            url=WEBHOOK_URL,
            events=(inbound(0, "Yes, I'll bring 3 friends & a çake 🎂"),),
        ),
        Webhook(
            name="stop, understood by Twilio",
            fixture="twilio_incoming_message",
            key="stop_with_opt_out_type",
            url=WEBHOOK_URL,
            events=(inbound(1, "Arrêt", keyword=Keyword.STOP, provider_answers=True),),
        ),
        Webhook(
            name="stop, answered by Twilio",
            fixture="twilio_incoming_message",
            key="stop_by_default",
            url=WEBHOOK_URL,
            events=(inbound(2, " stop ", provider_answers=True),),
        ),
        Webhook(
            name="stop, left to us",
            fixture="twilio_incoming_message",
            key="stop_by_default",
            url=WEBHOOK_URL,
            settings={"provider_answers": "no"},
            events=(inbound(2, " stop "),),
        ),
    ),
    encode=lambda payload: urlencode(payload).encode(),
    sign=sign,
)
