"""The sandbox's mail server and signed mail events, with aiosmtplib as client."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64decode
from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.sandbox import Sandbox
from channels.sandbox.sendgrid import SIGNATURE, TIMESTAMP
from tests.channels.sandbox_client import QUICK
from tests.channels.sandbox_hooks import Call, Hooks

MAILBOX = "amal@example.org"


@pytest.fixture
async def sandbox(hooks: Hooks) -> AsyncIterator[Sandbox]:
    async with Sandbox(knobs=QUICK, webhooks={"email": f"{hooks.url}/hooks/email"}) as sandbox:
        yield sandbox


@pytest.fixture
async def smtp(sandbox: Sandbox) -> AsyncIterator[aiosmtplib.SMTP]:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.smtp_port, timeout=5, start_tls=False)
    await client.connect()
    yield client
    client.close()


def mail(to: str = MAILBOX, delivery: str = "202611-17", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "hello@example.org"
    message["To"] = to
    message["Subject"] = "Am Samstag: Straße"
    message["Message-ID"] = f"<{delivery}@mail.example.org>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(".one dot\nGrüße")
    return message


def events(calls: list[Call]) -> list[dict[str, Any]]:
    return [event for call in calls for event in json.loads(call.body)]


async def test_mail_is_remembered_and_its_events_are_signed(
    sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP
) -> None:
    message = mail()
    await smtp.send_message(message)
    await smtp.send_message(message)
    await sandbox.idle()
    first, second = sandbox.memory.accepted
    assert (first.provider, first.to, first.delivery) == ("smtp", MAILBOX, "202611-17")
    assert first[:4] == second[:4]
    assert first.sid != second.sid, "the same mail twice is two mails"
    assert "Message-ID: <202611-17@mail.example.org>" in first.text
    for row in (first, second):
        of_it = [event["event"] for event in events(hooks.calls) if event["sg_message_id"] == row.sid]
        assert of_it == ["processed", "delivered"]
    for event in events(hooks.calls):
        assert event["email"] == MAILBOX
        assert event["smtp-id"] == "<202611-17@mail.example.org>"
        assert event["delivery"] == "202611-17"
        assert event["timestamp"] > 0
    assert len({event["sg_event_id"] for event in events(hooks.calls)}) == 4
    key = load_der_public_key(b64decode(sandbox.sendgrid_public_key))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    call = hooks.calls[0]
    signature = b64decode(call.headers[SIGNATURE])
    key.verify(signature, call.headers[TIMESTAMP].encode() + call.body, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(signature, call.headers[TIMESTAMP].encode() + call.body + b" ", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("header", "delivery"),
    [
        ('{"unique_args": {"delivery": "202611-99", "x": "y"}}', "202611-99"),
        ('{"unique_args": 3}', "202611-17"),
        ("{broken", "202611-17"),
    ],
)
async def test_x_smtpapi_names_the_delivery(
    sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP, header: str, delivery: str
) -> None:
    await smtp.send_message(mail(X_SMTPAPI=header))
    await sandbox.idle()
    assert sandbox.memory.accepted[0].delivery == delivery
    assert {event["delivery"] for event in events(hooks.calls)} == {delivery}


@pytest.mark.parametrize("code", [550, 452, 554, 421])
async def test_mailboxes_are_refused(sandbox: Sandbox, smtp: aiosmtplib.SMTP, code: int) -> None:
    sandbox.turn(refuse={MAILBOX: code})
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await smtp.send_message(mail())
    assert [error.code for error in refused.value.recipients] == [code]
    if code != 421:
        await smtp.send_message(mail(to="other@example.org"))
    assert sandbox.memory.counters[f"refused_{code}"] == 1
    sandbox.turn(refuse={}, reject_rate=1, reject_codes=[552])
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.smtp_port, timeout=5, start_tls=False) as client:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await client.send_message(mail())
    assert sandbox.memory.counters["refused_552"] == 1


async def test_421_closes_the_connection_after_its_answer(sandbox: Sandbox) -> None:
    sandbox.turn(refuse={MAILBOX: 421})
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.smtp_port)
    for line in (b"HELO x", b"MAIL FROM:<a@example.org>", f"RCPT TO:<{MAILBOX}>".encode()):
        await reader.readline()
        writer.write(line + b"\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.splitlines()[-1].startswith(b"421 ")
    writer.close()


@pytest.mark.parametrize(("knob", "code"), [("error_rate", 451), ("throttle_rate", 450)])
async def test_refused_before_acceptance(sandbox: Sandbox, smtp: aiosmtplib.SMTP, knob: str, code: int) -> None:
    sandbox.turn(**{knob: 1})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await smtp.send_message(mail())
    assert refused.value.code == code
    assert len(sandbox.memory.accepted) == 0


async def test_timeout_and_drop_after_accept(sandbox: Sandbox, smtp: aiosmtplib.SMTP) -> None:
    sandbox.turn(timeout_after_accept=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(smtp.send_message(mail()), 0.3)
    assert len(sandbox.memory.accepted) == 1
    sandbox.turn(timeout_after_accept=0, drop_after_accept=1, latency=0.05)
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.smtp_port, timeout=5, start_tls=False) as client:
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await client.send_message(mail())
    assert len(sandbox.memory.accepted) == 2


async def test_bounces(sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP) -> None:
    sandbox.turn(bounce_rate=1)
    await smtp.send_message(mail())
    sandbox.turn(bounce_rate=0, fail={MAILBOX: 552})
    await smtp.send_message(mail())
    await sandbox.idle()
    bounces = [event for event in events(hooks.calls) if event["event"] == "bounce"]
    assert [(event["type"], event["status"]) for event in bounces] == [("bounce", "5.1.1"), ("blocked", "5.2.2")]
    assert all(event["reason"] for event in bounces)
    assert not any(event["event"] == "delivered" for event in events(hooks.calls))


async def test_duplicate_events_are_the_same_event(sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP) -> None:
    sandbox.turn(duplicate_receipts=1, out_of_order=1)
    await smtp.send_message(mail())
    await sandbox.idle()
    got = events(hooks.calls)
    assert [event["event"] for event in got] == ["delivered", "delivered", "processed", "processed"]
    assert got[0] == got[1]


async def test_events_are_repeated_until_taken(sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP) -> None:
    hooks.statuses = [503, 200]
    await smtp.send_message(mail())
    await sandbox.idle()
    assert [event["event"] for event in events(hooks.calls)] == ["processed", "processed", "delivered"]


async def test_complaints_and_one_click(sandbox: Sandbox, hooks: Hooks, smtp: aiosmtplib.SMTP) -> None:
    sandbox.turn(p_complain=1, no_receipts=1)
    await smtp.send_message(mail())
    await sandbox.idle()
    assert [event["event"] for event in events(hooks.calls)] == ["spamreport"]
    sandbox.turn(p_complain=0, p_unsubscribe=1)
    hooks.calls.clear()
    long = f"{hooks.url}/u/{'t' * 90}?x=a%20b"
    one_click = {"List_Unsubscribe": f"<mailto:u@example.org>, <{long}>"}
    await smtp.send_message(mail(**one_click))
    await sandbox.idle()
    assert hooks.calls == [], "without List-Unsubscribe-Post there is no button"
    await smtp.send_message(mail(**one_click, List_Unsubscribe_Post="List-Unsubscribe=One-Click"))
    await sandbox.idle()
    (call,) = hooks.calls
    assert call.url == long
    assert call.form == {"List-Unsubscribe": "One-Click"}
    assert "Cookie" not in call.headers


async def test_one_mail_to_two_mailboxes_is_two_messages(sandbox: Sandbox, smtp: aiosmtplib.SMTP) -> None:
    await smtp.send_message(mail(), recipients=[MAILBOX, "b@example.org"])
    assert [row.to for row in sandbox.memory.accepted] == [MAILBOX, "b@example.org"]


async def test_no_mailbox_in_the_log(sandbox: Sandbox, smtp: aiosmtplib.SMTP, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await smtp.send_message(mail())
    assert MAILBOX not in caplog.text


@pytest.mark.parametrize("address", ["a.b+c=d@example.org", '"odd one"@example.org', "jürgen@bücher.example.org"])
async def test_addresses_of_every_shape(sandbox: Sandbox, smtp: aiosmtplib.SMTP, address: str) -> None:
    await smtp.ehlo()
    options = [] if address.isascii() else ["SMTPUTF8"]
    await smtp.mail("hello@example.org", options=options, encoding="utf-8")
    await smtp.rcpt(address, encoding="utf-8")
    await smtp.data(b"Subject: x\r\n\r\ny\r\n")
    assert sandbox.memory.accepted[0].to == address
    assert sandbox.memory.accepted[0].delivery == ""


async def test_the_providers_live_by_the_clock_they_are_given(hooks: Hooks) -> None:
    async with Sandbox(knobs=QUICK, webhooks={"email": hooks.url}, clock=lambda: 1_000_000_000.5) as sandbox:
        await aiosmtplib.send(mail(), hostname="127.0.0.1", port=sandbox.smtp_port, start_tls=False)
        await sandbox.idle()
        assert {event["timestamp"] for event in events(hooks.calls)} == {1_000_000_000}
        assert hooks.calls[0].headers[TIMESTAMP] == "1000000000"
        assert sandbox.memory.accepted[0].at == 1_000_000_000.5
