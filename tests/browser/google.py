"""What Chromium needs of Google to get push messages, on loopback: check-in, registration, and the line they come by.

https://chromium.googlesource.com/chromium/src/+/main/google_apis/gcm/ (protocol/checkin.proto, protocol/mcs.proto)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

MCS_VERSION = 41
LOGIN_REQUEST, LOGIN_RESPONSE, DATA_MESSAGE = 2, 3, 8


class Registration(NamedTuple):
    """One page that subscribed."""

    token: str
    category: str
    subtype: str
    sender: str


class Google:
    """The three services. `flags` are what Chromium must be started with to use them."""

    def __init__(self) -> None:
        self.registrations: dict[str, Registration] = {}
        self.checkins = 0
        self._line: asyncio.StreamWriter | None = None
        self._logged_in = asyncio.Event()
        self._sent = 0

    async def __aenter__(self) -> Google:
        app = web.Application()
        app.router.add_route("*", "/checkin", self._checkin)
        app.router.add_route("*", "/register", self._register)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        context, spki = _certificate()
        self._mcs = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.flags = [
            f"--gcm-checkin-url={url}/checkin",
            f"--gcm-registration-url={url}/register",
            f"--gcm-mcs-endpoint=https://127.0.0.1:{self._mcs.sockets[0].getsockname()[1]}",
            f"--ignore-certificate-errors-spki-list={spki}",
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._mcs.close()
        if self._line is not None:
            self._line.transport.abort()
        await self._runner.cleanup()
        await asyncio.sleep(0.05)  # in which the sockets close

    async def push(self, token: str, body: bytes) -> None:
        """Hand an encrypted message to the browser that was given this token, as Google's service would."""
        to = self.registrations[token]
        self._sent += 1
        stanza = b"".join(
            [
                _bytes(2, f"m{self._sent}".encode()),
                _bytes(3, to.sender.encode()),
                _bytes(5, to.category.encode()),
                _app_data("subtype", to.subtype),
                _app_data("content-encoding", "aes128gcm"),
                _bytes(9, f"0:{self._sent}".encode()),
                _bytes(21, body),
            ]
        )
        async with asyncio.timeout(15):
            await self._logged_in.wait()
        assert self._line is not None
        self._line.write(bytes([DATA_MESSAGE]) + _varint(len(stanza)) + stanza)

    async def _checkin(self, request: web.Request) -> web.Response:
        """AndroidCheckinResponse: stats_ok, android_id, security_token."""
        self.checkins += 1
        body = _varint(1 << 3) + b"\x01" + _fixed64(7, 4_711) + _fixed64(8, 815)
        return web.Response(body=body, content_type="application/x-protobuf")

    async def _register(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = f"loopback-{len(self.registrations)}"
        self.registrations[token] = Registration(
            token, str(form["app"]), str(form.get("X-subtype", "")), str(form["sender"])
        )
        return web.Response(text=f"token={token}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The line to one browser. Chromium drops its first one and comes again, so the latest counts."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            assert await reader.readexactly(1) == bytes([MCS_VERSION])
            while True:
                tag = (await reader.readexactly(1))[0]
                await reader.readexactly(await _read_varint(reader))
                if tag == LOGIN_REQUEST:
                    response = _bytes(1, b"chrome-loopback")
                    writer.write(bytes([MCS_VERSION, LOGIN_RESPONSE]) + _varint(len(response)) + response)
                    self._line = writer
                    self._logged_in.set()
        if self._line is writer:
            self._logged_in.clear()
        writer.close()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


async def _read_varint(reader: asyncio.StreamReader) -> int:
    number = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number


def _fixed64(field: int, number: int) -> bytes:
    return _varint(field << 3 | 1) + number.to_bytes(8, "little")


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _app_data(key: str, value: str) -> bytes:
    return _bytes(7, _bytes(1, key.encode()) + _bytes(2, value.encode()))


def _certificate() -> tuple[ssl.SSLContext, str]:
    """A certificate of our own for 127.0.0.1, and the sum of its key by which Chromium is told to bear it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loopback.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return context, base64.b64encode(hashlib.sha256(public).digest()).decode()
