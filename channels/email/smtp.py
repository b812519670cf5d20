"""A few SMTP connections, kept open, each carrying one message at a time.

Before the message's own bytes have left, every failure is `NotSent` or a definite answer; once they have, only the
server's answer counts, and without one the outcome is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import cast

import aiosmtplib

from channels.email.codes import Stage, classify, enhanced_code
from channels.email.session import Answer, LineLostError, Session
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
        self._idle: list[tuple[float, Session]] = []
        self._tls = tls
        self._closed = False

    async def deliver(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand over one message with CRLF line ends; returns once the server has taken it, or raises a `SendError`."""
        attempt = _Attempt(sender, recipient, message)
        try:
            async with asyncio.timeout(SEND_SECONDS), self._slots:
                await self._deliver(attempt)
        except (TimeoutError, OSError) as error:
            raise _no_answer(error, attempt) from None

    async def check(self) -> None:
        """Connect and log in, and keep the connection. Raises as `deliver` does."""
        self._keep(await self._open())

    async def aclose(self) -> None:
        """Say goodbye on the connections that rest; those in use end with their message."""
        self._closed = True
        idle, self._idle = self._idle, []
        for _, session in idle:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(1.0):
                    await session.ask(b"QUIT\r\n")
            session.close()

    async def _deliver(self, attempt: _Attempt) -> None:
        session = self._take()
        fresh = session is None
        clean = False
        try:
            if session is None:
                session = await self._open()
            try:
                await attempt.begin(session)
            except (Throttled, LineLostError):
                # A server may end a kept connection between two messages, with 421 or without a word.
                # Nothing of this message was taken, so a new connection starts over.
                if fresh or session.is_open:
                    raise
                session.close()
                session = await self._open()
                await attempt.begin(session)
            await attempt.finish(session)
            clean = True
        except SendError:
            clean = session is not None and session.is_open and await _reset(session)
            raise
        finally:
            if session is not None:
                if clean and session.is_open and not self._closed:
                    self._keep(session)
                else:
                    session.close()

    def _keep(self, session: Session) -> None:
        self._idle.append((asyncio.get_running_loop().time(), session))

    def _take(self) -> Session | None:
        """The connection that was used last, or None."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            since, session = self._idle.pop()
            if session.is_open and now - since < IDLE_SECONDS:
                return session
            session.close()
        return None

    async def _open(self) -> Session:
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
        if client.transport is None:
            raise NotSent(FailureClass.TRANSPORT, "connect")
        return Session(
            cast(asyncio.Transport, client.transport),
            pipelining=client.supports_extension("pipelining"),
            smtputf8=client.supports_extension("smtputf8"),
        )


class _Attempt:
    """One message on its way. `left` is True once its own bytes may have gone out."""

    def __init__(self, sender: str, recipient: str, message: bytes) -> None:
        self.left = False
        self._sender = sender
        self._recipient = recipient
        self._message = message

    async def begin(self, session: Session) -> None:
        """The envelope, up to the server's word that it waits for the message."""
        options = b""
        if not (self._sender.isascii() and self._recipient.isascii()):
            if not session.smtputf8:
                raise Refused(FailureClass.ADDRESS_DEAD, "5.6.7", "the server takes ASCII addresses only")
            options = b" SMTPUTF8 BODY=8BITMIME"
        answers = await session.ask(
            b"MAIL FROM:<%b>%b\r\n" % (self._sender.encode(), options),
            b"RCPT TO:<%b>\r\n" % self._recipient.encode(),
            b"DATA\r\n",
        )
        codes = [answer.code for answer in answers]
        if len(answers) == 3 and codes[2] == 354 and (codes[0] != 250 or codes[1] not in (250, 251)):
            # RFC 2920, 3.1: a server may wait for a message to nobody; it gets an empty one, and refuses that.
            session.write(b".\r\n")
            await session.answer()
        for answer, wanted, stage in zip(answers, _WANTED, _STAGES, strict=False):
            _expect(answer, wanted, stage)

    async def finish(self, session: Session) -> None:
        """The message itself, and what the server says to it."""
        session.write(self._message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        self.left = True
        _expect(await session.answer(), (250,), Stage.DATA)


_WANTED = ((250,), (250, 251), (354,))
_STAGES = (Stage.MAIL, Stage.RCPT, Stage.DATA)


async def _reset(session: Session) -> bool:
    """End the transaction that was refused; False where the connection is of no more use."""
    try:
        async with asyncio.timeout(1.0):
            [answer] = await session.ask(b"RSET\r\n")
    except OSError:
        return False
    return answer.code == 250


def _expect(answer: Answer, wanted: tuple[int, ...], stage: Stage) -> None:
    """Raise what an answer with none of the `wanted` codes means."""
    if answer.code in wanted:
        return
    if not 400 <= answer.code < 600:
        raise LineLostError
    evidence = enhanced_code(answer.text) or str(answer.code)
    failure = classify(answer.code, answer.text, stage)
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
