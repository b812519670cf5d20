"""One arm's year: the calendar is gone through ask by ask, and what the messages do is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from router.core.policy import Policy
from router.core.purse import DAY_MS
from router.core.routing import House
from router.simulation.behaviour import Behaviour
from router.simulation.calendar import CalendarAsk
from router.simulation.people import BEGIN_MS, Life

_MONTH_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What came of one arm's year: people, but for messages, actions, opt-outs and dials."""

    members: int
    reached: int
    """Who got at least one ask while they still read us: one that they could act on."""
    reachable: int
    """Who could still be written to at the year's end: a working address on a channel of this arm, and no stop."""
    let_go: int
    """Those of them whom the rule of silence leaves alone though they never said stop; the router's only."""
    messages: int
    median: int
    """Messages to the person in the middle."""
    p90: int
    """Messages that nine in ten stay within."""
    actions: int
    surge_actions: int
    opt_outs: int
    turned_down: int


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What an arm acts in."""

    lives: Sequence[Life]
    behaviour: Behaviour
    policy: Policy
    house: House
    texts: int
    """So many texts leave before a surge is over."""


@dataclass(frozen=True, slots=True)
class End:
    """How an arm leaves the movement: see `Year`."""

    reachable: int
    let_go: int = 0


class Arm(Protocol):
    """A way of asking."""

    def ask(self, ask: CalendarAsk) -> None:
        """Ask everybody, as this arm does it."""

    def finish(self, end: datetime) -> End:
        """Let arrive what still waits for a moment before `end`, and count who is left."""


def live(arm: Arm, world: World, asks: Sequence[CalendarAsk], end: datetime) -> Year:
    """Go through the calendar."""
    behaviour, lives = world.behaviour, world.lives
    month = BEGIN_MS + _MONTH_MS
    for ask in asks:
        while month <= ask.at_ms:
            for life in lives:
                behaviour.month_passes(life)
            month += _MONTH_MS
        arm.ask(ask)
    left = arm.finish(end)
    messages = sorted(life.messages for life in lives)
    return Year(
        members=len(lives),
        reached=sum(life.reached for life in lives),
        reachable=left.reachable,
        let_go=left.let_go,
        messages=sum(messages),
        median=messages[len(messages) // 2],
        p90=messages[len(messages) * 9 // 10],
        actions=behaviour.actions,
        surge_actions=behaviour.surge_actions,
        opt_outs=behaviour.opt_outs,
        turned_down=behaviour.turned_down,
    )
