"""What seconds, reports and organizers do to an idea. Everything that counts is a public setting (`ProposalPolicy`)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from router.core.proposal_policy import ProposalPolicy

NEW_MEMBER = timedelta(days=30)
"""Whoever joined within so long is part of a new crowd (`ProposalPolicy.crowd_share`)."""

SECOND_DAY = timedelta(days=1)
"""The day of `ProposalPolicy.seconds_a_day`."""


class Hold(StrEnum):
    """Why an idea waits for two organizers, as ``proposal.reason`` has it."""

    REPORTS = "reports"
    CROWD = "crowd"
    LANGUAGE = "language"
    """Its proposer's language is one that nobody moderates."""
    UNSENDABLE = "unsendable"
    """Its ask cannot be sent as it is: the notice says why."""
    CANCELLED = "cancelled"
    """An organizer cancelled its ask."""


KEPT = "kept"
"""``proposal.reason`` of an idea that two organizers have looked at: its crowd is not looked at again."""


class Decision(StrEnum):
    """What organizers can do with an idea."""

    KEEP = "keep"
    """It is open (again), after a hold or a refusal."""
    REMOVE = "remove"
    """It is taken away."""
    REFUSE = "refuse"
    """It goes no wider, by a published rule; everybody can read which, and members can object."""


class Standing(NamedTuple):
    """What the ledger knows of an idea that matters here."""

    status: str
    stage: str
    group_id: int
    seconds: int
    objections: int = 0
    rule: str = ""
    reason: str = ""
    is_scheduled: bool = False
    """Whether its next step has a time."""


def has_earned(idea: Standing, in_group: int, policy: ProposalPolicy) -> bool:
    """Whether its seconds, `in_group` of them from its own group, carry it further than the stage it is in."""
    own = bool(idea.group_id) and idea.stage == "" and in_group >= policy.group_seconds
    return own or (idea.stage in ("", "group") and idea.seconds >= policy.public_seconds)


def is_due(idea: Standing, in_group: int, policy: ProposalPolicy) -> bool:
    """Whether its next step is to be looked at now, after one more second: it has earned one that nobody scheduled, or
    it has just come before the movement."""
    return has_earned(idea, in_group, policy) and (not idea.is_scheduled or idea.seconds == policy.public_seconds)


def is_new_crowd(idea: Standing, new_members: int, policy: ProposalPolicy) -> bool:
    """Whether too many of those who seconded it joined lately, and nobody has looked at it yet."""
    enough = idea.seconds >= policy.crowd_from
    return enough and idea.reason != KEPT and new_members >= policy.crowd_share * idea.seconds


def is_lifted(idea: Standing, policy: ProposalPolicy) -> bool:
    """Whether enough members objected to its refusal, and the rule leaves it to them."""
    return idea.status == "refused" and idea.objections >= policy.lift_seconds and not is_binding(idea.rule, policy)


def is_binding(rule: str, policy: ProposalPolicy) -> bool:
    """Whether no number of objections lifts a refusal by this rule; one that is published no more binds nobody."""
    return rule in policy.rules and policy.rules[rule].binding


def why_not(decision: Decision, rule: str, idea: Standing, policy: ProposalPolicy) -> str:
    """Why organizers may not decide that; "" where they may.

    Staff cannot take away what members carry: an idea is removed only once members' reports (or too new a crowd, or a
    language that nobody moderates) hold it, or by a published rule before it has earned anything and outside a group. A
    group may ask its own members without anybody's leave; what is refused is the wider step.
    """
    if rule and rule not in policy.rules:
        return f"there is no such rule; the published ones are {', '.join(sorted(policy.rules))}"
    if idea.status not in ("open", "held", "refused"):
        return f"this idea is {idea.status}; nothing more is decided about it"
    match decision:
        case Decision.KEEP:
            return "it stands; only what is held or refused can be kept" if idea.status == "open" else ""
        case Decision.REMOVE:
            return _why_not_removed(rule, idea, policy)
        case Decision.REFUSE:
            return _why_not_refused(rule, idea, policy)


def votes_needed(organizers: int, policy: ProposalPolicy) -> int:
    """How many organizers must agree, where there are so many of them."""
    return max(1, min(policy.organizers, organizers))


def _why_not_removed(rule: str, idea: Standing, policy: ProposalPolicy) -> str:
    if idea.status == "held":
        return ""
    if idea.status == "refused":
        return "it is refused already; whoever reads it can see by which rule"
    if idea.group_id or idea.stage or idea.seconds >= policy.public_seconds:
        return f"members carry it; it can be removed once {policy.reports} members have reported it"
    return "" if rule else "name the published rule by which it goes, or wait until members report it"


def _why_not_refused(rule: str, idea: Standing, policy: ProposalPolicy) -> str:
    if not rule:
        return f"an idea is refused by a published rule: {', '.join(sorted(policy.rules))}"
    if idea.status != "open":
        return f"it is {idea.status}; decide about that first (keep or remove)"
    if idea.stage == "all":
        return "everybody was asked already"
    if idea.stage == "" and idea.seconds < policy.public_seconds:
        return f"no wider ask is due: it has {idea.seconds} of the {policy.public_seconds} seconds for one"
    if idea.rule and not is_binding(rule, policy):
        return "members lifted its refusal; only a rule that binds the movement can refuse it again"
    return ""
