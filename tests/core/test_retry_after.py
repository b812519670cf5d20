"""``Retry-After``: a number, a date, or nothing that can be meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from router.core.channel import HttpReply
from router.core.retry_after import LONGEST_WAIT, retry_after

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("99999999", LONGEST_WAIT),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 12:01:30 -0000", 90.0),  # a date that names no zone is taken for UTC
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2099 11:00:00 GMT", LONGEST_WAIT),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("123456789", None),
        ("", None),
    ],
)
def test_how_long_it_asks_us_to_wait(header: str, seconds: float | None) -> None:
    assert retry_after(HttpReply(status=429, headers={"retry-after": header}, body=b""), NOW) == seconds


def test_without_the_header_nothing_is_asked() -> None:
    assert retry_after(HttpReply(status=429, headers={}, body=b""), NOW) is None
