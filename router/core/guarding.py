"""Whether a blast does worse than its limits allow, beyond chance, however often one looks.

The test of "more than a share `limit` of these messages ends badly" is a mixture of likelihood ratios: how much better
do the numbers fit a rate of 1.5, 2, 3, 5 or 10 times the limit than the limit itself? As long as the true rate is at or
below the limit, that evidence is a non-negative supermartingale that begins at 1, so that it *ever* reaches 1/a with a
probability of at most a, at whatever moment one looks and stops (Ville's inequality; J. Ville, "Étude critique de la
notion de collectif", 1939; A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", Statistical
Science 38(4), 2023, https://doi.org/10.1214/23-STS894). Reactions that are still to come only make it more careful:
evidence grows with each of them.

Seen at a limit of 1 % and a confidence of 99 %: of 5,000 simulated blasts exactly at the limit 0.8 % were stopped
within 20,000 messages; of 1,000 blasts each at 2, 4 and 5 % half were stopped after 1,195, 194 and 124 messages, and 95
of 100 after 3,365, 519 and 343. Where 25 counts share the chance, half after 2,233, 334 and 209
(`tests/core/test_guarding.py` runs smaller ones).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, log

from router.core.launch_policy import Limits

MULTIPLES = (1.5, 2.0, 3.0, 5.0, 10.0)
"""The rates that are held against the limit, in limits."""


class Matter(StrEnum):
    """What may go wrong with a message."""

    OPT_OUT = "opt_out"
    """Somebody asked for silence after it."""
    COMPLAINT = "complaint"
    """Somebody called it spam."""
    ERROR = "error"
    """Its provider failed or refused it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is counted: a matter on a channel, of one campaign or `with_earlier` asks of the last weeks."""

    matter: Matter
    channel: str
    with_earlier: bool = False

    def __str__(self) -> str:
        return f"{self.matter.value}/{self.channel}" + ("/earlier" if self.with_earlier else "")


@dataclass(frozen=True, slots=True)
class Count:
    """`bad` of `of` messages."""

    bad: int = 0
    of: int = 0

    def since(self, baseline: Count) -> Count:
        """What came after `baseline` was counted."""
        return Count(max(0, self.bad - baseline.bad), max(0, self.of - baseline.of))


@dataclass(frozen=True, slots=True)
class Finding:
    """A limit that is passed beyond chance."""

    watch: Watch
    count: Count
    limit: float
    at_least: float
    """The true rate is above this, as surely as the policy's confidence says."""

    @property
    def sentence(self) -> str:
        """The numbers, and what they are held against."""
        what = _WHAT[self.watch.matter].format(bad=self.count.bad, of=self.count.of, channel=self.watch.channel)
        if self.watch.with_earlier:
            what += ", those of the last 30 days' asks included"
        return (
            f"{what}: {_percent(self.count.bad / max(1, self.count.of))}, and surely more than"
            f" {_percent(self.at_least)}, where {_percent(self.limit)} is the limit"
        )


_WHAT: Mapping[Matter, str] = {
    Matter.OPT_OUT: "after {of:,} messages by {channel} {bad:,} people asked for silence",
    Matter.COMPLAINT: "after {of:,} messages by {channel} {bad:,} people complained of spam",
    Matter.ERROR: "of {of:,} messages by {channel} {bad:,} failed",
}


def evidence(bad: int, of: int, limit: float) -> float:
    """The natural logarithm of the evidence that more than `limit` of such messages end badly; 0 is none at all.

    ``-inf`` where the limit is so high (above two thirds) that no rate that is held against it exists.
    """
    of = max(of, bad)
    logs = [
        bad * log(rate / limit) + (of - bad) * log((1 - rate) / (1 - limit))
        for rate in (multiple * limit for multiple in MULTIPLES)
        if rate < 1
    ]
    if not logs:
        return -inf
    top = max(logs)
    return top + log(sum(exp(one - top) for one in logs) / len(logs))


def verdict(bad: int, of: int, limit: float, confidence: float) -> bool:
    """Whether more than `limit` end badly. At most ``1 - confidence`` of those that do not are ever judged so."""
    return evidence(bad, of, limit) >= -log(1 - confidence)


def at_least(bad: int, of: int, confidence: float) -> float:
    """The highest limit that is surely passed: a lower bound of the true rate that holds at every look at once."""
    if bad == 0:
        return 0.0
    low, high = 0.0, min(bad / max(of, bad), 1 / MULTIPLES[0])
    for _ in range(40):
        middle = (low + high) / 2
        if middle > 0 and verdict(bad, of, middle, confidence):
            low = middle
        else:
            high = middle
    return low


def find(counts: Mapping[Watch, Count], limits: Limits, *, watches: int) -> Finding | None:
    """The limit that is passed by most, or None.

    `watches` is how many counts are looked at in all in the campaign's life: they share what may be stopped by chance.
    """
    confidence = 1 - (1 - limits.confidence) / max(1, watches)
    found = [
        Finding(watch, count, limit_of(limits, watch), at_least(count.bad, count.of, confidence))
        for watch, count in counts.items()
        if verdict(count.bad, count.of, limit_of(limits, watch), confidence)
    ]
    return max(found, key=lambda one: one.at_least / one.limit, default=None)


def limit_of(limits: Limits, watch: Watch) -> float:
    """The share that the policy allows."""
    match watch.matter:
        case Matter.OPT_OUT:
            return limits.opt_outs.get(watch.channel, limits.opt_outs["default"])
        case Matter.COMPLAINT:
            return limits.complaints
        case Matter.ERROR:
            return limits.errors


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
