"""One SMTP connection after its login: several commands in one go, where the server lets us (RFC 2920).

aiosmtplib connects, greets, begins TLS and logs in; from then on the line is ours, because it waits for each answer
before it writes the next command. Four round trips a mail become two.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

LONGEST_ANSWER = 64 * 1024
"""Bytes of answers that nobody has read yet; a server that says more is not listened to any longer."""


class Answer(NamedTuple):
    """What the server said to one command, the lines of a long answer joined."""

    code: int
    text: str


class LineLostError(ConnectionError):
    """The connection ended, or what came over it was not SMTP, while an answer was awaited."""


class Session(asyncio.Protocol):
    """Takes over a transport on which nothing is under way. `pipelining` and `smtputf8` are what the server offers."""

    def __init__(self, transport: asyncio.Transport, *, pipelining: bool, smtputf8: bool) -> None:
        self.pipelining = pipelining
        self.smtputf8 = smtputf8
        self._transport = transport
        self._buffer = b""
        self._lines: list[str] = []
        self._answers: deque[Answer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._is_lost = transport.is_closing()
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether a next message may be tried: the line stands, and the server has said nothing unasked (a 421)."""
        return not (self._is_lost or self._transport.is_closing() or self._answers or self._buffer or self._lines)

    def write(self, data: bytes) -> None:
        """Send bytes; raises `LineLostError` on a closed line."""
        if self._is_lost or self._transport.is_closing():
            raise LineLostError
        self._transport.write(data)

    async def answer(self) -> Answer:
        """The next answer. Raises `LineLostError` where there will be none."""
        if not self._answers:
            if self._is_lost:
                raise LineLostError
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._answers.popleft()

    async def ask(self, *commands: bytes) -> Sequence[Answer]:
        """Send commands and wait for the answers that are needed.

        In one go where the server offers it; else one after another, as far as they are answered with success. Who
        answers 421 closes the line (RFC 5321, 3.8), and so does this; what was said before that is returned.
        """
        answers: list[Answer] = []
        if self.pipelining:
            self.write(b"".join(commands))
        for command in commands:
            if not self.pipelining:
                self.write(command)
            try:
                answers.append(await self.answer())
            except LineLostError:
                if answers and answers[-1].code >= 400:
                    break
                raise
            if answers[-1].code == 421:
                self._lose()
            if answers[-1].code == 421 or (answers[-1].code >= 400 and not self.pipelining):
                break
        return answers

    def close(self) -> None:
        """End the line without a word."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes from the server."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if not (line[:3].isdigit() and line[3:4] in b" -\r"):
                self._lose()
                return
            self._lines.append(line[4:].strip().decode("utf-8", "replace"))
            if line[3:4] != b"-":
                self._answers.append(Answer(int(line[:3]), "\n".join(self._lines)))
                self._lines = []
        if len(self._buffer) + sum(map(len, self._lines)) > LONGEST_ANSWER or len(self._answers) > 100:
            self._lose()
        elif self._answers and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """The line is gone."""
        self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        self._transport.close()
        if self._waiter is not None and not self._waiter.done():
            if self._answers:
                self._waiter.set_result(None)
            else:
                self._waiter.set_exception(LineLostError())
