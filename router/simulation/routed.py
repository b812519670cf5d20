"""Asking within the contact budget, by the router's real decisions: `core.routing`, `core.budget`, `core.turns`.

What is around them in the program is played in its simplest form: a reserved ask waits for its moment and leaves then,
a bounce falls back to the next address, an answer ends a silence, a more important ask takes the slot of a lesser one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router.core import budget
from router.core import purse as purses
from router.core.attention import BudgetAsk, Dial
from router.core.consent import Allow, check
from router.core.model import AskKind, Reason
from router.core.purse import DAY_MS, Slot, from_ms, to_ms
from router.core.routing import Deliver, Hold, Plan, recipient_of, route
from router.core.turns import Standing, in_turn
from router.simulation.behaviour import ANSWERED, LESS, STOPPED
from router.simulation.calendar import CalendarAsk
from router.simulation.people import BEGIN, Life
from router.simulation.states import Groups, State, Waiting, first_state
from router.simulation.year import End, World

_TEXT = "sms"

_Some = tuple[State, list[Life]]


@dataclass(frozen=True, slots=True)
class _Decided:
    """What is decided for some people. Where something must give way for it: their state without it, and what it is."""

    state: State
    lives: list[Life]
    verdict: Deliver | Hold
    without: State | None = None
    loser: Waiting | None = None


class Routed:
    """Asks on these channels. With `router` everything counts; without it only the caps and the hours of the house:
    no answers, no priorities, no dial."""

    def __init__(self, world: World, channels: frozenset[str], *, router: bool) -> None:
        self._world = world
        self._house = world.house
        self._channels = channels
        self._router = router
        self._seen = ANSWERED | STOPPED | LESS if router else STOPPED
        self._groups = Groups()
        for life in world.lives:
            self._groups.add(self._aged(first_state(life.person, channels), BEGIN), [life])

    def ask(self, ask: CalendarAsk) -> None:
        """See `Arm`."""
        if ask.permission and not self._router:
            return
        self._arrive(ask.at_ms)
        plan = self._plan(ask)
        decided = [self._decide(self._aged(state, ask.at), lives, ask, plan) for state, lives in self._groups.items()]
        if ask.surge:
            decided = self._few_texts(decided, ask, plan)
        self._groups = Groups()
        for one in decided:
            for state, lives in self._done(one, ask, plan):
                self._groups.add(state, lives)

    def finish(self, end: datetime) -> End:
        """See `Arm`."""
        over = to_ms(end)
        self._arrive(over)
        month = end + timedelta(days=30)
        last = CalendarAsk(number=0, campaign=0, at=end, at_ms=over, expires_at=month)
        plan = self._plan(last)
        reachable = let_go = 0
        for state, lives in self._groups.items():
            open_ = [address.channel for address in state.member.addresses if isinstance(check(address), Allow)]
            left = sum(any(life.person.dies_at[channel] > over for channel in open_) for life in lives)
            verdict = route(state.member, plan, self._house, now=end)
            reachable += left
            if isinstance(verdict, Hold) and verdict.reason in (Reason.SILENT, Reason.LET_GO):
                let_go += left
        return End(reachable, let_go)

    def _aged(self, state: State, now: datetime) -> State:
        return state.aged(now - timedelta(milliseconds=self._house.budget.newcomer_ms))

    def _plan(self, ask: CalendarAsk) -> Plan:
        return Plan(
            kind=AskKind.ASK,
            budget=BudgetAsk(
                campaign=ask.campaign,
                priority=ask.priority if self._router else 0,
                deadline=ask.deadline,
                urgent=ask.surge,
                override=ask.surge and self._router,
                answerable=self._router,
                permission=ask.permission,
            ),
            channels=self._channels,
            earliest=ask.at,
            expires_at=ask.expires_at,
        )

    def _decide(
        self, state: State, lives: list[Life], ask: CalendarAsk, plan: Plan, full: Set[str] = frozenset()
    ) -> _Decided:
        """The one decision for all of these."""
        if ask.permission and not self._is_silent(state, ask.at_ms):
            return _Decided(state, lives, Hold(Reason.CAP))
        simple = not (ask.permission or plan.budget.override or state.waiting)
        if simple and state.room(self._house, ask.at) >= ask.expires_at:
            return _Decided(state, lives, Hold(Reason.CAP))
        verdict = route(state.member, plan, self._house, now=ask.at, full=full)
        if isinstance(verdict, Hold) and verdict.reason is Reason.CAP and self._router and state.waiting:
            return self._make_room(_Decided(state, lives, verdict), ask, plan, full)
        return _Decided(state, lives, verdict)

    def _few_texts(self, decided: list[_Decided], ask: CalendarAsk, plan: Plan) -> list[_Decided]:
        """Those whose turn it is get the texts; the others what else there is, or nothing."""
        by_text = {life.number: (life, one.state) for one in decided if _is_text(one.verdict) for life in one.lives}
        if len(by_text) <= self._world.texts:
            return decided
        numbers = list(by_text)
        if self._router:
            since = ask.at_ms - self._world.policy.surge.acted_days * DAY_MS
            standings = [
                Standing(
                    life.number,
                    acted_at=life.acted_at if life.acted_at > since else 0,
                    asked_at=max((slot.at for slot in state.member.purse.slots), default=0),
                )
                for life, state in by_text.values()
            ]
            numbers = in_turn(standings, self._world.policy.surge.newcomers_share, salt=ask.number)
        first = frozenset(numbers[: self._world.texts])
        after: list[_Decided] = []
        for one in decided:
            if not _is_text(one.verdict):
                after.append(one)
                continue
            now = [life for life in one.lives if life.number in first]
            others = [life for life in one.lives if life.number not in first]
            if now:
                after.append(replace(one, lives=now))
            if others:
                other = self._decide(one.state, others, ask, plan, frozenset({_TEXT}))
                late = _is_text(other.verdict)
                after.append(_Decided(one.state, others, Hold(Reason.TOO_SLOW)) if late else other)
        return after

    def _done(self, one: _Decided, ask: CalendarAsk, plan: Plan) -> list[_Some]:
        """What was decided, done; a loser takes its next free slot before its end, or is left out."""
        if isinstance(one.verdict, Hold):
            return [(one.state, one.lives)]
        after = self._reserve(one.without or one.state, one.lives, ask, plan, one.verdict, ask.at)
        if one.loser is None:
            return after
        again: list[_Some] = []
        for state, lives in after:
            verdict = route(state.member, one.loser.plan, self._house, now=ask.at)
            if isinstance(verdict, Deliver):
                again += self._reserve(state, lives, one.loser.ask, one.loser.plan, verdict, ask.at)
            else:
                again.append((state, lives))
        return again

    def _reserve(
        self, state: State, lives: list[Life], ask: CalendarAsk, plan: Plan, verdict: Deliver, now: datetime
    ) -> list[_Some]:
        """Write the ask into the purse; it leaves at once where its moment is now."""
        member = state.member
        purse = budget.book(
            member.purse,
            plan.budget,
            self._house.budget,
            delivery=ask.number,
            channel=verdict.address.channel,
            at=verdict.not_before,
            now=now,
            recipient=recipient_of(member, self._house, now),
        )
        state = state.with_purse(purse)
        one = Waiting(to_ms(verdict.not_before), ask, plan, verdict.address.id)
        if verdict.not_before <= now:
            return self._send(state, lives, one)
        waiting = tuple(sorted((*state.waiting, one), key=lambda other: other.at))
        return [(State(state.member, waiting), lives)]

    def _arrive(self, until: int) -> None:
        """What waited for a moment up to now leaves, in order of time."""
        groups = Groups()
        todo = list(reversed(self._groups.items()))
        while todo:
            state, lives = todo.pop()
            if not state.waiting or state.waiting[0].at > until:
                groups.add(state, lives)
                continue
            first, *rest = state.waiting
            state = State(state.member, tuple(rest))
            if isinstance(check(state.address(first.address)), Allow):
                todo += self._send(state, lives, first)
            else:
                todo.append((state.with_purse(purses.refund(state.member.purse, (first.ask.number,))), lives))
        self._groups = groups

    def _send(self, state: State, lives: list[Life], one: Waiting) -> list[_Some]:
        """One delivery leaves to each of these people; they go different ways from here."""
        channel = state.address(one.address).channel
        hear = self._world.behaviour.hear
        dial = self._router and state.member.dial is Dial.EVERYTHING
        bounced: list[Life] = []
        by_outcome: dict[int, list[Life]] = defaultdict(list)
        for life in lives:
            if life.person.dies_at[channel] <= one.at:
                bounced.append(life)
            else:
                by_outcome[hear(life, one.ask, channel, one.at, dial=dial) & self._seen].append(life)
        stops = frozenset(self._world.policy.stop_covers.get(channel, [channel]))
        after = [(state.heard(one, heard, stops), some) for heard, some in by_outcome.items()]
        return after + self._fall_back(state.bounced(one), bounced, one) if bounced else after

    def _fall_back(self, state: State, lives: list[Life], one: Waiting) -> list[_Some]:
        """Non-delivery is proven, so the next address has its turn at once."""
        now = from_ms(one.at)
        verdict = route(state.member, one.plan, self._house, now=now, without={one.address})
        if isinstance(verdict, Deliver):
            return self._reserve(state, lives, one.ask, one.plan, verdict, now)
        return [(state, lives)]

    def _make_room(self, one: _Decided, ask: CalendarAsk, plan: Plan, full: Set[str]) -> _Decided:
        """Let a lesser ask that still waits give way (DESIGN.md 6, rule 16)."""
        member, waiting = one.state.member, one.state.waiting
        victim = self._victim(one.state, ask, plan, full)
        if victim is None:
            return one
        loser = next(other for other in waiting if other.ask.number == victim.delivery)
        left = tuple(other for other in waiting if other is not loser)
        state = State(one.state.with_purse(purses.refund(member.purse, (victim.delivery,))).member, left)
        verdict = route(state.member, plan, self._house, now=ask.at, full=full)
        return one if isinstance(verdict, Hold) else _Decided(one.state, one.lives, verdict, state, loser)

    def _victim(self, state: State, ask: CalendarAsk, plan: Plan, full: Set[str]) -> Slot | None:
        member, house = state.member, self._house
        for address in member.addresses:
            if address.channel not in plan.channels or address.channel in full or not isinstance(check(address), Allow):
                continue
            window = house.quiet_hours.window(address.channel, member.zone, member.country, ask.at)
            if window.opens_at >= plan.expires_at:
                continue
            victim = budget.pick_victim(
                member.purse,
                plan.budget,
                house.budget,
                channel=address.channel,
                at=max(ask.at, window.opens_at),
                until=plan.expires_at,
                recipient=recipient_of(member, house, ask.at),
            )
            if victim is not None:
                return victim
        return None

    def _is_silent(self, state: State, now: int) -> bool:
        """Whether an ask for permission is for these people."""
        since = state.member.purse.open_since()
        return bool(since) and since + self._house.budget.silence_ms <= now


def _is_text(verdict: Deliver | Hold) -> bool:
    return isinstance(verdict, Deliver) and verdict.address.channel == _TEXT
