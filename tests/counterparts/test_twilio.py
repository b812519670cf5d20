"""What our Twilio channels send is what Twilio's own OpenAPI documents describe; what they answer is understood.

Pictures are not tried: Prism takes a list in a form (``MediaUrl``) with a single value for none.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from router.core.channel import Channel, Listening, Received, Template
from router.core.errors import FailureClass, Refused
from tests.channels.contract import sms, whatsapp
from tests.channels.contract.table import ChannelTable
from tests.counterparts.conftest import Observed, Twilio

ACCOUNT = "AC" + "0" * 31 + "1"
SERVICE = "MG" + "0" * 31 + "1"
NUMBER = "+12025550100"
SENT = re.compile(r"[SM]M[0-9a-f]{32}")
SENDERS = pytest.mark.parametrize("sender", [{"messaging_service_sid": SERVICE}, {"from_number": NUMBER}])
TABLES = pytest.mark.parametrize("table", [sms.TABLE, whatsapp.TABLE], ids=lambda table: table.channel.spec.name)


def opened(table: ChannelTable, twilio: Twilio, wire: Observed, **settings: str) -> Channel:
    settings = {"messaging_service_sid": "", "from_number": "", **settings}
    return table.open(wire, account_sid=ACCOUNT, api_url=twilio.url, **settings)


def assert_documented(twilio: Twilio, wire: Observed) -> None:
    """Prism lets unknown parameters pass, so we look at their names ourselves."""
    assert wire.requests
    for method, path, names in wire.requests:
        assert names <= twilio.parameters(method, _template(twilio, path)), f"{method} {path}"


def _template(twilio: Twilio, path: str) -> str:
    for candidate in twilio.document["paths"]:
        if re.fullmatch(re.sub(r"\\{.+?\\}", "[^/]+", re.escape(candidate)), path):
            return str(candidate)
    raise AssertionError(f"Twilio has no {path}")


@SENDERS
async def test_a_text_is_accepted(twilio: Twilio, wire: Observed, sender: dict[str, str]) -> None:
    channel = opened(sms.TABLE, twilio, wire, **sender)
    sent = await channel.send(sms.TABLE.message(text="½ price + tea & cake = 100%? 🎉\nÇa va", valid_seconds=300))
    assert SENT.fullmatch(sent.provider_id)
    assert_documented(twilio, wire)


@SENDERS
@pytest.mark.parametrize(
    "message",
    [
        {"in_window": True},
        {"template": Template(id="HX" + "0" * 32, variables={"1": "Ana", "2": "Saturday"}), "is_ask": False},
    ],
    ids=["free words", "template"],
)
async def test_a_whatsapp_message_is_accepted(
    twilio: Twilio, wire: Observed, sender: dict[str, str], message: dict[str, object]
) -> None:
    channel = opened(whatsapp.TABLE, twilio, wire, **sender)
    assert SENT.fullmatch((await channel.send(whatsapp.TABLE.message(**message))).provider_id)
    assert_documented(twilio, wire)


@SENDERS
@TABLES
async def test_the_account_and_its_webhook_are_asked_for(
    twilio: Twilio, wire: Observed, table: ChannelTable, sender: dict[str, str]
) -> None:
    health = await opened(table, twilio, wire, **sender).check(datetime.now(UTC))
    assert health.who
    assert not [sentence for sentence in health.mend if "did not tell" in sentence], health
    assert len(wire.requests) > 1
    assert_documented(twilio, wire)


@SENDERS
@TABLES
async def test_incoming_messages_are_fetched(
    twilio: Twilio, wire: Observed, table: ChannelTable, sender: dict[str, str]
) -> None:
    channel = opened(table, twilio, wire, **sender, listen="yes")
    assert isinstance(channel, Listening)
    received = [one async for one in _some(channel, looks=2)]
    assert [one.rest > 0 for one in received].count(True) == 2
    assert {event.text for one in received for event in one.events} == {"look mom I have media!"}
    assert any("DateSent>" in names for _, _, names in wire.requests), "the second look begins where the first ended"
    assert_documented(twilio, wire)


async def _some(channel: Listening, *, looks: int) -> AsyncIterator[Received]:
    async for received in channel.listen():
        yield received
        looks -= received.rest > 0
        if not looks:
            return


@TABLES
async def test_what_twilio_does_not_allow_would_be_noticed(twilio: Twilio, wire: Observed, table: ChannelTable) -> None:
    channel = opened(table, twilio, wire, messaging_service_sid="MG-too-short")
    with pytest.raises(Refused) as refused:
        await channel.send(table.message(in_window=True))
    assert refused.value.failure is FailureClass.UNKNOWN
    assert refused.value.code == "http 422"
