"""The sandbox itself: one HTTP port for all providers, pages and controls, one SMTP port, all in one event loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from types import TracebackType
from typing import Any

from channels.sandbox.apprise import AppriseTarget
from channels.sandbox.fcm import Fcm
from channels.sandbox.httpd import Connection, Reply, Request, json_reply
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.pages import Pages
from channels.sandbox.phones import Phones
from channels.sandbox.sendgrid import EventWebhook
from channels.sandbox.slack import Slack
from channels.sandbox.smtp import Mailboxes, MailClient
from channels.sandbox.telegram import Telegram
from channels.sandbox.twilio import Twilio
from channels.sandbox.webhooks import Webhooks
from channels.sandbox.webpush import WebPush
from channels.sandbox.world import World

ACCOUNT_SID = "AC" + "5a" * 16
AUTH_TOKEN = "sandbox-token-of-no-value"  # noqa: S105 - opens nothing but this sandbox
FROM_NUMBER = "+12025550100"
FROM_ADDRESS = "hello@example.org"


class Sandbox:
    """Simulated providers of every channel on loopback; a context manager that starts and closes itself.

    `memory.accepted` is every message a provider took, in order and never merged. With `keep_texts` and
    `keep_conversations` at 0 it keeps no words at all, which is the fastest. `clock` is Unix time as the providers see
    it, for a demo that lives in another evening; waiting is always real.
    """

    def __init__(
        self,
        *,
        knobs: Knobs | None = None,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        webhooks: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        smtp_port: int = 0,
        keep_texts: int = 5_000,
        keep_conversations: int = 200,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.memory = Memory(keep_texts=keep_texts, keep_conversations=keep_conversations)
        self.world = World(knobs or Knobs(), self.memory, clock)
        self._account = (account_sid, auth_token)
        self._events = EventWebhook(self.world)
        self._twilio = Twilio(self.world, account_sid, auth_token, FROM_NUMBER)
        self.phones: Phones = self._twilio.phones
        self.contents = self._twilio.contents
        self.mailboxes = Mailboxes(self.world, self._events)
        self.telegram = Telegram(self.world)
        self.slack = Slack(self.world)
        self.webpush = WebPush(self.world)
        self.fcm = Fcm(self.world)
        self.apprise = AppriseTarget(self.world)
        self._providers = (self.telegram, self.slack, self.webpush, self.fcm, self.apprise)
        self.webhooks = Webhooks(
            sms=(self.world, "sms_webhook"),
            whatsapp=(self.phones, "whatsapp_webhook"),
            email=(self.world, "email_webhook"),
            telegram=(self.telegram, "webhook"),
            slack=(self.slack, "webhook"),
        )
        """channel → where its provider calls us; "" for nowhere."""
        self.webhooks.update(webhooks or {})
        self._pages = Pages(self.world, self.phones, self.mailboxes, self._answer)
        self._host, self._port, self._smtp_port = host, port, smtp_port
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._sessions: set[MailClient] = set()

    @property
    def knobs(self) -> Knobs:
        """The knobs as they stand; set it, or `turn` some."""
        return self.world.knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self.world.turn(knobs)

    def turn(self, **changes: Any) -> None:
        """Turn some knobs. Raises ValueError, naming the knob."""
        self.world.turn(self.world.knobs.turned(changes))

    async def start(self) -> None:
        """Listen. Raises OSError where a port is taken."""
        loop = asyncio.get_running_loop()
        http = await loop.create_server(
            lambda: Connection(self._handle, self._connections), self._host, self._port, backlog=1024
        )
        self._servers.append(http)
        self._port = http.sockets[0].getsockname()[1]
        try:
            smtp = await loop.create_server(
                lambda: MailClient(self.mailboxes, self._sessions), self._host, self._smtp_port, backlog=1024
            )
        except OSError:
            await self.aclose()
            raise
        self._servers.append(smtp)
        await self.slack.start(self._host)
        self._smtp_port = smtp.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Stop listening, cut what is open, give callbacks under way half a second, drop the others."""
        for server in self._servers:
            server.close()
        await self.world.callbacks.aclose()
        await self.slack.aclose()
        await self.webpush.aclose()
        for connection in list(self._connections):
            connection.abort()
        for session in list(self._sessions):
            session.abort()
        # The next turn of the loop closes the sockets, the one after it ends the mail sessions' tasks.
        for _ in range(3):
            await asyncio.sleep(0)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def idle(self) -> None:
        """Return once no callback, receipt or scripted reply is pending."""
        await self.world.callbacks.idle()
        await self.webpush.idle()

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def http_url(self) -> str:
        """Where Twilio's API, the pages and the controls are, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def smtp_port(self) -> int:
        """Where mail is taken."""
        return self._smtp_port

    @property
    def sendgrid_public_key(self) -> str:
        """The key that mail events are verified with: SubjectPublicKeyInfo in DER and base64."""
        return self._events.public_key

    def channel_environment(self) -> dict[str, str]:
        """The environment variables that point the real channels here."""
        return {
            "OUTREACH_SMS_ACCOUNT_SID": self._account[0],
            "OUTREACH_SMS_AUTH_TOKEN": self._account[1],
            "OUTREACH_SMS_API_URL": self.http_url,
            "OUTREACH_SMS_FROM_NUMBER": FROM_NUMBER,
            "OUTREACH_WHATSAPP_ACCOUNT_SID": self._account[0],
            "OUTREACH_WHATSAPP_AUTH_TOKEN": self._account[1],
            "OUTREACH_WHATSAPP_API_URL": self.http_url,
            "OUTREACH_WHATSAPP_FROM_NUMBER": FROM_NUMBER,
            "OUTREACH_EMAIL_HOST": self._host,
            "OUTREACH_EMAIL_PORT": str(self._smtp_port),
            "OUTREACH_EMAIL_SECURITY": "plain",
            "OUTREACH_EMAIL_FROM_ADDRESS": FROM_ADDRESS,
            "OUTREACH_EMAIL_PROVIDER": "sendgrid",
            "OUTREACH_EMAIL_WEBHOOK_PUBLIC_KEY": self.sendgrid_public_key,
            **{name: value for one in self._providers for name, value in one.environment(self.http_url).items()},
        }

    def new_address(self, channel: str, name: str) -> str:
        """An address of a made-up person on a channel that has no numbers to give out; the same for the same name."""
        match channel:
            case "telegram":
                return str(10_000_000 + int.from_bytes(blake2b(name.encode(), digest_size=4).digest()))
            case "slack":
                return "U" + blake2b(name.encode(), digest_size=5).hexdigest().upper()
            case "webpush":
                return self.webpush.address(self.http_url, name)
            case "fcm":
                return f"{name}:" + blake2b(name.encode(), digest_size=40).hexdigest()
        raise ValueError(f"{channel}: gives out no addresses here")

    def _answer(self, kind: str, address: str, text: str) -> None:
        """Somebody answers, or presses the button that fits."""
        if kind == "telegram":
            self.telegram.answer(address, text)
        elif kind == "slack":
            self.slack.answer(address, text)
        elif kind == "webpush":
            self.webpush.answer(address, text)
        else:
            self.phones.answer(address, text)

    def stats(self) -> dict[str, Any]:
        """Counters since the start or the last clearing."""
        return {
            "accepted": len(self.memory.accepted),
            "callbacks_pending": self.world.callbacks.pending,
            "counters": dict(self.memory.counters),
        }

    def settings(self) -> dict[str, Any]:
        """Everything somebody needs to point a program here."""
        return {
            "http_url": self.http_url,
            "smtp_port": self.smtp_port,
            "sendgrid_public_key": self.sendgrid_public_key,
            "webhooks": dict(self.webhooks),
            "environment": self.channel_environment(),
        }

    def _handle(self, request: Request) -> Reply:
        if request.path.startswith(Twilio.prefixes):
            return self._twilio.handle(request)
        for provider in self._providers:
            if request.path.startswith(provider.prefix):
                return provider.handle(request)
        if request.path.startswith("/sandbox/"):
            return self._control(request)
        return self._pages.handle(request)

    def _control(self, request: Request) -> Reply:
        """What tests and benchmarks in other processes use."""
        if "origin" in request.headers:
            return json_reply({"error": "not for browsers"}, 403)
        try:
            match request.method, request.path:
                case "GET", "/sandbox/accepted":
                    return Reply(stream=self._stream(request.arguments()))
                case "DELETE", "/sandbox/accepted":
                    self.memory.clear()
                    return json_reply(self.stats())
                case "GET", "/sandbox/stats":
                    more = {"duplicates": self.memory.duplicates()} if "duplicates" in request.arguments() else {}
                    return json_reply(self.stats() | more)
                case "GET", "/sandbox/settings":
                    return json_reply(self.settings())
                case "POST", "/sandbox/settings":
                    changes = request.json()
                    self.webhooks.update({str(name): str(url) for name, url in changes["webhooks"].items()})
                    return json_reply(self.settings())
                case "GET", "/sandbox/knobs":
                    return json_reply(self.knobs.plain())
                case "POST", "/sandbox/knobs":
                    self.turn(**request.json())
                    return json_reply(self.knobs.plain())
                case "POST", "/sandbox/reply":
                    asked = request.json()
                    self.phones.reply(str(asked["phone"]), str(asked["text"]), str(asked.get("to", "")))
                    return json_reply({}, 202)
        except KeyError as error:
            return json_reply({"error": f"{error.args[0]}: missing"}, 400)
        except (ValueError, TypeError) as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply({"error": "no such control"}, 404)

    def _stream(self, arguments: dict[str, str]) -> Iterator[bytes]:
        """All accepted messages as a JSON array, one to a line; ``after`` leaves out that many of the oldest."""
        start = max(0, int(arguments.get("after", "0")))
        return _pieces(self.memory, start)


def _pieces(memory: Memory, start: int) -> Iterator[bytes]:
    comma = b"[\n"
    for begin in range(start, len(memory.accepted), 500):
        rows = memory.accepted[begin : begin + 500]
        lines = [
            json.dumps({"provider": row.provider, "to": row.to, "delivery": row.delivery, "sid": row.sid, "at": row.at})
            for row in rows
        ]
        yield comma + ",\n".join(lines).encode()
        comma = b",\n"
    yield b"[]\n" if comma == b"[\n" else b"\n]\n"


async def serve(host: str = "127.0.0.1", port: int = 8025, smtp_port: int = 2525, **more: Any) -> Sandbox:
    """Start a sandbox and return it, with its addresses; `more` is as `Sandbox` takes it. Close it with `aclose`."""
    sandbox = Sandbox(host=host, port=port, smtp_port=smtp_port, **more)
    await sandbox.start()
    return sandbox
