"""Every state of a ledger model that can be reached, looked at once, nearest first.

What must hold in each: `wrong_with`. And from each there must be a way to the end without any further fault: nothing
is ever stuck. Where one does not hold, the shortest way there is the answer.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from tests.support.ledger_model import Model
from tests.support.ledger_state import (
    ANSWERED,
    COSTS,
    FAILED,
    IDLE,
    NEVER,
    NOBODY,
    QUEUED,
    SENDING,
    UNKNOWN,
    Scene,
    State,
)


class Found(NamedTuple):
    """What a search came to."""

    states: int
    wrong: str = ""
    """What does not hold; "" where everything does."""
    trace: tuple[str, ...] = ()
    """The steps that lead there."""


class TooMany(Exception):
    """The scene has more states than were to be looked at."""


def search(scene: Scene, off: frozenset[str] = frozenset(), *, most: int = 2_000_000) -> Found:
    """Look at all states of a scene without the rules that are `off`. Raises `TooMany`."""
    model = Model(scene, off)
    first = scene.first()
    came_from: dict[State, State | None] = {first: None}
    leads_here: dict[State, list[State]] = {first: []}
    ended: list[State] = []
    waiting = deque([first])
    while waiting:
        state = waiting.popleft()
        if is_over(state):
            ended.append(state)
        for _, sure, then in model.steps(state):
            one = one_of_its_likes(then)
            if one not in came_from:
                came_from[one] = state
                leads_here[one] = []
                if wrong := wrong_with(scene, one):
                    return Found(len(came_from), wrong, _trace(model, came_from, one))
                if len(came_from) > most:
                    raise TooMany(f"{scene.name}: more than {most:,} states")
                waiting.append(one)
            if sure:
                leads_here[one].append(state)
    saved = set(ended)
    back = deque(ended)
    while back:
        for state in leads_here[back.popleft()]:
            if state not in saved:
                saved.add(state)
                back.append(state)
    for state in came_from:  # in the order in which they were found: the nearest comes first
        if state not in saved:
            return Found(len(came_from), "something is stuck", _trace(model, came_from, state))
    return Found(len(came_from))


def wrong_with(scene: Scene, state: State) -> str:
    """What must never be; "" where all is well."""
    if state.wrong:
        return state.wrong
    arrived: dict[tuple[int, int], int] = {}
    owed = [0] * scene.members
    for row, one in enumerate(state.rows):
        ask = (scene.campaign_of(scene.batch_of(row)), scene.address_of(row))
        arrived[ask] = arrived.get(ask, 0) + one.taken - (one.fate == FAILED)
        owed[scene.member_of(row)] += one.status in COSTS
    if max(arrived.values()) > 1:
        return "a member gets one ask twice"
    if tuple(owed) != state.spent:
        return "the budget is not what was spent"
    if max(owed) > scene.cap:
        return "a member is over budget"
    return ""


def is_over(state: State) -> bool:
    """Whether everything has come to a good end."""
    return (
        all(worker.does == IDLE for worker in state.workers)
        and not any(batch.open for batch in state.batches)
        and all(one.status not in (QUEUED, SENDING) and not one.air for one in state.rows)
        and not any(one.status == UNKNOWN and one.told for one in state.rows)
        and all(routed or gone for routed, gone in zip(state.routed, state.cancelled, strict=True))
        and all(stop in (NEVER, ANSWERED) for stop in state.stop)
    )


def one_of_its_likes(state: State) -> State:
    """The same state for all that differ only in which worker is which."""
    if len(state.workers) == 2 and state.workers[1] < state.workers[0]:
        return _swapped(state)
    if len(state.workers) == 2 and state.workers[0] == state.workers[1]:
        return min(state, _swapped(state))
    return state


def _swapped(state: State) -> State:
    names = {NOBODY: NOBODY, 0: 1, 1: 0}
    return state._replace(
        rows=tuple(row if row.claim == NOBODY else row._replace(claim=names[row.claim]) for row in state.rows),
        batches=tuple(
            batch if batch.owner == NOBODY else batch._replace(owner=names[batch.owner]) for batch in state.batches
        ),
        workers=(state.workers[1], state.workers[0]),
    )


def _trace(model: Model, came_from: dict[State, State | None], state: State) -> tuple[str, ...]:
    """The steps on the way to a state, with each worker under one name from the first to the last."""
    way = [state]
    while (before := came_from[way[-1]]) is not None:
        way.append(before)
    now, steps = way.pop(), []
    while way:
        following = way.pop()
        what, now = next((what, then) for what, _, then in model.steps(now) if one_of_its_likes(then) == following)
        steps.append(what)
    return tuple(steps)
