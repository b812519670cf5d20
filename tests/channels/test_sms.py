"""What the contract tables do not say of the sms channel."""

from __future__ import annotations

import dataclasses
from collections import Counter
from urllib.parse import parse_qs

import pytest

from channels.sms import CODES, SmsChannel
from router.core.channel import HttpReply
from router.core.errors import BadInput, BadWebhook
from router.wire import HttpWire
from tests.channels.contract.http_provider import HttpProvider
from tests.channels.contract.sms import ACCOUNT, CREATED, TABLE, sign
from tests.channels.contract.table import NOW, WEBHOOK_URL

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
