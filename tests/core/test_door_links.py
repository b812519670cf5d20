"""Tokens of a member's own page: only ours, only for a while, only for what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.door_links import EPOCHS, Door, door_token, read_door_token
from router.core.join_links import ideas_token, join_token

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


@given(st.integers(0, 2**63 - 1), st.integers(0, EPOCHS - 1))
def test_a_token_says_whose_page_it_opens_until_it_is_too_old(member: int, epoch: int) -> None:
    token = door_token(KEY, Door(member, epoch), LATER)
    assert read_door_token(KEY, token, NOW) == (member, epoch)
    assert read_door_token(KEY, token, LATER) is None
    assert read_door_token(b"another key of the same length..", token, NOW) is None
    assert token.isascii()
    assert "=" not in token


@given(st.integers(0, 35), st.sampled_from("AZaz09-_=+/ é"))
def test_one_other_character_opens_nothing(place: int, other: str) -> None:
    token = door_token(KEY, Door(7, 1), LATER)
    changed = token[:place] + other + token[place + 1 :]
    assert read_door_token(KEY, changed, NOW) == (None if changed != token else Door(7, 1))


@pytest.mark.parametrize("token", ["", "A" * 36, join_token(KEY, 7, LATER), ideas_token(KEY, 7, LATER), "é" * 36])
def test_no_other_link_of_ours_is_a_key_to_it(token: str) -> None:
    assert read_door_token(KEY, token, NOW) is None


@pytest.mark.parametrize("door", [Door(-1, 0), Door(2**63, 0), Door(1, -1), Door(1, EPOCHS)])
def test_what_cannot_be_has_no_token(door: Door) -> None:
    with pytest.raises(ValueError, match="no such"):
        door_token(KEY, door, LATER)
