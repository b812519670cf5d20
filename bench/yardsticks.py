"""What the rows are measured against, each a process of its own that prints one JSON line.

``twilio``  a bare asyncio loop over twilio's own async client: no ledger, no consent, nothing durable
``aiohttp`` the leanest loop one would write by hand: bodies encoded beforehand, posted over one session
``csv``     ``csv.DictReader`` and ``executemany`` of the raw rows into SQLite: no checks, no merging

Each sends (or stores) what the row beside it does, with the same fields in each request.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import csv
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from bench.harness import Stopwatch, peak_mib
from bench.members import BODY, VALID_SECONDS, WEBHOOK, phone

Send = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Account:
    """The account at the sandbox, from the same variables as the worker's."""

    sid: str
    token: str
    sender: str

    @classmethod
    def read(cls) -> Account:
        names = ("ACCOUNT_SID", "AUTH_TOKEN", "FROM_NUMBER")
        return cls(*(os.environ[f"OUTREACH_SMS_{name}"] for name in names))


async def run_loop(send: Send, messages: int, concurrency: int) -> None:
    """`messages` calls of `send`, `concurrency` of them at a time."""
    numbers = iter(range(messages))

    async def worker() -> None:
        for number in numbers:
            await send(number)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


def callback(number: int) -> str:
    """The status callback of one message: like ours, it names the delivery."""
    return f"{WEBHOOK}?d=202611-{number}"


async def over_twilio(account: Account, url: str, messages: int, concurrency: int) -> Stopwatch:
    """``client.messages.create_async``, as twilio's documentation shows it."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    async with AsyncTwilioHttpClient() as http:
        client = Client(account.sid, account.token, http_client=http)
        client.api.base_url = url

        async def send(number: int) -> None:
            message = await client.messages.create_async(
                to=phone(number),
                from_=account.sender,
                body=BODY,
                status_callback=callback(number),
                validity_period=VALID_SECONDS,
            )
            assert message.sid, "accepted"

        with Stopwatch() as watch:
            await run_loop(send, messages, concurrency)
    return watch


async def over_aiohttp(account: Account, url: str, messages: int, concurrency: int) -> Stopwatch:
    """Prepared bodies over one session; only the status of the answer is looked at."""
    endpoint = f"{url}/2010-04-01/Accounts/{account.sid}/Messages.json"
    headers = {
        "Authorization": "Basic " + base64.b64encode(f"{account.sid}:{account.token}".encode()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    bodies = [
        urlencode(
            {
                "To": phone(number),
                "From": account.sender,
                "Body": BODY,
                "StatusCallback": callback(number),
                "ValidityPeriod": VALID_SECONDS,
            }
        ).encode()
        for number in range(messages)
    ]
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def send(number: int) -> None:
            async with session.post(endpoint, data=bodies[number], headers=headers) as answer:
                assert answer.status == 201, "accepted"
                await answer.read()

        with Stopwatch() as watch:
            await run_loop(send, messages, concurrency)
    return watch


def over_csv(file: Path, database: Path, chunk: int = 1_000) -> Stopwatch:
    """Every row as it stands into one table, committed like ours in chunks, with the same pragmas."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with Stopwatch() as watch, file.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        names = list(reader.fieldnames or ())
        connection.execute(f"CREATE TABLE raw ({', '.join(f'c{i}' for i, _ in enumerate(names))})")
        insert = f"INSERT INTO raw VALUES ({', '.join('?' * len(names))})"
        rows: Iterator[tuple[str, ...]] = (tuple(row[name] for name in names) for row in reader)
        while part := list(islice(rows, chunk)):
            with connection:
                connection.executemany(insert, part)
    connection.close()
    return watch


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.yardsticks")
    what = parser.add_subparsers(dest="what", required=True)
    for name in ("twilio", "aiohttp"):
        loop = what.add_parser(name)
        loop.add_argument("--url", required=True, help="the provider's base address")
        loop.add_argument("--messages", type=int, default=20_000)
        loop.add_argument("--concurrency", type=int, default=20)
    raw = what.add_parser("csv")
    raw.add_argument("--file", type=Path, required=True)
    raw.add_argument("--database", type=Path, required=True)
    options = parser.parse_args()
    if options.what == "twilio":
        watch = asyncio.run(over_twilio(Account.read(), options.url, options.messages, options.concurrency))
    elif options.what == "aiohttp":
        watch = asyncio.run(over_aiohttp(Account.read(), options.url, options.messages, options.concurrency))
    else:
        watch = over_csv(options.file, options.database)
    print(json.dumps({**watch.as_dict(), "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
