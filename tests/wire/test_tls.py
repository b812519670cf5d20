"""TLS with real certificates: whom the wire believes, and what an interrupted line means."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from router.core.errors import NotSent, OutcomeUnknown
from router.wire import HttpWire
from tests.wire.raw import BODIES, OK, failure, moments, open_sockets, raw, say, settled, take

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates (RFC 5280, with all that Python 3.13's strict checks want); who trusts it believes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = dict.fromkeys(inspect.signature(x509.KeyUsage).parameters, False)
        made = self._sign(
            "Test authority",
            self._key,
            NOW + DAY,
            x509.BasicConstraints(ca=True, path_length=0),
            x509.KeyUsage(**(usage | {"key_cert_sign": True})),
            x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()),
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(made)

    def serving(self, name: str = "localhost", until: datetime.datetime = NOW + DAY) -> ssl.SSLContext:
        """A server's side of TLS with a certificate for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._folder / "server.pem"
        path.write_bytes(
            self._sign(name, key, until, x509.SubjectAlternativeName([x509.DNSName(name)]))
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, until: datetime.datetime, *about: x509.ExtensionType
    ) -> bytes:
        issuer, subject = (
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in ("Test authority", name)
        )
        number = x509.random_serial_number()
        made = x509.CertificateBuilder(issuer, subject, key.public_key(), number, NOW - 3 * DAY, until)
        for extension in (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), *about):
            made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while request := await take(reader):
        writer.write(OK + request[-2:])


async def test_a_trusted_server_is_believed(authority: Authority, wire: HttpWire) -> None:
    asked_for = []
    context = authority.serving()
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda line, name, _context: asked_for.append(name)
    spoken = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.add(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await echo(reader, writer)

    async with raw(serve, ssl=context) as port:
        for body in BODIES[:3]:
            assert (await say(wire, port, body, base="https://localhost")).body == body
        assert (await say(wire, port, b"x" * 3_000_000 + b"ab", base="https://localhost", timeout=5.0)).body == b"ab"
    assert (asked_for, spoken) == (["localhost"], {"http/1.1"})


@pytest.mark.parametrize(
    "serving",
    [
        lambda authority, _: authority.serving(until=NOW - DAY),
        lambda authority, _: authority.serving("other.example.org"),
        lambda _, folder: Authority(folder).serving(),
    ],
    ids=["expired", "for another name", "from an unknown authority"],
)
async def test_an_untrusted_server_hears_nothing(
    authority: Authority, wire: HttpWire, tmp_path: Path, serving: Callable[[Authority, Path], ssl.SSLContext]
) -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await take(reader))

    folder = tmp_path / "other"
    folder.mkdir()
    async with raw(serve, ssl=serving(authority, folder)) as port:
        before = open_sockets()
        error = await failure(say(wire, port, base="https://localhost"))
        assert (type(error), error.code) == (NotSent, "connect")
        await settled(before)
    assert not any(heard)


async def test_a_name_is_not_its_address(authority: Authority, wire: HttpWire) -> None:
    async with raw(echo, ssl=authority.serving()) as port:
        error = await failure(say(wire, port, base="https://127.0.0.1"))
        assert (type(error), error.code) == (NotSent, "connect")


@pytest.mark.parametrize("says", [b"", b"\x16\x03\x03", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
@pytest.mark.parametrize("hangs", [False, True])
async def test_a_handshake_that_comes_to_nothing_is_not_sent(wire: HttpWire, says: bytes, hangs: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        if hangs:
            await reader.read(-1)

    async with raw(serve) as port:
        before = open_sockets()
        error = await failure(say(wire, port, base="https://localhost", timeout=0.4))
        assert (type(error), error.code) == (NotSent, "connect")
        await settled(before)


@pytest.mark.parametrize("moment", [1, 2, 3, 4, 5, 6, 8, 10, 20, 40])
async def test_cancelling_a_handshake_leaves_no_trace(wire: HttpWire, moment: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with raw(serve) as port:
        before = open_sockets()
        tasks = [asyncio.create_task(say(wire, port, base="https://127.0.0.1")) for _ in range(5)]
        await moments(moment)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends)
        await settled(before)


@pytest.mark.parametrize("says_so", [True, False])
async def test_only_a_line_that_is_closed_in_order_ends_an_answer(
    authority: Authority, wire: HttpWire, says_so: bool
) -> None:
    """Whoever sits on the line can cut it, but not send TLS's "close_notify" (RFC 9112, 9.8)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhal")
        await asyncio.sleep(0.02)
        if not says_so:
            writer.transport.abort()

    async with raw(serve, ssl=authority.serving()) as port:
        if says_so:
            assert (await say(wire, port, base="https://localhost")).body == b"hal"
        else:
            error = await failure(say(wire, port, base="https://localhost"))
            assert (type(error), error.code) == (OutcomeUnknown, "connection")
