"""How many messages of a paced ask the inbox bears: a table, and what must hold for all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.inbox_policy import PARTS, InboxPolicy, room

POLICY = InboxPolicy(alarm_minutes=60, claim_hours=4, threads_per_organizer=20, reply_share=0.1, answer_minutes=30)


@pytest.mark.parametrize(
    ("organizers", "waiting", "recent", "lately", "expected"),
    [
        (1, 0, 0, 0, 33),  # 20 conversations are 200 messages in half an hour, a sixth of them at a time
        (0, 0, 0, 0, 33),  # whoever launched it is there, with a token or without
        (10, 0, 0, 0, 333),
        (1, 0, 0, 33, 0),  # this part is used up
        (1, 0, 180, 0, 20),  # answers to 180 are still to come
        (1, 0, 200, 0, 0),
        (1, 19, 0, 0, 10),
        (1, 20, 0, 0, 0),  # full
        (1, 500, 0, 0, 0),
        (10, 150, 400, 0, 100),
    ],
)
def test_room(organizers: int, waiting: int, recent: int, lately: int, expected: int) -> None:
    assert room(POLICY, organizers, waiting=waiting, recent=recent, lately=lately) == expected


def test_ten_organizers_are_never_handed_ten_thousand_conversations() -> None:
    """Half an hour of sending to 10,000 people of whom all write back, a minute later each: what was let out is seen
    before the inbox is anywhere near them."""
    waiting, sent = 0, [0] * 31
    for minute in range(1, 31):
        waiting += sent[minute - 1]
        lately = sum(sent[max(0, minute - 4) : minute])
        sent[minute] = room(POLICY, 10, waiting=waiting, recent=sum(sent), lately=lately)
    assert sum(sent) <= POLICY.capacity(10) / POLICY.reply_share / PARTS


def test_the_pace_is_what_leaves_while_everybody_is_answered() -> None:
    assert POLICY.per_hour(3) == pytest.approx(1_200)


@given(st.integers(0, 100), st.integers(0, 5_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_what_is_expected_never_passes_what_can_be_borne(
    organizers: int, waiting: int, recent: int, lately: int
) -> None:
    free = room(POLICY, organizers, waiting=waiting, recent=recent, lately=lately)
    assert free >= 0
    if free:
        assert waiting + POLICY.reply_share * (recent + free) <= POLICY.capacity(organizers) + 1e-6
