"""The wire of an installation has a connection for every request that ``channels.toml`` lets be under way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pydantic import SecretStr

from router.app import open_runtime
from router.core import consent
from router.core.channel import OutboundMessage
from router.core.model import Address, ConsentState, DeliveryRef
from router.core.rates import ChannelRules
from router.settings import Settings
from tests.wire.raw import raw, take

AT_ONCE = 130
"""More than the wire had for all channels together when it was told nothing."""
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
CREATED = b'{"sid": "SM5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a", "status": "queued"}'
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CREATED) + CREATED
)


async def test_no_request_waits_for_a_connection_that_the_rules_allow(sqlite_url: str) -> None:
    arrived, all_here = 0, asyncio.Event()

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers nobody before all have asked."""
        nonlocal arrived
        await take(reader)
        arrived += 1
        if arrived == AT_ONCE:
            all_here.set()
        await all_here.wait()
        writer.write(ANSWER)
        await writer.drain()

    async with raw(provider) as port:
        environment = {
            "OUTREACH_SMS_ACCOUNT_SID": "AC" + "5a" * 16,
            "OUTREACH_SMS_AUTH_TOKEN": "a-token-that-opens-nothing",
            "OUTREACH_SMS_FROM_NUMBER": "+12025550100",
            "OUTREACH_SMS_API_URL": f"http://127.0.0.1:{port}",
        }
        settings = Settings(database_url=sqlite_url, secret_key=SecretStr("s" * 40))
        rules = {"sms": ChannelRules(rate=0, concurrency=AT_ONCE)}
        async with open_runtime(settings, environment=environment, rules=rules) as runtime:
            channel = runtime.channels["sms"]["main"]
            sent = await asyncio.gather(*(channel.send(_message(number)) for number in range(AT_ONCE)))
    assert len(sent) == AT_ONCE == arrived


def _message(number: int) -> OutboundMessage:
    phone = f"+1202555{100 + number % 100:04}"
    address = Address(id=number, channel="sms", value=phone, hash=str(number), consent=ConsentState.GRANTED)
    allow = consent.check(address)
    assert isinstance(allow, consent.Allow)
    return OutboundMessage(allow=allow, delivery=DeliveryRef(202611, number), text="Come on Saturday!", now=NOW)
