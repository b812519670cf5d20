"""What the campaigns ask in the year, the same for every arm."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from router.core.policy import LifetimePolicy
from router.core.purse import to_ms
from router.simulation.parameters import Parameters
from router.simulation.people import BEGIN

_HOURS = (14, 20)
"""Asks leave between these hours UTC: morning in America, afternoon in Europe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarAsk:
    """One ask to everybody. `number` counts from 1 in order of time."""

    number: int
    campaign: int
    at: datetime
    at_ms: int
    expires_at: datetime
    deadline: datetime | None = None
    priority: int = 0
    surge: bool = False
    """It cannot wait: urgent, and a second approver raised the budget for it."""
    permission: bool = False
    """Only those who fell silent get it, and only from the router: whether they still want to hear from us."""


def make_calendar(parameters: Parameters, lifetime: LifetimePolicy, weeks: int, seed: int) -> list[CalendarAsk]:
    """The asks of so many weeks, in order of time."""
    draw = random.Random(f"calendar {seed}")  # noqa: S311 (a made-up year, no secret)
    rules = parameters.calendar
    normal = timedelta(hours=lifetime.normal_hours)
    asks = []
    for week in range(weeks):
        for _ in range(draw.randint(*rules.asks_a_week)):
            at = _moment(draw, 7 * week, 5)
            days = draw.randint(*rules.deadline_days) if draw.random() < rules.deadline_share else 0
            deadline = at + timedelta(days=days) if days else None
            asks.append(
                _ask(
                    at,
                    min(at + normal, deadline or at + normal),
                    campaign=draw.randint(1, rules.campaigns),
                    priority=draw.choices(list(rules.priorities), list(rules.priorities.values()))[0],
                    deadline=deadline,
                )
            )
    for _ in range(round(rules.surges * weeks / 52)):
        at = _moment(draw, 0, 7 * weeks)
        over = at + timedelta(hours=lifetime.urgent_hours)
        campaign = draw.randint(1, rules.campaigns)
        asks.append(_ask(at, over, campaign=campaign, priority=rules.surge_priority, deadline=over, surge=True))
    for day in range(rules.permission_days, 7 * weeks, rules.permission_days):
        at = BEGIN + timedelta(days=day, hours=_HOURS[0])
        asks.append(_ask(at, at + normal, permission=True))
    asks.sort(key=lambda one: one.at)
    return [replace(one, number=number) for number, one in enumerate(asks, 1)]


def _ask(at: datetime, expires_at: datetime, *, campaign: int = 0, **values: Any) -> CalendarAsk:
    return CalendarAsk(number=0, campaign=campaign, at=at, at_ms=to_ms(at), expires_at=expires_at, **values)


def _moment(draw: random.Random, first_day: int, days: int) -> datetime:
    """A minute in the office hours of one of so many days."""
    minute = draw.randrange(60 * _HOURS[0], 60 * _HOURS[1])
    return BEGIN + timedelta(days=first_day + draw.randrange(days), minutes=minute)
