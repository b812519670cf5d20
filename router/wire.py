"""The owner of outbound HTTP connections: one session for the process, its time limits, its errors.

What a failed request means (DESIGN.md 5):

    NotSent          no connection: name look-up, connect, TLS handshake, or no free connection in time
    OutcomeUnknown   the request may have left: read time-out, cut connection, broken or oversized answer

Errors carry the name of what went wrong and nothing else: no address, header or body, because those hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from router.core.channel import HttpReply
from router.core.errors import FailureClass, NotSent, OutcomeUnknown

MAX_REPLY = 1024 * 1024
"""Bytes of an answer that we are willing to hold. No provider's answer to one send comes near it."""

_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,  # with its kinds for DNS and TLS
    aiohttp.ClientConnectorCertificateError,  # a ClientSSLError in name only
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)


@lru_cache(maxsize=512)
def _url(url: str) -> URL:
    """Parsing costs more than the look-up; channels call few addresses, and have quoted them already."""
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _limits(seconds: float) -> aiohttp.ClientTimeout:
    """`seconds` over everything, at most half of them to get a connection.

    The half makes sure that a connection that never comes ends as `NotSent`, before the limit over everything ends
    it as `OutcomeUnknown`.
    """
    return aiohttp.ClientTimeout(total=seconds, connect=seconds / 2, ceil_threshold=float("inf"))


class HttpWire:
    """`core.channel.Wire` over one aiohttp session. Use it as a context manager, or `aclose` it.

    POST is never re-sent: aiohttp tries a request again on a kept connection that turned out dead only for methods
    in its ``IDEMPOTENT_METHODS`` (``retry_persistent_connection`` in ``aiohttp/client.py``; GET, HEAD, OPTIONS,
    TRACE, PUT, DELETE), and redirects are not followed. A POST whose kept connection was closed by the server may
    or may not have been read by it, so it ends as `OutcomeUnknown`.
    """

    def __init__(self, *, connections: int = 100, keepalive: float = 30.0, dns_seconds: int = 300) -> None:
        self._connections = connections
        self._keepalive = keepalive
        self._dns_seconds = dns_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection. A later request opens a new session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: float = 8.0,
    ) -> HttpReply:
        """Send one request and read the whole answer; see `core.channel.Wire`. `url` is percent-encoded already."""
        session = self._session or self._open()
        try:
            async with session.request(
                method,
                _url(url),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=_limits(timeout),
            ) as response:
                content = await _read(response)
                return HttpReply(
                    status=response.status,
                    body=content,
                    content_type=response.headers.get("Content-Type", ""),
                    headers={name.lower(): value for name, value in response.headers.items()},
                )
        except _BEFORE_SENDING:
            raise NotSent(FailureClass.TRANSPORT, "connect") from None
        except (aiohttp.NonHttpUrlClientError, ValueError):  # aiohttp's InvalidURL is a ValueError
            raise NotSent(FailureClass.SENDER_CONFIG, "request") from None
        except TimeoutError:
            raise OutcomeUnknown("timeout") from None
        except (aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown("connection", type(error).__name__) from None

    def _open(self) -> aiohttp.ClientSession:
        """The session; made on first use, because it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    keepalive_timeout=self._keepalive,
                    ttl_dns_cache=self._dns_seconds,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "outreach-router", "Accept-Encoding": "identity"},
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, up to `MAX_REPLY` bytes after decompression; raises `OutcomeUnknown` where it is longer."""
    length = response.content_length
    if length is not None and length <= MAX_REPLY and "Content-Encoding" not in response.headers:
        return await response.read()
    parts = bytearray()
    async for chunk in response.content.iter_any():
        parts += chunk
        if len(parts) > MAX_REPLY:
            response.close()
            raise OutcomeUnknown("too_long")
    return bytes(parts)
