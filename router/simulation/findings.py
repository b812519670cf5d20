"""What differs between the arms, and what does not: pure arithmetic on the years that were played."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from router.simulation.trials import ARMS, CAPPED, ROUTER, Trial
from router.simulation.year import Year

Years = Mapping[Trial, Year]


@dataclass(frozen=True, slots=True)
class Spread:
    """One measure over the seeds."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to tell arms apart by. `name` fits into "fewer …" and "more …"."""

    name: str
    of: Callable[[Year], float]
    more_is_better: bool = True


ACTIONS = Measure("actions", lambda year: year.actions)
SURGE_ACTIONS = Measure("actions on asks that could not wait", lambda year: year.surge_actions)
YIELD = Measure("actions for 1,000 messages", lambda year: 1000 * year.actions / (year.messages or 1))
REACHED = Measure("people reached", lambda year: year.reached)
REACHABLE = Measure("people who can still be written to", lambda year: year.reachable)
LISTENING = Measure("people who would still be asked", lambda year: year.reachable - year.let_go)
MESSAGES = Measure("messages", lambda year: year.messages, more_is_better=False)
OPT_OUTS = Measure("opt-outs", lambda year: year.opt_outs, more_is_better=False)

MEASURES = (ACTIONS, SURGE_ACTIONS, YIELD, REACHED, REACHABLE, LISTENING, MESSAGES, OPT_OUTS)


class Verdict(Enum):
    """How the router stands against another arm."""

    WINS = "wins with every seed"
    LOSES = "loses with every seed"
    EVEN = "the seeds disagree"


@dataclass(frozen=True, slots=True)
class Difference:
    """The router against another arm in one measure and setting. `ratio`: router over rival, by seed."""

    measure: Measure
    rival: str
    growth: float
    ratio: Spread
    verdict: Verdict


def growths_of(years: Years) -> list[float]:
    """The settings that were played."""
    return sorted({trial.growth for trial in years})


def seeds_of(years: Years) -> list[int]:
    """The seeds that were played."""
    return sorted({trial.seed for trial in years})


def spread(values: Sequence[float]) -> Spread:
    """Mean and range."""
    return Spread(sum(values) / len(values), min(values), max(values))


def spread_of(years: Years, growth: float, arm: str, of: Callable[[Year], float]) -> Spread:
    """A measure of one arm in one setting over the seeds."""
    return spread([of(years[Trial(seed, growth, arm)]) for seed in seeds_of(years)])


def difference(years: Years, measure: Measure, rival: str, growth: float) -> Difference:
    """Seed by seed, because people and calendar of a seed are the same for both."""
    pairs = [
        (measure.of(years[Trial(seed, growth, ROUTER)]), measure.of(years[Trial(seed, growth, rival)]))
        for seed in seeds_of(years)
    ]
    signs = {(ours > theirs) - (ours < theirs) for ours, theirs in pairs}
    verdict = Verdict.EVEN
    if signs in ({1}, {-1}):
        verdict = Verdict.WINS if (signs == {1}) is measure.more_is_better else Verdict.LOSES
    ratios = [ours / theirs if theirs else float(ours == theirs) or float("inf") for ours, theirs in pairs]
    return Difference(measure, rival, growth, spread(ratios), verdict)


def beyond_caps(years: Years) -> Iterator[str]:
    """What the router wins over email within the same caps, and whether that depends on how people are annoyed."""
    growths = growths_of(years)
    for measure in (ACTIONS, YIELD, OPT_OUTS, LISTENING):
        found = {growth: difference(years, measure, CAPPED, growth) for growth in growths}
        won = [growth for growth in growths if found[growth].verdict is Verdict.WINS]
        ratios = ", ".join(f"{found[growth].ratio.mean:.2f} at {growth:g}" for growth in growths)
        if len(won) == len(growths):
            said = "The router wins, whatever the annoyance"
        elif won == growths[-1:]:
            said = f"The router wins only at {growths[-1]:g}, which is no finding"
        elif won:
            said = f"The router wins at {_listed(won)} only"
        else:
            said = "The router does not win"
        yield f"{measure.name[0].upper()}{measure.name[1:]}: {ratios} times those of {CAPPED}. {said}."


def not_won(years: Years) -> Iterator[str]:
    """Where the router does not win, one sentence for each measure and rival."""
    growths = growths_of(years)
    for measure in MEASURES:
        word = "fewer" if measure.more_is_better else "more"
        for rival in ARMS[:-1]:
            found = [difference(years, measure, rival, growth) for growth in growths]
            lost = [one for one in found if one.verdict is Verdict.LOSES]
            even = [one.growth for one in found if one.verdict is Verdict.EVEN]
            if lost:
                shares = ", ".join(f"{abs(1 - one.ratio.mean):.0%} at {one.growth:g}" for one in lost)
                yield f"{word} {measure.name} than {rival}: {shares}"
            if even:
                yield f"no clear difference in {measure.name} to {rival} at {_listed(even)}"


def _listed(growths: Sequence[float]) -> str:
    return ", ".join(f"{growth:g}" for growth in growths)
