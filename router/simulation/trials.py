"""All arms in all settings with all seeds, spread over processes. Same seed, same numbers, however many processes."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from router.core.policy import Policy, read_policy
from router.core.quiet_hours import QuietHours
from router.core.routing import House
from router.settings import Settings, load_toml
from router.simulation.behaviour import behaviour_of
from router.simulation.calendar import CalendarAsk, make_calendar
from router.simulation.everyone import Everyone
from router.simulation.parameters import Parameters, read_parameters
from router.simulation.people import BEGIN, Life, make_people
from router.simulation.routed import Routed
from router.simulation.year import Arm, World, Year, live

EMAIL, CAPPED, BOTH, ROUTER = "email everyone", "email, same caps", "email + SMS everyone", "router"


ARMS = (EMAIL, CAPPED, BOTH, ROUTER)
"""In the order in which they are shown."""


def make_arm(name: str, world: World, channels: frozenset[str]) -> Arm:
    """One of `ARMS`, at the beginning of its year. The movement has these channels."""
    if name == EMAIL:
        return Everyone(world, frozenset({"email"}))
    if name == BOTH:
        return Everyone(world, frozenset({"email", "sms"}))
    if name == CAPPED:
        return Routed(world, frozenset({"email"}), router=False)
    return Routed(world, channels, router=True)


@dataclass(frozen=True)
class Rules:
    """The files that a simulation reads, as they are; each is checked when it is first needed."""

    policy_file: Mapping[str, Any]
    quiet_hours_file: Mapping[str, Any]
    simulation_file: Mapping[str, Any]

    @cached_property
    def policy(self) -> Policy:
        """The rules of the house."""
        return read_policy(self.policy_file)

    @cached_property
    def house(self) -> House:
        """What routing obeys of them."""
        return House(budget=self.policy.budget_rules, quiet_hours=QuietHours.from_toml(self.quiet_hours_file))

    @cached_property
    def parameters(self) -> Parameters:
        """What is assumed of people."""
        return read_parameters(self.simulation_file)


@dataclass(frozen=True, slots=True, order=True)
class Trial:
    """One arm's year in one setting with one seed."""

    seed: int
    growth: float
    arm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the movement is, and how long its year."""

    members: int
    weeks: int


def load_rules(settings: Settings) -> Rules:
    """The shipped files, or the operator's own."""
    return Rules(*(load_toml(name, settings) for name in ("policy", "quiet_hours", "simulation")))


def run_trials(
    rules: Rules, size: Size, seeds: int, *, jobs: int = 1, done: Callable[[Trial], None] = lambda trial: None
) -> dict[Trial, Year]:
    """Play all of them; `done` is told of each one that is over."""
    parameters = rules.parameters
    growths = parameters.annoyance.growth
    trials = [Trial(seed, growth, arm) for seed in range(1, seeds + 1) for growth in growths for arm in ARMS]
    years: dict[Trial, Year] = {}
    if jobs == 1:
        for trial in trials:
            years[trial] = play(rules, size, trial)
            done(trial)
        return years
    # Spawned, because a process that shows progress has threads and must not be forked.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {trial: pool.submit(play, rules, size, trial) for trial in trials}
        for trial, future in futures.items():
            years[trial] = future.result()
            done(trial)
    return years


def play(rules: Rules, size: Size, trial: Trial) -> Year:
    """One trial. Its people and its calendar depend on the seed alone, its luck on all of the trial."""
    world = world_of(rules, size, trial)
    arm = make_arm(trial.arm, world, frozenset(rules.parameters.movement.channels))
    return live(arm, world, calendar_of(rules, size, trial.seed), BEGIN + timedelta(weeks=size.weeks))


def world_of(rules: Rules, size: Size, trial: Trial) -> World:
    """What the trial's arm acts in, on the first morning of its year."""
    parameters = rules.parameters
    luck = random.Random(f"luck {trial.seed} {trial.growth} {trial.arm}")  # noqa: S311 (made-up luck)
    people = make_people(parameters, size.members, trial.seed)
    return World(
        lives=[Life(person, number) for number, person in enumerate(people)],
        behaviour=behaviour_of(parameters, trial.growth, luck),
        policy=rules.policy,
        house=rules.house,
        texts=int(parameters.calendar.surge_texts * size.members),
    )


def calendar_of(rules: Rules, size: Size, seed: int) -> list[CalendarAsk]:
    """The asks of the year."""
    return make_calendar(rules.parameters, rules.policy.lifetime, size.weeks, seed)
