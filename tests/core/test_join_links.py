"""Join links: a member's own, for a while, and nobody else's making."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.join_links import join_token, read_join_token
from router.core.links import unsubscribe_token
from router.core.model import DeliveryRef

KEY = b"a key of the tests, long enough"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=7)


@given(member=st.integers(0, 2**63 - 1), key=st.binary(min_size=16, max_size=80))
def test_a_token_names_its_member_until_it_is_void(member: int, key: bytes) -> None:
    token = join_token(key, member, LATER)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", token)
    assert read_join_token(key, token, NOW) == member
    assert read_join_token(key, token, LATER - timedelta(seconds=1)) == member
    assert read_join_token(key, token, LATER) is None


@given(place=st.integers(0, 23), bit=st.integers(0, 7))
def test_no_changed_bit_passes(place: int, bit: int) -> None:
    raw = bytearray(urlsafe_b64decode(join_token(KEY, 42, LATER)))
    raw[place] ^= 1 << bit
    assert read_join_token(KEY, urlsafe_b64encode(bytes(raw)).decode(), NOW) is None


TOKEN = join_token(KEY, 42, LATER)


@pytest.mark.parametrize(
    "token",
    [TOKEN.lower(), TOKEN + "=", TOKEN[:-1], TOKEN[:31] + "é", TOKEN[:31] + "=", TOKEN[:30] + "!!", "", "A" * 32],
)
def test_nothing_like_it_passes(token: str) -> None:
    assert read_join_token(KEY, token, NOW) is None


def test_another_key_or_kind_does_not_pass() -> None:
    assert read_join_token(b"another key of the tests", join_token(KEY, 42, LATER), NOW) is None
    assert read_join_token(KEY, unsubscribe_token(KEY, DeliveryRef(202611, 42)), NOW) is None
    with pytest.raises(ValueError, match="key"):
        join_token(b"short", 42, LATER)
    for member, expires in ((-1, LATER), (2**63, LATER), (1, datetime(1960, 1, 1, tzinfo=UTC))):
        with pytest.raises(ValueError, match="no such"):
            join_token(KEY, member, expires)
