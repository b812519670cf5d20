"""Whose turn it is among campaigns, as a table; and that organizers end up with equal shares whatever they launch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.fairness import Contender, Turn, next_turn
from router.core.model import Lane

EVENING = datetime(2026, 11, 20, 20, tzinfo=UTC)


def one(campaign: int, organizer: str = "ana", **values: object) -> Contender:
    plain = Contender(
        campaign=campaign,
        organizer=organizer,
        lane=Lane.NORMAL,
        priority=0,
        expires_at=EVENING,
        reached=0,
        waiting=True,
    )
    return replace(plain, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("running", "turn"),
    [
        ([], None),
        ([one(1, waiting=False)], None),
        ([one(1)], Turn(1, contested=False)),
        # the urgent lane, then the priority, whoever came first and whatever they reached
        ([one(1, priority=9), one(2, "dan", lane=Lane.URGENT, reached=99)], Turn(2, contested=False)),
        ([one(1), one(2, "dan", priority=1, reached=99), one(3, priority=-1)], Turn(2, contested=False)),
        # among equals the organizer who reached the fewest, by all their asks together
        ([one(1, reached=5), one(2, "dan", reached=4)], Turn(2, contested=True)),
        ([one(1, reached=3), one(2, reached=3), one(3, "dan", reached=5)], Turn(3, contested=True)),
        ([one(1, reached=9, waiting=False), one(2), one(3, "dan", reached=5)], Turn(3, contested=True)),
        # what another rank reached is not held against anybody
        ([one(1, priority=5, reached=9, waiting=False), one(2), one(3, "dan", reached=5)], Turn(2, contested=True)),
        # of an organizer's own asks the one that runs out first, then the one that was made first
        ([one(1), one(2, expires_at=EVENING - timedelta(hours=1))], Turn(2, contested=False)),
        ([one(2), one(1)], Turn(1, contested=False)),
        # who has nothing left to route competes with nobody
        ([one(1), one(2, "dan", waiting=False)], Turn(1, contested=False)),
    ],
)
def test_whose_turn_it_is(running: list[Contender], turn: Turn | None) -> None:
    assert next_turn(running) == turn


@given(st.lists(st.integers(1, 5), min_size=2, max_size=5), st.integers(5, 60))
def test_organizers_share_evenly_whatever_each_launches(asks_of: list[int], parts: int) -> None:
    """Everybody wants the same people, who have room for one ask; each part of the audience holds one person."""
    running = [
        one(100 * number + ask, f"organizer{number}") for number, asks in enumerate(asks_of) for ask in range(asks)
    ]
    places = {contender.campaign: 0 for contender in running}
    free = set(range(parts))
    while (turn := next_turn(running)) is not None:
        place = places[turn.campaign]
        places[turn.campaign] += 1
        won = place in free
        free.discard(place)
        running = [
            replace(contender, reached=contender.reached + won, waiting=places[contender.campaign] < parts)
            if contender.campaign == turn.campaign
            else contender
            for contender in running
        ]
    shares = [
        sum(contender.reached for contender in running if contender.organizer == f"organizer{number}")
        for number in range(len(asks_of))
    ]
    assert sum(shares) == parts
    assert max(shares) - min(shares) <= 1
