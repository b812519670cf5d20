"""The email channel's connections, signatures and webhook rules, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from channels.email import smtp
from channels.email.codes import Stage, classify
from router.core.errors import BadInput, BadWebhook, FailureClass, NotSent, OutcomeUnknown, Refused
from router.wire import HttpWire
from tests.channels.contract.email import TABLE, public_key, sign
from tests.channels.contract.smtp_provider import CUT, HANG, Say, SmtpProvider
from tests.channels.contract.table import NOW, WEBHOOK_URL


@pytest.fixture(params=["one by one", "in one go", "in one go, lenient"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[SmtpProvider]:
    server = SmtpProvider(pipelining="in one go" in request.param, lenient="lenient" in request.param)
    await server.start()
    yield server
    await server.stop()
    assert server.leftovers() == []


def open_channel(server: SmtpProvider, **settings: str) -> Any:
    return TABLE.open(HttpWire(), **(server.settings() | settings))


async def test_messages_share_a_few_kept_connections(server: SmtpProvider) -> None:
    channel = open_channel(server, connections="2")
    await asyncio.gather(*(channel.send(TABLE.message(text=str(number))) for number in range(20)))
    assert len(server.mails) == 20
    assert server.connections == 2
    assert len(server.logins) == 2
    await channel.send(TABLE.message())
    assert server.connections == 2
    await channel.aclose()
    assert [line for line in server.lines if line == "QUIT"] == ["QUIT", "QUIT"]


async def test_a_dropped_connection_is_replaced(server: SmtpProvider) -> None:
    channel = open_channel(server)
    await channel.send(TABLE.message())
    server.drop_connections()
    await asyncio.sleep(0.05)
    await channel.send(TABLE.message())
    assert (server.connections, len(server.mails)) == (2, 2)
    await channel.aclose()


@pytest.mark.parametrize("answer", ["421 4.4.2 you rested too long", CUT])
async def test_a_kept_connection_that_ends_at_the_next_message_is_replaced(server: SmtpProvider, answer: str) -> None:
    channel = open_channel(server)
    await channel.send(TABLE.message())
    server.script(Say("MAIL", answer))
    await channel.send(TABLE.message())
    assert (server.connections, len(server.mails)) == (2, 2)
    await channel.aclose()


async def test_a_connection_that_rested_too_long_is_not_trusted(
    server: SmtpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "IDLE_SECONDS", 0.0)
    channel = open_channel(server)
    await channel.send(TABLE.message())
    await channel.send(TABLE.message())
    assert server.connections == 2
    await channel.aclose()


async def test_a_refused_recipient_does_not_cost_the_connection(server: SmtpProvider) -> None:
    channel = open_channel(server)
    server.script(Say("RCPT", "550 5.1.1 unknown"))
    with pytest.raises(Refused):
        await channel.send(TABLE.message())
    await channel.send(TABLE.message())
    assert (server.connections, len(server.mails)) == (1, 1)
    await channel.aclose()


async def test_a_connection_on_which_an_answer_is_due_is_not_used_again(
    server: SmtpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "SEND_SECONDS", 0.3)
    channel = open_channel(server)
    server.script(Say("BODY", HANG))
    with pytest.raises(OutcomeUnknown):
        await channel.send(TABLE.message())
    server.script(Say("BODY", HANG))
    task = asyncio.create_task(channel.send(TABLE.message()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await channel.send(TABLE.message())
    assert (server.connections, len(server.mails)) == (3, 1)
    await channel.aclose()


async def test_waiting_for_a_free_connection_is_not_sent(server: SmtpProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SEND_SECONDS", 0.3)
    channel = open_channel(server, connections="1")
    server.script(Say("BODY", HANG))
    first = asyncio.create_task(channel.send(TABLE.message()))
    await asyncio.sleep(0.05)
    monkeypatch.setattr(smtp, "SEND_SECONDS", 0.1)
    with pytest.raises(NotSent):
        await channel.send(TABLE.message())
    with pytest.raises(OutcomeUnknown):
        await first
    await channel.aclose()


async def test_a_mailbox_beyond_ascii_needs_smtputf8(server: SmtpProvider) -> None:
    table = dataclasses.replace(TABLE, to="用户@example.net")
    channel = open_channel(server)
    await channel.send(table.message())
    assert "MAIL FROM:<news@example.org> SMTPUTF8 BODY=8BITMIME" in server.lines
    assert server.mails[0].recipient == "用户@example.net"
    assert "To: <用户@example.net>\r\n".encode() in server.mails[0].content
    await channel.aclose()
    server.script(Say("EHLO", "250-mx.example.net\r\n250 AUTH PLAIN"))
    channel = open_channel(server)
    with pytest.raises(Refused) as caught:
        await channel.send(table.message())
    assert caught.value.failure is FailureClass.ADDRESS_DEAD
    await channel.aclose()


# -- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.net")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=3650))
        .not_valid_after(NOW + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


class Mailbox:
    """What the TLS server takes in."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        assert server.transport.get_extra_info("sslcontext") is not None
        self.mails.append(envelope.content)
        return "250 2.0.0 ok"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(data.password)
        return AuthResult(success=True)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_tls_is_used_and_its_certificate_checked(certificate: Path, security: str) -> None:
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate)
    box = Mailbox()
    upgrade = security == "starttls"
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            box,
            hostname="mx.example.net",
            tls_context=ours if upgrade else None,
            require_starttls=upgrade,
            authenticator=box.login,
            auth_require_tls=upgrade,
        ),
        "127.0.0.1",
        ssl=None if upgrade else ours,
    )
    port = server.sockets[0].getsockname()[1]
    trust = ssl.create_default_context(cafile=str(certificate))

    def pool(tls: ssl.SSLContext | None) -> smtp.Pool:
        return smtp.Pool(
            host="127.0.0.1",
            port=port,
            security=security,
            username="mailer",
            password="hush",
            size=1,
            local_name="example.org",
            tls=tls,
        )

    trusting, wary = pool(trust), pool(None)
    await trusting.deliver("news@example.org", "ada@example.net", b"Subject: x\r\n\r\nx\r\n")
    await trusting.aclose()
    assert (box.mails, box.logins) == ([b"Subject: x\r\n\r\nx\r\n"], [b"hush"])
    with pytest.raises(NotSent) as caught:
        await wary.deliver("news@example.org", "ada@example.net", b"Subject: x\r\n\r\nx\r\n")
    assert caught.value.code == "connect"
    assert (len(box.mails), len(box.logins)) == (1, 1)
    server.close()


async def test_a_server_without_starttls_gets_neither_password_nor_message(server: SmtpProvider) -> None:
    channel = open_channel(server, security="starttls")
    with pytest.raises(Refused) as caught:
        await channel.send(TABLE.message())
    assert caught.value.failure is FailureClass.SENDER_CONFIG
    assert (server.logins, server.mails) == ([], [])
    await channel.aclose()


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("security", "ssl"),
        ("port", "0"),
        ("port", "smtp"),
        ("connections", "1000"),
        ("from_address", "news"),
        ("from_address", "a@b\r\nBcc: x@example.net"),
        ("reply_to", "nobody"),
        ("dkim_key", "nonsense"),
        ("webhook_public_key", "nonsense"),
        ("webhook_public_key", "AAAA"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"OUTREACH_EMAIL_{setting.upper()}") as caught:
        TABLE.open(HttpWire(), **({"host": "127.0.0.1", "dkim_selector": "s1"} | {setting: value}))
    assert "nonsense" not in str(caught.value)


# -- DKIM -----------------------------------------------------------------------------------------------------------

DKIM_KEY = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("html", ["", "<p>Olá  two  spaces</p>\n\n"])
async def test_dkimpy_finds_the_signature_good_as_received(server: SmtpProvider, html: str) -> None:
    pem = DKIM_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = DKIM_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def lookup(name: bytes, timeout: float = 5) -> bytes:
        assert name == b"s1._domainkey.example.org."
        return record

    channel = open_channel(
        server, dkim_key=pem.replace("\n", "\\n"), dkim_selector="s1", reply_to="office@example.org", from_name="Zoë"
    )
    await channel.send(
        TABLE.message(
            subject="Ein  sehr langer Betreff, gefaltet: " + "ü" * 80,
            text="Hello\n.\n.dot\n\n\n",
            html=html,
            unsubscribe_url="https://router.example.org/u/t0ken",
        )
    )
    await channel.aclose()
    content = server.mails[0].content
    assert dkim.verify(content, dnsfunc=lookup)
    fields = BytesParser(policy=policy.compat32).parsebytes(content)["DKIM-Signature"]
    assert f"t={int(NOW.timestamp())}" in fields
    signed = fields.partition("h=")[2].partition(";")[0].split(":")
    assert {"list-unsubscribe", "list-unsubscribe-post", "from", "subject", "message-id", "reply-to"} <= set(signed)
    for damage in (
        (b"Precedence: bulk", b"From: evil@example.com\r\nPrecedence: bulk"),
        (b"/u/t0ken", b"/u/other"),
        (b"One-Click", b"Two-Click"),
        (b".dot", b".d0t"),
    ):
        assert damage[0] in content
        assert not dkim.verify(content.replace(*damage), dnsfunc=lookup)


# -- webhooks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (299, True), (301, False), (-299, True), (-301, False)])
def test_a_recorded_webhook_is_refused_after_five_minutes(seconds: int, good: bool) -> None:
    channel = TABLE.open(HttpWire(), host="127.0.0.1")
    request = dataclasses.replace(sign(WEBHOOK_URL, b"[]", NOW), received_at=NOW + timedelta(seconds=seconds))
    if good:
        channel.verify(request)
    else:
        with pytest.raises(BadWebhook):
            channel.verify(request)


def test_without_a_key_no_webhook_is_believed() -> None:
    channel = TABLE.open(HttpWire(), host="127.0.0.1", webhook_public_key="")
    with pytest.raises(BadWebhook):
        channel.verify(sign(WEBHOOK_URL, b"[]", NOW))
    assert public_key() == TABLE.settings["webhook_public_key"]


def read(*items: Any) -> Any:
    channel = TABLE.open(HttpWire(), host="127.0.0.1")
    return channel.receive(sign(WEBHOOK_URL, json.dumps(items).encode(), NOW)).events


def test_an_event_without_a_name_gets_a_stable_one() -> None:
    item = {"event": "delivered", "email": "ada@example.net", "delivery": "202611-17", "timestamp": 1795262300}
    [first], [again], [other] = read(item), read(dict(reversed(item.items()))), read(item | {"timestamp": 1795262301})
    assert first.event_id == again.event_id != other.event_id


@pytest.mark.parametrize("stamp", [None, "soon", True, -1, 1e400, 10**30, 1795262401, 1795262400.5])
def test_a_time_that_is_none_or_lies_ahead_becomes_the_time_of_arrival(stamp: Any) -> None:
    [event] = read({"event": "delivered", "delivery": "202611-17", "sg_event_id": "e", "timestamp": stamp})
    assert event.at == NOW


def test_an_event_that_names_no_message_of_ours_is_left_out() -> None:
    assert read({"event": "delivered", "sg_event_id": "e"}, {"event": "spamreport", "email": " "}, 7, None) == ()


@pytest.mark.parametrize(
    ("code", "text", "stage", "failure"),
    [
        (550, "5.1.2 no such domain", Stage.RCPT, FailureClass.ADDRESS_DEAD),
        (550, "5.1.3 bad syntax", Stage.RCPT, FailureClass.ADDRESS_DEAD),
        (553, "5.1.8 bad sender domain", Stage.MAIL, FailureClass.SENDER_CONFIG),
        (550, "5.7.1 relaying denied", Stage.DATA, FailureClass.SENDER_CONFIG),
        (0, "5.7.1 spam", Stage.BOUNCE, FailureClass.CONTENT),
        (0, "5.7.1 SPF failed", Stage.BOUNCE, FailureClass.SENDER_CONFIG),
        (0, "4.4.7 expired", Stage.BOUNCE, FailureClass.RECIPIENT_TRANSIENT),
        (0, "nothing to go by", Stage.BOUNCE, FailureClass.UNKNOWN),
        (452, "4.3.1 no space", Stage.MAIL, FailureClass.RATE),
        (421, "", Stage.DATA, FailureClass.RATE),
        (554, "version 15.1.10 of our server", Stage.RCPT, FailureClass.UNKNOWN),
    ],
)
def test_codes_mean(code: int, text: str, stage: Stage, failure: FailureClass) -> None:
    assert classify(code, text, stage) is failure
