"""What one message does to one person, as ``config/simulation.toml`` has it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from router.core.purse import DAY_MS
from router.simulation.calendar import CalendarAsk
from router.simulation.parameters import Parameters
from router.simulation.people import Life

_WEEK_MS, _MONTH_MS = 7 * DAY_MS, 30 * DAY_MS


NOTHING, ANSWERED, STOPPED, LESS = 0, 1, 2, 4
"""What somebody did about a message, added up: a deed or at least something that shows that they are there, such as
opening the link; a STOP to its channel; a dial turned down where it would have been a STOP."""


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """Everybody's behaviour in one setting of annoyance, and what came of it so far."""

    response: Mapping[str, float]
    """channel → the share who act on a first ask."""
    answers: Mapping[str, float]
    """channel → answers of any kind for each deed."""
    opt_out: Mapping[str, float]
    """channel → the share who opt out at a first ask."""
    tiring: tuple[float, ...]
    """What is left of the response after 0, 1, 2 … asks in the last 30 days; the last one holds from there on."""
    growth: float
    less_instead: float
    permission_yes: float
    goes_deaf: float
    """The share of those who did nothing yet who stop reading in a month."""
    draw: random.Random
    actions: int = 0
    surge_actions: int = 0
    """Those of them on asks that could not wait."""
    opt_outs: int = 0
    turned_down: int = 0

    def hear(self, life: Life, ask: CalendarAsk, channel: str, at: int, *, dial: bool = False) -> int:
        """One message arrives at `at`. With `dial` somebody who has enough may write LESS instead of STOP.

        Two messages of one ask count as one ask, and bring one deed at most; each of them may be one too many.
        """
        life.messages += 1
        if life.deaf:
            return NOTHING
        life.reached = True
        asked = life.asked
        if ask.number != life.last_ask:
            life.last_ask = ask.number
            while asked and asked[0] <= at - _MONTH_MS:
                del asked[0]
            asked.append(at)
        heard = NOTHING
        luck = self.draw.random()
        if ask.permission:
            if luck < self.permission_yes:
                heard = ANSWERED
        else:
            chance = self.chance(life, channel, len(asked) - 1)
            if luck < chance * self.answers[channel]:
                heard = ANSWERED
                if luck < chance:
                    self._act(life, ask, at)
        if self.draw.random() < self.hazard(life, channel, at):
            heard += self._too_many(dial=dial)
        return heard

    def chance(self, life: Life, channel: str, before: int) -> float:
        """That they act on one message, after so many other asks in 30 days."""
        tired = self.tiring[before] if before < len(self.tiring) else self.tiring[-1]
        return self.response[channel] * life.person.readiness * tired

    def hazard(self, life: Life, channel: str, at: int) -> float:
        """The chance that one message makes them opt out."""
        rate = self.opt_out[channel] * life.person.annoyance
        if not self.growth:
            return rate
        week = at - _WEEK_MS
        further = -1
        for moment in reversed(life.asked):
            if moment <= week:
                break
            further += 1
        return rate * (1 + self.growth * further) if further > 0 else rate

    def month_passes(self, life: Life) -> None:
        """Some of those who did nothing yet stop reading."""
        if not life.actions and self.draw.random() < self.goes_deaf:
            life.deaf = True

    def _act(self, life: Life, ask: CalendarAsk, at: int) -> None:
        if life.acted_on == ask.number:
            return
        life.acted_on, life.acted_at = ask.number, at
        life.actions += 1
        self.actions += 1
        self.surge_actions += ask.surge

    def _too_many(self, *, dial: bool) -> int:
        if dial and self.draw.random() < self.less_instead:
            self.turned_down += 1
            return LESS
        self.opt_outs += 1
        return STOPPED


def behaviour_of(parameters: Parameters, growth: float, draw: random.Random) -> Behaviour:
    """The behaviour at one of `parameters.annoyance.growth`."""
    fatigue = parameters.fatigue
    return Behaviour(
        response=parameters.response,
        answers=parameters.attention,
        opt_out=parameters.opt_out,
        tiring=tuple(fatigue.response**asks for asks in range(fatigue.until)),
        growth=growth,
        less_instead=parameters.annoyance.less_instead,
        permission_yes=parameters.silence.permission_yes,
        goes_deaf=parameters.silence.month,
        draw=draw,
    )
