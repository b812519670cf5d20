"""A few SMTP connections, kept open, each carrying one message at a time.

Before the message's own bytes have left, every failure is `NotSent` or a definite answer; once they have, only the
server's answer counts, and without one the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import aiosmtplib

from channels.email.codes import Stage, classify, enhanced_code
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, Refused, SendError, Throttled

SEND_SECONDS = 8.0
"""Over one whole message, waiting for a free connection included (DESIGN.md 6, rule 8)."""
CONNECT_SECONDS = 4.0
IDLE_SECONDS = 60.0
"""A connection that rested longer is not used again: routers on the way forget such ones without a word."""


class Pool:
    """At most `size` connections to one server. `security` is ``tls``, ``starttls`` or ``plain``.

    `tls` says whom to trust; by default the system's certificate authorities.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        username: str,
        password: str,
        size: int,
        local_name: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._security = security
        self._username = username
        self._password = password
        self._local_name = local_name
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[float, aiosmtplib.SMTP]] = []
        self._tls = tls
        self._closed = False

    async def deliver(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand over one message with CRLF line ends; returns once the server has taken it, or raises a `SendError`."""
        attempt = _Attempt(sender, recipient, message)
        try:
            async with asyncio.timeout(SEND_SECONDS), self._slots:
                await self._deliver(attempt)
        except (TimeoutError, aiosmtplib.SMTPException, OSError) as error:
            raise _no_answer(error, attempt) from None

    async def check(self) -> None:
        """Connect and log in, and keep the connection. Raises as `deliver` does."""
        client = await self._open()
        self._idle.append((asyncio.get_running_loop().time(), client))

    async def aclose(self) -> None:
        """Say goodbye on the connections that rest; those in use end with their message."""
        self._closed = True
        idle, self._idle = self._idle, []
        for _, client in idle:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=1.0)
            client.close()

    async def _deliver(self, attempt: _Attempt) -> None:
        client = self._take()
        fresh = client is None
        clean = False
        try:
            if client is None:
                client = await self._open()
            try:
                await attempt.mail(client)
            except (Throttled, aiosmtplib.SMTPServerDisconnected):
                # A server may end a kept connection between two messages, with 421 or without a word.
                # Nothing of this message was taken, so a new connection starts over.
                if fresh or client.is_connected:
                    raise
                client = await self._open()
                await attempt.mail(client)
            await attempt.rest(client)
            clean = True
        except SendError:
            clean = client is not None and client.is_connected and await _reset(client)
            raise
        finally:
            if client is not None:
                if clean and client.is_connected and not self._closed:
                    self._idle.append((asyncio.get_running_loop().time(), client))
                else:
                    client.close()

    def _take(self) -> aiosmtplib.SMTP | None:
        """The connection that was used last, or None."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, client = self._idle.pop()
            if client.is_connected and now - since < IDLE_SECONDS:
                return client
            client.close()
        return None

    async def _open(self) -> aiosmtplib.SMTP:
        if self._tls is None and self._security != "plain":
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._local_name,
            timeout=CONNECT_SECONDS,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            tls_context=self._tls,
            username=self._username or None,
            password=self._password or None,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise _at_connect(error) from None
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPServerDisconnected, TimeoutError, OSError):
            client.close()
            raise NotSent(FailureClass.TRANSPORT, "connect") from None
        except aiosmtplib.SMTPException:
            # Neither an answer nor a broken line: the server does not offer STARTTLS or a login that we know.
            client.close()
            raise Refused(FailureClass.SENDER_CONFIG, "unsupported", "no STARTTLS or no fitting login") from None
        client.timeout = None  # from here on the limit over the whole message is the one that counts
        return client


class _Attempt:
    """One message on its way. `left` is True once its own bytes may have gone out."""

    def __init__(self, sender: str, recipient: str, message: bytes) -> None:
        self.left = False
        self._sender = sender
        self._recipient = recipient
        self._message = message

    async def mail(self, client: aiosmtplib.SMTP) -> None:
        options: list[bytes] = []
        if not (self._sender.isascii() and self._recipient.isascii()):
            if not client.supports_extension("smtputf8"):
                raise Refused(FailureClass.ADDRESS_DEAD, "5.6.7", "the server takes ASCII addresses only")
            options = [b"SMTPUTF8", b"BODY=8BITMIME"]
        answer = await client.execute_command(b"MAIL", b"FROM:<%b>" % self._sender.encode(), *options)
        _expect(answer, 250, Stage.MAIL)

    async def rest(self, client: aiosmtplib.SMTP) -> None:
        answer = await client.execute_command(b"RCPT", b"TO:<%b>" % self._recipient.encode())
        _expect(answer, 250 if answer.code != 251 else 251, Stage.RCPT)
        _expect(await client.execute_command(b"DATA"), 354, Stage.DATA)
        protocol = client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        # Not aiosmtplib's own data(): that runs three regular expressions over the whole message, and one cannot
        # tell whether its error came before or after the message.
        protocol.write(self._message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self.left = True
        _expect(await protocol.read_response(), 250, Stage.DATA)


async def _reset(client: aiosmtplib.SMTP) -> bool:
    """End the transaction that was refused; False where the connection is of no more use."""
    try:
        await client.rset(timeout=1.0)
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


def _expect(answer: aiosmtplib.SMTPResponse, code: int, stage: Stage) -> None:
    """Raise what an answer other than `code` means."""
    if answer.code == code:
        return
    if not 400 <= answer.code < 600:
        raise aiosmtplib.SMTPResponseException(answer.code, "")
    evidence = enhanced_code(answer.message) or str(answer.code)
    failure = classify(answer.code, answer.message, stage)
    if failure is FailureClass.RATE:
        raise Throttled(evidence)
    raise Refused(failure, evidence)


def _at_connect(error: aiosmtplib.SMTPResponseException) -> SendError:
    """What a refusal of the connection or the login means."""
    evidence = enhanced_code(error.message) or str(error.code)
    if error.code == 421 or evidence.startswith("4.7"):
        return Throttled(evidence)
    if 500 <= error.code < 600:
        return Refused(FailureClass.SENDER_CONFIG, evidence)
    return NotSent(FailureClass.TRANSPORT, evidence)


def _no_answer(error: Exception, attempt: _Attempt) -> SendError:
    """What silence, a cut line or an answer that is none means."""
    code = "timeout" if isinstance(error, TimeoutError) else "connection"
    return OutcomeUnknown(code) if attempt.left else NotSent(FailureClass.TRANSPORT, code)
