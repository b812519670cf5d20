"""One channel alone, without a ledger: our adapter, its vendor's SDK, and the leanest loop, each in its own process.

Each sends the same words to the same simulated provider and prints one JSON line.

``ours``     the shipped adapter over the shipped wire and event loop
``sdk``      a bare asyncio loop over the library that its vendor, or its users, would pick
``lean``     prepared bodies: over one aiohttp session, for email over kept SMTP connections
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import aiohttp

from bench.harness import Stopwatch
from bench.members import BODY
from bench.yardsticks import run_loop
from channels import REGISTRY
from channels.sandbox.browsers import public_keys
from channels.slack.blocks import message_body
from router.core import consent
from router.core.channel import Button, OutboundMessage
from router.core.errors import FailureClass, NotSent, SendError
from router.core.model import Address, ConsentState, DeliveryRef
from router.loop import run
from router.settings import channel_settings
from router.wire import HttpWire

Send = Callable[[int], Awaitable[None]]
CHANNELS = ("telegram", "slack", "webpush", "email")
_CONNECTIONS = 8
"""Kept SMTP connections, for all three."""


def address(channel: str, number: int, url: str) -> str:
    """The address of one member."""
    if channel == "telegram":
        return str(10_000_000 + number)
    if channel == "slack":
        return f"U{number:09d}"
    if channel == "email":
        return f"member{number}@example.org"
    keys = _BROWSERS[number % len(_BROWSERS)]
    return f"{url}/webpush/{number % len(_BROWSERS)} {keys['p256dh']} {keys['auth']}"


_BROWSERS = [public_keys(str(number)) for number in range(200)]
"""Key pairs are costly to make and nothing remembers them, so two hundred browsers do."""


def message(channel: str, number: int, url: str, now: datetime) -> OutboundMessage:
    """What is sent to one member: words of its own, and a button where the channel has any."""
    allow = consent.check(
        Address(
            id=number,
            channel=channel,
            value=address(channel, number, url),
            hash=str(number),
            consent=ConsentState.GRANTED,
        )
    )
    assert isinstance(allow, consent.Allow)
    spec = REGISTRY[channel].spec
    text = f"Ana{number}, {BODY}"
    return OutboundMessage(
        allow=allow,
        delivery=DeliveryRef(202611, number + 1),
        text=text,
        subject=f"Ana{number}, are you in?" if spec.subject else "",
        html=f"<p>{text}</p>" if spec.html else "",
        link="https://example.org/a/x",
        buttons=(Button(label="I will come", reply="YES"),) if spec.buttons else (),
        unsubscribe_url=f"https://example.org/u/{number}" if spec.html else "",
        now=now,
    )


@asynccontextmanager
async def ours(channel: str, url: str, messages: int) -> AsyncIterator[Send]:
    """The shipped adapter."""
    about = {"account": "main", "webhook_url": f"{url}/hooks/{channel}/main", "organization": "Example Union"}
    settings = channel_settings(REGISTRY[channel].spec) | about
    if channel == "email":
        settings["connections"] = str(_CONNECTIONS)
    async with HttpWire() as wire:
        adapter = REGISTRY[channel](settings, wire)
        now = datetime.now(UTC)

        async def send(number: int) -> None:
            await adapter.send(message(channel, number, url, now))

        await send(messages)  # connections and keys are made before the clock runs
        yield send
        await adapter.aclose()


@asynccontextmanager
async def sdk(channel: str, url: str, messages: int) -> AsyncIterator[Send]:
    """What somebody would pick who writes the loop themselves."""
    now = datetime.now(UTC)
    if channel == "telegram":
        from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup

        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("I will come", callback_data="YES")]])
        bot = Bot(os.environ["OUTREACH_TELEGRAM_TOKEN"], base_url=f"{url}/telegram/bot")
        async with bot:

            async def send(number: int) -> None:
                await bot.send_message(
                    int(address(channel, number, url)), f"Ana{number}, {BODY}", reply_markup=keyboard
                )

            yield send
    elif channel == "slack":
        from slack_sdk.web.async_client import AsyncWebClient

        async with aiohttp.ClientSession() as session:
            client = AsyncWebClient(
                token=os.environ["OUTREACH_SLACK_BOT_TOKEN"],
                base_url=os.environ["OUTREACH_SLACK_API_URL"] + "/",
                session=session,
            )

            async def send(number: int) -> None:
                one = message(channel, number, url, now)
                await client.chat_postMessage(channel=one.to, **message_body(one))

            yield send
    elif channel == "webpush":
        from pywebpush import webpush_async

        async with aiohttp.ClientSession() as session:

            async def send(number: int) -> None:
                endpoint, p256dh, auth = address(channel, number, url).split()
                await webpush_async(
                    {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}},
                    data=json.dumps({"title": "Are you in?", "body": f"Ana{number}, {BODY}"}),
                    vapid_private_key=os.environ["OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY"],
                    vapid_claims={"sub": os.environ["OUTREACH_WEBPUSH_VAPID_SUBJECT"]},
                    ttl=3600,
                    aiohttp_session=session,
                )

            yield send
    else:
        async with _mailers() as deliver:

            async def send(number: int) -> None:
                await deliver(_mail(number).as_bytes(), address(channel, number, url))

            yield send


@asynccontextmanager
async def lean(channel: str, url: str, messages: int) -> AsyncIterator[Send]:
    """Everything prepared before the clock runs; only the status of the answer is looked at."""
    if channel == "email":
        ready = [_mail(number).as_bytes() for number in range(messages)]
        async with _mailers() as deliver:

            async def send(number: int) -> None:
                await deliver(ready[number], address(channel, number, url))

            yield send
        return
    requests = await _recorded(channel, url, messages)
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def send(number: int) -> None:
            where, headers, body = requests[number]
            async with session.post(where, data=body, headers=headers) as answer:
                assert answer.status in (200, 201), answer.status
                await answer.read()

        yield send


async def _recorded(channel: str, url: str, messages: int) -> list[tuple[str, dict[str, str], bytes]]:
    """What our adapter would put on the wire, so that both send the very same."""
    found: list[tuple[str, dict[str, str], bytes]] = []

    class Recorder(HttpWire):
        async def request(self, method, where, *, headers, body=b"", timeout=8.0):  # type: ignore[no-untyped-def]
            found.append((where, dict(headers), body))
            raise NotSent(FailureClass.TRANSPORT, "recorded")

    about = {"account": "main", "webhook_url": f"{url}/hooks/{channel}/main", "organization": "Example Union"}
    adapter = REGISTRY[channel](channel_settings(REGISTRY[channel].spec) | about, Recorder())
    now = datetime.now(UTC)
    for number in range(messages):
        with contextlib.suppress(SendError):
            await adapter.send(message(channel, number, url, now))
    return found


def _mail(number: int) -> EmailMessage:
    """A mail as the standard library's documentation builds it."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<202611-{number + 1}@example.org>"
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["From"] = os.environ["OUTREACH_EMAIL_FROM_ADDRESS"]
    mail["To"] = f"member{number}@example.org"
    mail["Subject"] = f"Ana{number}, are you in?"
    mail["List-Unsubscribe"] = f"<https://example.org/u/{number}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(f"Ana{number}, {BODY}")
    mail.add_alternative(f"<p>Ana{number}, {BODY}</p>", subtype="html")
    return mail


@asynccontextmanager
async def _mailers() -> AsyncIterator[Callable[[bytes, str], Awaitable[None]]]:
    """Kept connections of aiosmtplib."""
    import aiosmtplib

    host, port = os.environ["OUTREACH_EMAIL_HOST"], int(os.environ["OUTREACH_EMAIL_PORT"])
    free: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        client = aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False)
        await client.connect()
        free.put_nowait(client)

    async def deliver(mail: bytes, to: str) -> None:
        client = await free.get()
        try:
            await client.sendmail(os.environ["OUTREACH_EMAIL_FROM_ADDRESS"], [to], mail)
        finally:
            free.put_nowait(client)

    yield deliver
    while not free.empty():
        await free.get_nowait().quit()


async def measure(channel: str, what: str, url: str, messages: int, concurrency: int) -> Stopwatch:
    """Send them all."""
    make = {"ours": ours, "sdk": sdk, "lean": lean}[what]
    async with make(channel, url, messages) as send:
        with Stopwatch() as watch:
            await run_loop(send, messages, concurrency)
    return watch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.channels")
    parser.add_argument("what", choices=("ours", "sdk", "lean"))
    parser.add_argument("channel", choices=CHANNELS)
    parser.add_argument("--url", required=True, help="the provider's base address")
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--concurrency", type=int, default=20)
    options = parser.parse_args()
    work = measure(options.channel, options.what, options.url, options.messages, options.concurrency)
    # Ours runs on the event loop that it ships with; the others on the one that everybody has.
    watch = run(work) if options.what == "ours" else asyncio.run(work)
    print(json.dumps(watch.as_dict()))


if __name__ == "__main__":
    main()
