"""What the contract tables do not say of the sms channel."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from channels import twilio_inbox
from channels.sandbox import Knobs, Sandbox
from channels.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER
from channels.sms import SmsChannel
from channels.twilio_api import Account
from channels.twilio_codes import CODES
from router.core.channel import Health, HttpReply, Inbound, Listening, Received
from router.core.errors import BadInput, BadWebhook, FailureClass, OutcomeUnknown, Refused
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider, Reply
from tests.channels.contract.sms import ACCOUNT, ACTIVE, CREATED, KEY_SECRET, TABLE, basic, error, sign
from tests.channels.contract.table import DELIVERY, NOW, WEBHOOK_URL

POOL = [f"+120255501{number:02}" for number in range(1, 6)]


async def senders(pool: list[str], recipients: list[str]) -> list[str]:
    """From which number of the pool each recipient hears."""
    provider = HttpProvider()
    await provider.start()
    provider.script(*[CREATED] * len(recipients))
    async with HttpWire() as wire:
        channel = TABLE.open(wire, **provider.settings(), messaging_service_sid="", from_number=",".join(pool))
        for to in recipients:
            await channel.send(dataclasses.replace(TABLE, to=to).message())
    await provider.stop()
    return [parse_qs(request.body.decode())["From"][0] for request in provider.requests]


async def test_a_person_always_hears_from_the_same_number() -> None:
    people = [f"+44770090{number:04}" for number in range(200)]
    first = await senders(POOL, people)
    assert await senders(POOL[::-1], people) == first
    spread = Counter(first)
    assert set(spread) == set(POOL)
    assert min(spread.values()) > 20
    more = await senders([*POOL, "+12025550106"], people)
    assert all(now in (before, "+12025550106") for before, now in zip(first, more, strict=True))


def test_a_sender_is_required() -> None:
    with pytest.raises(BadInput, match="OUTREACH_SMS_FROM_NUMBER"):
        TABLE.open(HttpWire(), messaging_service_sid="", from_number=" , ")


def test_only_form_posts_of_our_account_are_believed() -> None:
    channel = TABLE.open(HttpWire())
    good = TABLE.request(TABLE.webhooks[0])
    channel.verify(good)
    other = good.body.replace(ACCOUNT.encode(), b"AC00000000000000000000000000000002")
    for request in (
        dataclasses.replace(good, method="GET"),
        dataclasses.replace(good, url=WEBHOOK_URL),
        dataclasses.replace(good, url=good.url.replace("-17", "-18")),
        dataclasses.replace(good, headers={**good.headers, "content-type": "application/json"}),
        sign(good.url, other, NOW),
        sign(good.url, b"MessageSid=SM1", NOW),
        sign(good.url, b"", NOW),
    ):
        with pytest.raises(BadWebhook):
            channel.verify(request)


@pytest.mark.parametrize("word", ["STOP", "stopall", " End\n", "OptOut", "HELP", "info", "Start"])
def test_what_twilio_answers_itself_is_not_answered_twice(word: str) -> None:
    body = f"MessageSid=SM1&From=%2B12025550123&To=%2B12025550199&Body={word}&AccountSid={ACCOUNT}".encode()
    [event] = TABLE.open(HttpWire()).receive(sign(WEBHOOK_URL, body, NOW)).events
    assert event.provider_answers
    [event] = TABLE.open(HttpWire(), provider_answers="No").receive(sign(WEBHOOK_URL, body, NOW)).events
    assert not event.provider_answers


@pytest.mark.parametrize("text", ["STOP please", "YES", "", "stopp"])
def test_everything_else_is_ours_to_answer(text: str) -> None:
    body = f"MessageSid=SM1&From=%2B12025550123&To=%2B12025550199&Body={text}&AccountSid={ACCOUNT}".encode()
    [event] = TABLE.open(HttpWire()).receive(sign(WEBHOOK_URL, body, NOW)).events
    assert (event.text, event.provider_answers, event.keyword) == (text, False, None)


def test_the_answer_is_empty_twiml() -> None:
    reply = TABLE.open(HttpWire()).receive(TABLE.request(TABLE.webhooks[0])).reply
    assert reply == HttpReply(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type="text/xml")


def test_codes_are_five_digits() -> None:
    assert all(len(code) == 5 and code.isdigit() for code in CODES)
    assert SmsChannel.spec.counts_segments


class Shift:
    """A clock that can be moved."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


def listener(wire: HttpWire, sandbox: Sandbox, **settings: str) -> SmsChannel:
    settings = {
        "account_sid": ACCOUNT_SID,
        "auth_token": AUTH_TOKEN,
        "messaging_service_sid": "",
        "from_number": FROM_NUMBER,
        "api_url": sandbox.http_url,
        "listen": "yes",
    } | settings
    channel = TABLE.open(wire, **settings)
    assert isinstance(channel, SmsChannel)
    assert isinstance(channel, Listening)
    return channel


async def write(sandbox: Sandbox, phone: str, *texts: str) -> None:
    for text in texts:
        sandbox.phones.reply(phone, text)
        await sandbox.idle()


async def look(stream: AsyncIterator[Received]) -> list[Inbound]:
    """Everything up to the next rest."""
    found: list[Inbound] = []
    async for received in stream:
        if received.rest:
            assert (received.rest, received.events) == (10.0, ())
            return found
        assert received.events
        found += [event for event in received.events if isinstance(event, Inbound)]
    raise AssertionError("it ended")


@pytest.mark.parametrize("settings", [{}, {"from_number": "", "messaging_service_sid": "MG1"}])
async def test_listening_finds_what_people_wrote_once_and_in_order(wire: HttpWire, settings: dict[str, str]) -> None:
    clock = Shift()
    async with Sandbox(clock=clock) as sandbox:
        channel = listener(wire, sandbox, **settings)
        stream = channel.listen()
        assert await look(stream) == []
        await write(sandbox, POOL[0], "hi", "stop", "Grüße 🎉")
        first = await look(stream)
        assert [event.text for event in first] == ["hi", "stop", "Grüße 🎉"]
        assert [event.provider_answers for event in first] == [False, True, False]
        assert {(event.sender, event.recipient, event.at) for event in first} == {(POOL[0], FROM_NUMBER, NOW)}
        assert len({event.event_id for event in first}) == 3
        assert await look(stream) == []
        clock.now += 1
        await write(sandbox, POOL[1], "me too")
        clock.now += 7 * 86_400
        await write(sandbox, POOL[2], "and me")
        assert [event.text for event in await look(stream)] == ["me too", "and me"]


async def test_what_was_not_committed_comes_again(wire: HttpWire) -> None:
    async with Sandbox(clock=Shift()) as sandbox:
        channel = listener(wire, sandbox)
        await write(sandbox, POOL[0], "hi")
        stream = channel.listen()
        lost = await anext(stream)
        await stream.aclose()
        again = channel.listen()
        assert (await anext(again)).events == lost.events
        assert await look(again) == [], "asking for more said that it is committed"
        assert await look(channel.listen()) == [], "and a new stream of the same channel knows it"


async def test_the_first_look_goes_one_day_back(wire: HttpWire) -> None:
    clock = Shift()
    async with Sandbox(clock=clock) as sandbox:
        await write(sandbox, POOL[0], "too old")
        clock.now += 1
        await write(sandbox, POOL[0], "old")
        clock.now += 86_400
        await write(sandbox, POOL[0], "new")
        clock.now += 5 * 86_400
        assert [event.text for event in await look(listener(wire, sandbox).listen())] == ["old", "new"]


async def test_listening_reads_every_page(wire: HttpWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_inbox, "MOST_AT_ONCE", 100)
    async with Sandbox(clock=Shift(), knobs=Knobs(seed=2)) as sandbox:
        for number in range(250):
            sandbox.phones.reply(POOL[0], str(number))
        await sandbox.idle()
        stream = listener(wire, sandbox).listen()
        parts = [await anext(stream) for _ in range(4)]
        assert [len(part.events) for part in parts] == [100, 100, 50, 0]
        texts = [event.text for part in parts for event in part.events if isinstance(event, Inbound)]
        assert sorted(texts, key=int) == [str(number) for number in range(250)]


def listed(*rows: dict[str, Any], **more: Any) -> Reply:
    return Reply(200, {"messages": list(rows), "next_page_uri": None} | more)


def row(number: int, at: datetime, **more: Any) -> dict[str, Any]:
    moment = f"{at:%a, %d %b %Y %H:%M:%S} +0000"
    common = {"sid": f"SM{number}", "from": POOL[0], "to": POOL[1], "body": str(number), "direction": "inbound"}
    return common | {"status": "received", "date_sent": moment} | more


async def test_a_message_may_turn_up_late_and_odd_rows_do_no_harm(wire: HttpWire, provider: HttpProvider) -> None:
    settings = {"messaging_service_sid": "", "from_number": POOL[1], "listen": "yes", **provider.settings()}
    stream = TABLE.open(wire, **settings).listen()
    odd = [
        row(1, NOW, date_sent="soon"),
        row(1, NOW, date_sent=None),
        row(1, NOW, direction="outbound-api"),
        row(1, NOW, status="receiving"),
        row(1, NOW, **{"from": None}),
        row(1, NOW, sid=None),
    ]
    provider.script(listed(*odd, row(2, NOW, body=None)))
    assert [(event.event_id, event.text) for event in await look(stream)] == [("SM2", "")]
    provider.script(
        listed(row(2, NOW), row(3, NOW - timedelta(seconds=119)), row(4, NOW - timedelta(seconds=121), body="missed")),
        Reply(200, []),
    )
    assert [event.event_id for event in await look(stream)] == ["SM3"]
    assert await look(stream) == []
    lines = [request.line.split(" ")[1] for request in provider.requests]
    assert lines[0] == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=%2B12025550102&PageSize=100"
    assert lines[1] == f"{lines[0]}&DateSent%3E=2026-11-21"


async def test_the_next_page_is_only_asked_for_where_our_credentials_belong(
    wire: HttpWire, provider: HttpProvider
) -> None:
    settings = {"messaging_service_sid": "", "from_number": POOL[1], "listen": "yes", **provider.settings()}
    stream = TABLE.open(wire, **settings).listen()
    provider.script(listed(row(1, NOW), next_page_uri="https://evil.example.org/page?Page=1"), listed())
    assert [event.event_id for event in await look(stream)] == ["SM1"]
    assert provider.requests[1].line == "GET /page?Page=1 HTTP/1.1"


async def test_trouble_while_listening_is_named(wire: HttpWire, provider: HttpProvider) -> None:
    settings = {"messaging_service_sid": "", "from_number": POOL[1], "listen": "yes", **provider.settings()}
    channel = TABLE.open(wire, **settings)
    provider.script(error(401, 20003), Reply(503))
    with pytest.raises(Refused) as caught:
        await anext(channel.listen())
    assert caught.value.failure is FailureClass.SENDER_CONFIG
    with pytest.raises(OutcomeUnknown):
        await anext(channel.listen())
    provider.script(Reply(200, {"phone_numbers": [{"phone_number": "12345"}], "meta": {"key": "phone_numbers"}}))
    channel = TABLE.open(wire, listen="yes", **provider.settings())
    with pytest.raises(Refused, match="no number to listen on"):
        await anext(channel.listen())


@pytest.mark.parametrize(
    ("settings", "called_back"),
    [
        ({}, True),
        ({"listen": "yes"}, True),
        ({"webhook_url": "http://127.0.0.1:8080/hooks/sms"}, True),
        ({"webhook_url": "http://127.0.0.1:8080/hooks/sms", "listen": "Yes"}, False),
    ],
)
async def test_who_listens_without_a_public_address_wants_no_callback(
    wire: HttpWire, provider: HttpProvider, settings: dict[str, str], called_back: bool
) -> None:
    provider.script(CREATED)
    channel = TABLE.open(wire, **provider.settings(), **settings)
    await channel.send(TABLE.message())
    form = parse_qs(provider.requests[0].body.decode())
    assert form.get("StatusCallback") == (
        [f"{settings.get('webhook_url', WEBHOOK_URL)}?d={DELIVERY}"] if called_back else None
    )
    assert (isinstance(channel, Listening) and channel.listens) == ("listen" in settings)


async def test_the_check_reads_the_account_as_its_owner_and_the_webhooks_of_a_pool(
    wire: HttpWire, provider: HttpProvider
) -> None:
    def number(name: str, url: str, **more: str) -> Reply:
        return Reply(200, {"incoming_phone_numbers": [{"phone_number": name, "sms_url": url} | more]})

    pool = {"messaging_service_sid": "", "from_number": f"{POOL[0]},{POOL[1]},OurUnion,{POOL[2]}"}
    provider.script(
        ACTIVE,
        number(POOL[0], f"{WEBHOOK_URL}#rc=5&rp=all", sms_method="POST"),
        number(POOL[1], "https://elsewhere.example.org/"),
        Reply(200, {"incoming_phone_numbers": []}),
        number(POOL[2], "", sms_application_sid="AP1"),
    )
    channel = TABLE.open(wire, **provider.settings(), **pool, api_key_sid="SK1", api_key_secret=KEY_SECRET)
    sentence = f"Twilio brings what is written to {POOL[1]} to https://elsewhere.example.org/, not to {WEBHOOK_URL}"
    assert await channel.check(NOW) == Health(
        who="Example Union", webhook="https://elsewhere.example.org/", mend=(sentence,)
    )
    keys = [request.headers["authorization"] for request in provider.requests]
    assert keys == [basic(ACCOUNT, "hush-twilio-auth-token")] + [basic("SK1", KEY_SECRET)] * 4
    assert provider.requests[1].line.endswith("/IncomingPhoneNumbers.json?PhoneNumber=%2B12025550101 HTTP/1.1")


@pytest.mark.parametrize(("url", "to_mend"), [("", 0), (WEBHOOK_URL, 0), ("https://demo.twilio.com/reply", 1)])
async def test_who_listens_needs_no_webhook_but_wants_no_other(
    wire: HttpWire, provider: HttpProvider, url: str, to_mend: int
) -> None:
    provider.script(ACTIVE, Reply(200, {"inbound_request_url": url}))
    health = await TABLE.open(wire, listen="yes", **provider.settings()).check(NOW)
    assert (health.webhook, len(health.mend)) == (url, to_mend)


@pytest.mark.parametrize(
    ("api", "messaging"),
    [
        ("https://api.twilio.com/", "https://messaging.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://messaging.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:8025", "http://127.0.0.1:8025"),
    ],
)
def test_the_messaging_services_are_on_a_host_of_their_own(api: str, messaging: str) -> None:
    settings = {"account_sid": "AC1", "auth_token": "x", "webhook_url": WEBHOOK_URL, "from_number": POOL[0]}
    account = Account({**settings, "api_url": api}, HttpWire(), channel="sms", max_validity=60)
    assert account.messaging == messaging
    assert account.url == f"{api.rstrip('/')}/2010-04-01/Accounts/AC1"
