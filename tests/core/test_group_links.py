"""Tokens of a group's link: what Telegram takes, nobody else can make, and names no person."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.group_links import FromGroup, group_token, read_group_token
from router.core.join_links import join_token, read_join_token

KEY = b"k" * 32
NUMBER = st.integers(0, 2**63 - 1)


@given(NUMBER, NUMBER)
def test_it_names_group_and_ask_in_what_telegram_takes(group: int, campaign: int) -> None:
    token = group_token(KEY, group, campaign)
    assert re.fullmatch(r"[A-Za-z0-9_-]{40}", token)
    assert read_group_token(KEY, token) == FromGroup(group, campaign)
    assert read_group_token(b"j" * 32, token) is None


@given(st.integers(0, 39), st.sampled_from("Aa0_-"))
def test_altered_it_is_nobodys(place: int, sign: str) -> None:
    token = group_token(KEY, 7, 9)
    altered = token[:place] + sign + token[place + 1 :]
    assert (read_group_token(KEY, altered) is None) is (altered != token)


@given(st.text(max_size=50))
def test_no_words_are_a_token(words: str) -> None:
    assert read_group_token(KEY, words) is None


def test_no_token_of_one_kind_passes_as_the_other() -> None:
    now = datetime(2026, 11, 19, tzinfo=UTC)
    assert read_group_token(KEY, join_token(KEY, 7, now)) is None
    assert read_join_token(KEY, group_token(KEY, 7, 9), now) is None


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1), (2**63, 0)])
def test_numbers_that_cannot_be_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="number"):
        group_token(KEY, *numbers)
