"""Two groups of people compared: shares with intervals, and what may be said of their difference. Nothing is decided.

Intervals of one share are E. B. Wilson's ("Probable inference, the law of succession, and statistical inference",
J. American Statistical Association 22, 1927), those of a difference are method 10 of R. G. Newcombe ("Interval
estimation for the difference between independent proportions: comparison of eleven methods", Statistics in Medicine
17, 1998), which joins two of Wilson's. Both hold for small numbers and for shares near 0, as opt-outs are.

An interval holds for one look. Who looks every hour and stops at the first difference will find one by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from router.core.launch_policy import ComparisonPolicy


@dataclass(frozen=True, slots=True)
class Share:
    """How many of so many did something, and between which shares the truth lies, at the policy's confidence."""

    count: int
    of: int
    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second share is larger than the first, in shares (0.01: one percentage point)."""

    estimate: float
    low: float
    high: float

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Results:
    """What came of one text."""

    acted: Share
    """Members who did something for the campaign, clicks and NO left out."""
    clicked: Share
    declined: Share
    """Members who answered NO."""
    opted_out: Share
    """Wishes for silence that followed it, complaints included."""


def share(count: int, of: int, confidence: float) -> Share:
    """`count` of `of` with Wilson's interval; of nobody anything may be true. More than all count as all."""
    if not of:
        return Share(count, of, 0.0, 0.0, 1.0)
    z = _z(confidence)
    p = min(count, of) / of
    scale = 1 + z * z / of
    middle = (p + z * z / (2 * of)) / scale
    half = z * sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / scale
    # At 0 and at 1 the interval ends there; only rounding would say otherwise.
    return Share(count, of, p, max(0.0, middle - half) if p else 0.0, min(1.0, middle + half) if p < 1 else 1.0)


def difference(first: Share, second: Share) -> Difference:
    """How much larger the second share is than the first, with Newcombe's interval."""
    low = sqrt((second.estimate - second.low) ** 2 + (first.high - first.estimate) ** 2)
    high = sqrt((second.high - second.estimate) ** 2 + (first.estimate - first.low) ** 2)
    estimate = second.estimate - first.estimate
    return Difference(estimate, max(-1.0, estimate - low), min(1.0, estimate + high))


def judge_texts(first: Results, second: Results, policy: ComparisonPolicy) -> str:
    """What may be said of two texts: their actions and their opt-outs, always both."""
    if few := _too_few(first.acted, second.acted, policy):
        return few
    actions, opt_outs = difference(first.acted, second.acted), difference(first.opted_out, second.opted_out)
    told = [
        _tell("actions", first.acted, second.acted, actions),
        _tell("opt-outs", first.opted_out, second.opted_out, opt_outs),
    ]
    if not actions.is_beyond_chance and not opt_outs.is_beyond_chance:
        return f"No difference beyond chance: {'; '.join(told)}."
    return f"The second text against the first: {'; '.join(told)}."


def judge_hold_out(asked: Share, held_out: Share, policy: ComparisonPolicy) -> str:
    """What may be said of what an ask changed: those who were to get it against those left out by lot."""
    if few := _too_few(asked, held_out, policy):
        return few
    change = difference(held_out, asked)
    shares = f"{_percent(asked.estimate)} of those asked acted, and {_percent(held_out.estimate)} of those held out"
    if not change.is_beyond_chance:
        return f"No difference beyond chance: {shares}."
    return f"The ask changed what people did: {shares} ({_between(change)})."


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _too_few(first: Share, second: Share, policy: ComparisonPolicy) -> str:
    if min(first.of, second.of) >= policy.sample:
        return ""
    return f"Too few to say: {first.of:,} and {second.of:,} of at least {policy.sample:,} each."


def _tell(what: str, first: Share, second: Share, change: Difference) -> str:
    said = f"{_percent(second.estimate)} against {_percent(first.estimate)}"
    if not change.is_beyond_chance:
        return f"{what} {said}, which may be chance"
    return f"{'more' if change.estimate > 0 else 'fewer'} {what}, {said} ({_between(change)})"


def _between(change: Difference) -> str:
    nearer, further = sorted((abs(change.low), abs(change.high)))
    return f"{100 * nearer:.2f} to {100 * further:.2f} points {'more' if change.estimate > 0 else 'less'}"


def _percent(part: float) -> str:
    return f"{100 * part:.2f} %"
