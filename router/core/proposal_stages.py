"""The way of an idea: its own group, a few by lot, its region, all; each step earned, and each wider one announced.

    gathers seconds ─▶ its group is asked ─▶ gathers more ─▶ objection period ─▶ a few by lot ─▶ objection period
    ─▶ its region ─▶ objection period ─▶ all

An idea that was made in no group, or whose region nobody knows, has no such stage. What an idea must earn stands in
`ProposalPolicy`; here is only what follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from router.core.proposal_policy import ProposalPolicy


class Stage(StrEnum):
    """Who was asked last, in the order in which they are asked."""

    NONE = ""
    GROUP = "group"
    TEST = "test"
    REGION = "region"
    ALL = "all"


ORDER = tuple(Stage)


class AskState(Enum):
    """How the ask of the present stage stands."""

    NEW = auto()
    """Saved; nothing of it has left."""
    OUT = auto()
    RESTING = auto()
    """Paused because the idea is held."""
    OVER = auto()
    CANCELLED = auto()
    """An organizer took it back."""


class Results(NamedTuple):
    """What came of an ask."""

    people: int = 0
    """How many it was for."""
    reached: int = 0
    yes: int = 0
    no: int = 0
    opt_outs: int = 0
    """Who asked for silence after it, or called it unwanted."""

    def is_refused(self, policy: ProposalPolicy) -> bool:
        """Whether too many want none of it: who asks for silence, or more who say no than say yes."""
        many = policy.no_share * self.reached
        return bool(self.reached) and (self.opt_outs >= many or (self.no >= many and self.no > self.yes))

    def is_wanted(self, policy: ProposalPolicy) -> bool:
        """Whether enough say yes. Where there was nobody to ask, nothing speaks against going on."""
        return not self.people or (bool(self.yes) and self.yes >= policy.yes_share * self.reached)


UNKNOWN = Results()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """Where an idea stands."""

    status: str
    """open | held | refused | removed | withdrawn | done"""
    stage: Stage
    route: Sequence[Stage]
    """Its stages, by `route_of`."""
    group_seconds: int = 0
    """Of `seconds` those that its own group gave."""
    seconds: int = 0
    objections: int = 0
    is_binding: bool = False
    """Whether the rule that it was refused by can be lifted by nobody."""
    ask: AskState | None = None
    """Of the present stage; None before there is one, and once it was counted."""
    since: datetime | None = None
    """Since when its ask is out or, without one, since when organizers may object; None where neither is so."""
    results: Results = UNKNOWN


class What(Enum):
    """What is to be done with an idea now."""

    REST = auto()
    """Nothing, until somebody does something."""
    WAIT = auto()
    """Nothing before `Step.at`."""
    ASK = auto()
    """Make the ask of `Step.stage`."""
    SET_OUT = auto()
    """Let the ask leave."""
    PAUSE = auto()
    RESUME = auto()
    CANCEL = auto()
    TAKEN_BACK = auto()
    """Its ask was cancelled by an organizer, who has to say by which rule: two of them look at it."""
    ANNOUNCE = auto()
    """The objection period before a wider step begins; it ends at `Step.at`."""
    PASS = auto()
    """The present stage is counted and done. A wider step follows at `Step.at`, or waits for more seconds."""
    END = auto()
    """Too few want it."""
    DONE = auto()
    """Everybody was asked."""
    LIFT = auto()
    """Enough members objected to its refusal."""


class Step(NamedTuple):
    """What follows now."""

    what: What
    at: datetime | None = None
    stage: Stage = Stage.NONE


_REST = Step(What.REST)


def route_of(*, has_group: bool, has_region: bool) -> tuple[Stage, ...]:
    """The stages of an idea."""
    there = {Stage.GROUP: has_group, Stage.REGION: has_region}
    return tuple(stage for stage in ORDER[1:] if there.get(stage, True))


def following(stage: Stage, route: Sequence[Stage]) -> Stage | None:
    """The stage after this one; None after the last."""
    return next((one for one in route if ORDER.index(one) > ORDER.index(stage)), None)


def before(stage: Stage, route: Sequence[Stage]) -> Stage:
    """The stage before this one."""
    return next((one for one in reversed(route) if ORDER.index(one) < ORDER.index(stage)), Stage.NONE)


def next_step(stands: Stands, policy: ProposalPolicy, now: datetime) -> Step:
    """What follows for an idea that stands so. Held, refused and gone ones never go wider."""
    match stands.status:
        case "held":
            return Step(What.PAUSE) if stands.ask is AskState.OUT else _REST
        case "removed" | "withdrawn":
            return Step(What.CANCEL) if stands.ask in (AskState.NEW, AskState.OUT, AskState.RESTING) else _REST
        case "refused" if stands.objections >= policy.lift_seconds and not stands.is_binding:
            return Step(What.LIFT)
        case "open" | "refused":
            return _wider(stands, policy, now) if stands.ask is None else _asking(stands, policy, now)
        case _:
            return _REST


def _asking(stands: Stands, policy: ProposalPolicy, now: datetime) -> Step:
    """What follows while the present stage is being asked. A refusal is of wider steps, so this one is finished."""
    match stands.ask:
        case AskState.CANCELLED:
            return Step(What.TAKEN_BACK)
        case AskState.RESTING:
            return Step(What.RESUME)
        case _ if stands.since is None:
            is_wider = stands.status == "refused" and stands.stage is not Stage.GROUP
            return _REST if is_wider else Step(What.SET_OUT)
    if now < (end := stands.since + policy.stage_time):
        return Step(What.WAIT, end)
    results = stands.results
    if following(stands.stage, stands.route) is None:
        return Step(What.DONE)
    if results.people and not results.reached and stands.ask is AskState.OUT:
        return Step(What.WAIT, now + policy.stage_time)
    if results.is_refused(policy):
        return Step(What.END)
    if stands.stage is Stage.GROUP:
        is_public = stands.seconds >= policy.public_seconds
        return Step(What.PASS, now + policy.objection_time if is_public else None)
    return Step(What.PASS, now + policy.objection_time) if results.is_wanted(policy) else Step(What.END)


def _wider(stands: Stands, policy: ProposalPolicy, now: datetime) -> Step:
    """What follows between two stages."""
    following_ = following(stands.stage, stands.route)
    is_public = stands.seconds >= policy.public_seconds
    if following_ is None:
        return Step(What.DONE)
    if following_ is Stage.GROUP:
        # It is theirs to ask, so no organizer is waited for; who refused it refused the wider steps.
        is_theirs = is_public or stands.group_seconds >= policy.group_seconds
        return Step(What.ASK, stage=following_) if is_theirs else _REST
    is_earned = is_public or stands.stage in (Stage.TEST, Stage.REGION)
    if stands.status == "refused" or not is_earned:
        return _REST
    if stands.since is None:
        return Step(What.ANNOUNCE, now + policy.objection_time)
    if now < (end := stands.since + policy.objection_time):
        return Step(What.WAIT, end)
    return Step(What.ASK, stage=following_)
