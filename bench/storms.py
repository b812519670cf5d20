"""Receipts by webhook: a server that takes them, and who calls it. Each is a process of its own.

``serve``    the shipped web server and receiver: proves the signature, commits, then answers
``nothing``  an aiohttp handler that reads the body and answers: the limit of that library
``call``     signed status callbacks as Twilio makes them, over kept connections; prints one JSON line

Calls are encoded and signed before the clock runs, and written over plain sockets, so that the caller is no limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from twilio.request_validator import RequestValidator

from bench.harness import Stopwatch
from bench.members import phone
from router.app import open_runtime
from router.loop import run
from router.serving import serving
from router.settings import load_settings

PATH = "/hooks/sms/main"
PUBLIC = "https://outreach.example.org"
"""The address that the provider was given, which its signatures cover."""


async def serve() -> None:
    """Until SIGTERM."""
    async with (
        open_runtime(load_settings()) as runtime,
        serving(runtime, host="127.0.0.1", port=0) as url,
    ):
        await _until_told(url)


async def nothing() -> None:
    """The same address, and nothing behind it."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(content_type="text/xml", body=b"<Response/>")

    app = web.Application()
    app.router.add_post(PATH, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    await _until_told(f"http://{host}:{port}")
    await runner.cleanup()


async def _until_told(url: str) -> None:
    print(json.dumps({"url": url}), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def requests_of(deliveries: Path) -> Iterator[bytes]:
    """A ``delivered`` callback for each line ``delivery<TAB>provider's number``, signed as Twilio signs."""
    validator = RequestValidator(os.environ["OUTREACH_SMS_AUTH_TOKEN"])
    account, sender = os.environ["OUTREACH_SMS_ACCOUNT_SID"], os.environ["OUTREACH_SMS_FROM_NUMBER"]
    for number, line in enumerate(deliveries.read_text().splitlines()):
        delivery, sid = line.split("\t")
        form = {
            "SmsSid": sid, "MessageSid": sid, "AccountSid": account, "From": sender, "To": phone(number),
            "ApiVersion": "2010-04-01", "SmsStatus": "delivered", "MessageStatus": "delivered",
        }  # fmt: skip
        target = f"{PATH}?d={delivery}"
        body = urlencode(form).encode()
        head = (
            f"POST {target} HTTP/1.1\r\nHost: outreach.example.org\r\nUser-Agent: TwilioProxy/1.1\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
            f"X-Twilio-Signature: {validator.compute_signature(PUBLIC + target, form)}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


async def call(url: str, deliveries: Path, connections: int) -> dict[str, Any]:
    """All of them, `connections` at a time; `p99` is the time within which 99 of 100 were answered, in seconds."""
    ready = list(requests_of(deliveries))
    left = iter(ready)
    took: list[float] = []
    host, port = urlsplit(url).hostname, urlsplit(url).port
    clock = asyncio.get_running_loop().time

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in left:
            began = clock()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            status = head.split(maxsplit=2)[1]
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or 0))
            assert status in (b"200", b"204"), head.decode()
            took.append(clock() - began)
        writer.close()

    with Stopwatch() as watch:
        await asyncio.gather(*(one() for _ in range(connections)))
    return {**watch.as_dict(), "calls": len(took), "p99": sorted(took)[len(took) * 99 // 100]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.storms")
    parser.add_argument("what", choices=("serve", "nothing", "call"))
    parser.add_argument("--url", default="")
    parser.add_argument("--deliveries", type=Path)
    parser.add_argument("--connections", type=int, default=50)
    options = parser.parse_args()
    if options.what == "call":
        print(json.dumps(run(call(options.url, options.deliveries, options.connections))))
    else:
        run(serve() if options.what == "serve" else nothing())


if __name__ == "__main__":
    main()
