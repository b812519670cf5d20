"""Fill a ledger with members who are each on one of five channels, as fast as the database takes them.

``python -m bench.multitude --url URL --members N``. Nobody has a past; all have consent, and it is midday for all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.crowd import CHUNK, Rows, write
from bench.members import midday_zone, phone

CHANNELS = ("sms", "email", "telegram", "slack", "fcm")
_BOUND = {"telegram", "slack", "fcm"}
"""Where an address belongs to the account that learnt it."""
_MEMBER = ("id", "first_name", "locale", "zone", "country", "attributes", "joined_at", "created_at", "updated_at")
_ADDRESS = ("id", "member_id", "channel", "value", "hash", "state", "consent", "rank", "account", "created_at")


def chunks(members: int, now: datetime) -> Iterator[Rows]:
    """All rows, some members at a time."""
    zone = midday_zone(now)
    joined = int((now - timedelta(days=400)).timestamp() * 1000)
    for first in range(1, members + 1, CHUNK):
        people, addresses = [], []
        for number in range(first, min(first + CHUNK, members + 1)):
            channel = CHANNELS[number % len(CHANNELS)]
            account = "main" if channel in _BOUND else ""
            people.append((number, f"First{number % 977}", "en", zone, "US", "{}", joined, joined, joined))
            addresses.append(
                (2_000_000_000 + number, number, channel, value(channel, number), f"{channel}-{number}", "active",
                 "granted", 0, account, joined)
            )  # fmt: skip
        yield {"member": (_MEMBER, people), "address": (_ADDRESS, addresses)}


def value(channel: str, number: int) -> str:
    """The address of member `number`, of the shape and length that the channel's have."""
    match channel:
        case "sms":
            return phone(number // len(CHANNELS))
        case "email":
            return f"member{number}@example.org"
        case "telegram":
            return str(10_000_000 + number)
        case "slack":
            return f"U{number:010d}"
        case _:
            return f"c{number:021d}:APA91b" + f"{number:x}".rjust(134, "b")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.multitude")
    parser.add_argument("--url", required=True)
    parser.add_argument("--members", type=int, required=True)
    options = parser.parse_args()
    now = datetime.now(UTC)
    asyncio.run(write(options.url, chunks(options.members, now)))
    print(json.dumps({"members": options.members}))


if __name__ == "__main__":
    main()
