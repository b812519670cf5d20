"""A mail server that only counts: what a fast relay would cost a sender. The sandbox's own costs more than any sender.

``python -m bench.smtp_sink`` says on its first line where it listens. ``XSTAT`` answers how many mails it took and how
many of their Message-IDs came twice; ``XFORGET`` begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator

from bench.harness import Background, Cores

_MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
_BYE = b"221 2.0.0 bye\r\n"
_ANSWERS = {
    b"HELO": b"250 sink\r\n",
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"QUIT": _BYE,
}


class _Sink(asyncio.Protocol):
    def __init__(self, taken: Counter[bytes]) -> None:
        self._taken = taken
        self._buffer = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = []
        while True:
            end = b"\r\n.\r\n" if self._in_mail else b"\r\n"
            part, found, rest = self._buffer.partition(end)
            if not found:
                break
            self._buffer = rest
            answers.append(self._mail(part) if self._in_mail else self._command(part))
        if answers:
            self._transport.write(b"".join(answers))
        if answers and answers[-1] == _BYE:
            self._transport.close()

    def _mail(self, mail: bytes) -> bytes:
        named = _MESSAGE_ID.search(mail)
        self._taken[named.group(1) if named else b""] += 1
        self._in_mail = False
        return b"250 2.0.0 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        self._in_mail = verb == b"DATA"
        if line == b"XSTAT":
            return b"250 %d %d\r\n" % (self._taken.total(), sum(n - 1 for n in self._taken.values()))
        if line == b"XFORGET":
            self._taken.clear()
            return b"250 forgotten\r\n"
        return _ANSWERS.get(verb, b"502 5.5.2 what?\r\n")


class SmtpSink:
    """The server, on the core of its own, as `bench.provider.Provider` is."""

    url = ""

    def __init__(self, server: Background) -> None:
        self._server = server
        self.port = int(server.ready["port"])
        self.all_channels = {
            "OUTREACH_EMAIL_HOST": "127.0.0.1",
            "OUTREACH_EMAIL_PORT": str(self.port),
            "OUTREACH_EMAIL_SECURITY": "plain",
            "OUTREACH_EMAIL_FROM_ADDRESS": "hello@example.org",
        }
        self.environment = self.all_channels

    def forget(self) -> None:
        """Forget all mails."""
        self._ask(b"XFORGET\r\n")

    def check(self, messages: int, *, alike: bool = False) -> None:
        """Assert that it took so many messages and none twice, or, with `alike`, only how many."""
        accepted, twice = (int(word) for word in self._ask(b"XSTAT\r\n").split()[1:])
        assert accepted == messages, f"{accepted} at the mail server, {messages} were sent"
        assert alike or not twice, f"{twice} mails came twice"

    def cpu_seconds(self) -> float:
        """What it spent so far."""
        return self._server.cpu_seconds()

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line, line.makefile("rb") as answers:
            answers.readline()
            line.sendall(command)
            return answers.readline()


@contextlib.contextmanager
def smtp_sink(cores: Cores) -> Iterator[SmtpSink]:
    """A running one."""
    with Background(["-m", "bench.smtp_sink"], core=cores.provider) as server:
        yield SmtpSink(server)


async def _serve() -> None:
    taken: Counter[bytes] = Counter()
    server = await asyncio.get_running_loop().create_server(lambda: _Sink(taken), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
