"""What a budget policy amounts to: limits, ready for every situation, so that a decision for one member only counts.

Each rule is in the end the same thing, a *limit*: at most `n` asks in any window of `span`. A gap is at most one in
the gap; "one ask in 30 days" and the member's dial are limits as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from router.core.attention import Refusal
from router.core.budget_policy import BudgetSection, Caps, ChannelCaps, Unanswered, UrgentOverride
from router.core.purse import DAY_MS, KEPT_MS

HOUR_MS = 3_600_000
WEEK_MS = 7 * DAY_MS
MONTH_MS = KEPT_MS

Limit = tuple[int, int, Refusal]
"""At most so many asks in any window of so many milliseconds, or else this refusal."""
Limits = tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """`covers`: the channels that count together. `limits`, and `raised` with an override: by step of unanswered asks
    (0, 1, 2)."""

    covers: frozenset[str]
    limits: tuple[Limits, ...]
    raised: tuple[Limits, ...]


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """A checked policy, made ready. Times are in milliseconds.

    `overall`, and `overall_raised` with an override: by situation, 1 for a newcomer plus 2 for a dial turned down.
    """

    overall: tuple[Limits, ...]
    overall_raised: tuple[Limits, ...]
    channels: Mapping[str, ChannelRules]
    overrides: Limits
    newcomer_ms: int
    joining_ms: int
    silence_ms: int
    widen_after: int
    month_after: int
    follow_ups: int
    margin: int


def rules_of(section: BudgetSection) -> BudgetRules:
    """Everything that does not depend on a member, worked out once."""
    usual = (*_caps(section.overall), (1, section.overall.gap_hours * HOUR_MS, Refusal.GAP))
    less = (section.dial.weekly, WEEK_MS, Refusal.DIAL)
    new = _caps(section.newcomers, Refusal.NEWCOMER)
    situations: tuple[Limits, ...] = (usual, (*usual, *new), (*usual, less), (*usual, less, *new))
    overall = tuple(_telling(limits) for limits in situations)
    raised = tuple(_telling(_raised(limits, section.urgent)) for limits in situations)
    channels: dict[str, ChannelRules] = {}
    for name, caps in section.channels.items():
        steps = _steps(caps, section.unanswered)
        row = ChannelRules(
            covers=frozenset(caps.covers or [name]),
            limits=tuple(_telling(limits, overall[0]) for limits in steps),
            raised=tuple(_telling(_raised(limits, section.urgent), raised[0]) for limits in steps),
        )
        channels |= dict.fromkeys(row.covers, row)
    return BudgetRules(
        overall=overall,
        overall_raised=raised,
        channels=channels,
        overrides=((section.urgent.per_member, MONTH_MS, Refusal.CAP),),
        newcomer_ms=section.newcomers.first_days * DAY_MS,
        joining_ms=section.newcomers.joining_campaign_days * DAY_MS,
        silence_ms=section.silence.days * DAY_MS,
        widen_after=section.unanswered.widen_after,
        month_after=section.unanswered.month_after,
        follow_ups=section.thread.follow_ups,
        margin=section.competing.margin,
    )


def _caps(caps: Caps, refusal: Refusal = Refusal.CAP) -> Limits:
    return (caps.day, DAY_MS, refusal), (caps.week, WEEK_MS, refusal), (caps.month, MONTH_MS, refusal)


def _steps(caps: ChannelCaps, unanswered: Unanswered) -> tuple[Limits, Limits, Limits]:
    """A channel's limits while people answer, once they do not, and once they have not for long."""
    gap = caps.gap_hours * HOUR_MS
    return (
        (*_caps(caps), (1, gap, Refusal.GAP)),
        (*_caps(caps), (1, gap * unanswered.widen_by, Refusal.GAP)),
        (*_caps(caps), (1, gap, Refusal.GAP), (1, MONTH_MS, Refusal.CAP)),
    )


def _raised(limits: Iterable[Limit], urgent: UrgentOverride) -> Limits:
    """These limits with what an override adds, without gaps, and no higher than the ceiling."""
    more = {DAY_MS: urgent.day, WEEK_MS: urgent.week, MONTH_MS: urgent.month}
    top = {DAY_MS: urgent.ceiling.day, WEEK_MS: urgent.ceiling.week, MONTH_MS: urgent.ceiling.month}
    return tuple(
        (max(n, min(n + more[span], top[span])), span, refusal)
        for n, span, refusal in limits
        if refusal is not Refusal.GAP
    )


def _telling(limits: Limits, others: Limits = ()) -> Limits:
    """Without the limits that another one, here or among `others`, always keeps as well."""
    kept: list[Limit] = []
    for place, (n, span, refusal) in enumerate(limits):
        rivals = (*others, *limits[:place], *(later for later in limits[place + 1 :] if later[:2] != (n, span)))
        if span and not any(rival[0] <= n and rival[1] >= span for rival in rivals):
            kept.append((n, span, refusal))
    return tuple(kept)
