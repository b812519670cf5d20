"""The members and the message of a bench, the same for every row and its yardstick.

A bench needs a million different telephones, and the ranges that regulators keep free for fiction hold some
seventeen thousand. So these are made up here, at run time, in the exchange 555 of real North American area codes:
they look valid, stand in no file of this repository and are only ever sent to a sandbox on this machine.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

KEY = "the-key-of-every-bench-guards-nothing"
WEBHOOK = "http://127.0.0.1:9/hooks/sms/main"
VALID_SECONDS = 36_000
BODY = (
    "Our movement: the vote is on Tuesday at six. Can you come to the hall at five? "
    "Reply YES and bring a neighbour. STOP ends."
)
"""One GSM-7 segment."""

_AREA_CODES = (
    "202 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 253 254 "
    "256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321 323 "
    "330 334 336 337 339 347 351 352 360 361 385 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 "
    "425 432 434 435 440 443 469 470 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520"
)
AREAS = tuple(_AREA_CODES.split())

COLUMNS = (
    "First Name", "Last Name", "Mobile", "E-mail", "Country", "Time zone", "Language", "Tags",
    "SMS consent", "Email consent", "Consent source", "Consent date", "Joined",
)  # fmt: skip

_MIDDAY_ZONES = (
    "America/New_York", "America/Los_Angeles", "Pacific/Auckland", "Asia/Tokyo", "Asia/Kolkata", "Europe/Berlin",
    "Pacific/Honolulu", "America/Sao_Paulo", "Asia/Dubai", "Australia/Sydney", "America/Anchorage", "Asia/Karachi",
)  # fmt: skip


def phone(number: int) -> str:
    """The telephone of member `number`, in E.164; different for a million of them."""
    area, line = divmod(number, 10_000)
    return f"+1{AREAS[area]}555{line:04}"


def midday_zone(now: datetime) -> str:
    """A time zone in which it is the middle of the day, so that no quiet hours defer what a bench wants to measure."""
    return min(_MIDDAY_ZONES, key=lambda zone: abs(now.astimezone(ZoneInfo(zone)).hour - 13))


def bench_rows(members: int, *, now: datetime | None = None) -> Iterator[dict[str, str]]:
    """`members` rows of a file to import: each with a telephone of their own, a mailbox and consent to both."""
    zone = midday_zone(now or datetime.now(UTC))
    for number in range(members):
        yield {
            "First Name": f"First{number % 977}",
            "Last Name": f"Last{number}",
            "Mobile": phone(number),
            "E-mail": f"member{number}@example.org",
            "Country": "US",
            "Time zone": zone,
            "Language": "en",
            "Tags": "tenant" if number % 3 else "tenant;steward",
            "SMS consent": "yes",
            "Email consent": "yes",
            "Consent source": "sign-up form",
            "Consent date": "2026-03-01",
            "Joined": "2025-05-01",
        }


def write_bench_csv(path: Path, members: int) -> None:
    """`bench_rows` as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(bench_rows(members))
