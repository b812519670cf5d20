"""A scripted SMTP server on loopback: it accepts everything except where a step says otherwise."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import dataclass

HANG = "hang"
CUT = "cut"


@dataclass(frozen=True)
class Say:
    """Once, at `at` (GREETING, EHLO, AUTH, MAIL, RCPT, DATA, BODY, RSET), answer this, or `HANG`, or `CUT`."""

    at: str
    answer: str


@dataclass(frozen=True)
class Mail:
    """One message that was accepted."""

    sender: str
    recipient: str
    content: bytes
    connection: int


class SmtpProvider:
    """Plays `Say` steps where they fit and remembers what was accepted and what was asked.

    With `pipelining` it takes several commands in one go; `lenient`, it also waits for a message to nobody (RFC 2920).
    """

    def __init__(self, *, pipelining: bool = False, lenient: bool = False) -> None:
        self._offers = "250-PIPELINING\r\n" if pipelining else ""
        self._lenient = lenient
        self.mails: list[Mail] = []
        self.lines: list[str] = []
        self.logins: list[bytes] = []
        self.connections = 0
        self._steps: list[Say] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def settings(self) -> dict[str, str]:
        return {"host": "127.0.0.1", "port": str(self.port)}

    def script(self, *steps: Say) -> None:
        self._steps.extend(steps)

    def leftovers(self) -> list[str]:
        return [f"never used: {step}" for step in self._steps]

    def seen(self) -> str:
        return "\n".join(line for line in self.lines if not line.startswith(("AUTH", "RCPT")))

    def drop_connections(self) -> None:
        """Close every connection, as a server does with those that rest too long."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, _HangUpError):
            await self._talk(reader, writer, self.connections)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        async def answer(at: str, usual: str) -> bool:
            """Send the scripted or the usual answer; True where it was one of success."""
            step = next((step for step in self._steps if step.at == at), None)
            if step is not None:
                self._steps.remove(step)
                if step.answer == HANG:
                    await reader.read()
                if step.answer in (HANG, CUT):
                    raise _HangUpError
            said = usual if step is None else step.answer
            writer.write(said.encode() + b"\r\n")
            await writer.drain()
            return said.startswith(("2", "3"))

        sender = recipient = ""
        await answer("GREETING", "220 mx.example.net ESMTP")
        while True:
            line = (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.lines.append(line)
            verb = line[:4].upper()
            if verb == "EHLO":
                await answer(
                    "EHLO", f"250-mx.example.net\r\n{self._offers}250-AUTH PLAIN\r\n250-8BITMIME\r\n250 SMTPUTF8"
                )
            elif verb == "AUTH":
                self.logins.append(base64.b64decode(line.rpartition(" ")[2]))
                await answer("AUTH", "235 2.7.0 welcome")
            elif verb == "MAIL":
                if await answer("MAIL", "250 2.1.0 ok" if not sender else "503 5.5.1 nested MAIL command"):
                    sender = line.partition("<")[2].partition(">")[0]
            elif verb == "RCPT" and not sender:
                await answer("RCPT-LATE", "503 5.5.1 MAIL first")
            elif verb == "RCPT":
                found = line.partition("<")[2].partition(">")[0]
                recipient = found if await answer("RCPT", "250 2.1.5 ok") else ""
            elif verb == "DATA" and not recipient and not self._lenient:
                await answer("DATA-LATE", "503 5.5.1 no valid recipients")
            elif verb == "DATA":
                if await answer("DATA", "354 go ahead"):
                    content = b""
                    while (part := await reader.readuntil(b"\r\n")) != b".\r\n":
                        content += part.removeprefix(b".")
                    if not recipient:
                        await answer("BODY-LATE", "554 5.5.1 no valid recipients")
                    elif await answer("BODY", "250 2.0.0 queued"):
                        self.mails.append(Mail(sender, recipient, content, number))
                    sender = recipient = ""
            elif verb == "RSET":
                sender = recipient = ""
                await answer("RSET", "250 2.0.0 ok")
            elif verb == "QUIT":
                await answer("QUIT", "221 2.0.0 bye")
                return
            else:
                await answer(verb, "502 5.5.2 what?")


class _HangUpError(Exception):
    """The script ends the conversation here."""
