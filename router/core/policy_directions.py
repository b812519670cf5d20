"""For each rule of the house, in which direction it lets us message people more.

A key is a file and the path in it: ``policy.budget.overall.week``. ``*`` stands for a name that the operator chose: a
channel, a currency, a country. Rules that say nothing of how much, how often or when people are written to stand in
`APART`: they hold at once. A rule that stands in neither fails ``tests/core/test_policy_changes.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

_BARE = re.compile(r"[\w-]+")
_PART = re.compile(r'([\w-]+)|("(?:[^"\\]|\\.)*")')


class Way(Enum):
    """What lets us message more."""

    HIGHER = "a higher number"
    LOWER = "a lower number"
    FEWER = "a list that lacks a name it had"
    HOURS = "hours of the week outside the ones there were"
    MONEY = "the same for asks for money, or fewer purposes, channels or areas that are held to them"
    PLACE = "another clock, or hours outside the ones there were"
    OTHER = "any other value: which one is looser cannot be told"


class Absent(Enum):
    """What holds where a key with ``*`` is not in the file."""

    LIMITLESS = "no limit at all"
    DEFAULT = "the row called default"
    ITSELF = "a list of its own name alone"


@dataclass(frozen=True, slots=True)
class Direction:
    """One row: what is looser, and what that means to a member (`core.policy_words` fills it in)."""

    looser: Way
    says: str
    """With the holes {new}, {old} and {name}. A translation has the unit in it and bare numbers in its holes, so that
    each unit has sentences of its own."""
    unit: str = ""
    """`core.policy_words.UNITS`; "" for a plain number."""
    absent: Absent = Absent.LIMITLESS


_H, _L = Way.HIGHER, Way.LOWER
_DEFAULT = Absent.DEFAULT


def _caps(path: str, who: str, where: str = "") -> dict[str, Direction]:
    """The rows of `core.budget_policy.Caps`."""
    spans = {"day": "a day", "week": "in 7 days", "month": "in 30 days"}
    return {
        f"policy.{path}.{key}": Direction(_H, f"{who} may be asked {{new}} {span}{where} instead of {{old}}", "times")
        for key, span in spans.items()
    }


_URGENT = "an urgent ask may go to a member {{new}} {span} beyond the usual, instead of {{old}}"
_BY = " by {name}"

DIRECTIONS: Mapping[str, Direction] = {
    **_caps("budget.overall", "a member"),
    "policy.budget.overall.gap_hours": Direction(
        _L, "a member may be asked again after {new} instead of {old}", "hours"
    ),
    **_caps("budget.channels.*", "a member", _BY),
    "policy.budget.channels.*.gap_hours": Direction(
        _L, "a member may be asked again by {name} after {new} instead of {old}", "hours"
    ),
    "policy.budget.channels.*.covers": Direction(
        Way.FEWER, "{new} count together against the limits of {name}, instead of {old}", "channels", Absent.ITSELF
    ),
    **_caps("budget.newcomers", "a new member"),
    "policy.budget.newcomers.first_days": Direction(
        _L, "somebody counts as a new member, who is asked less, for {new} instead of {old}", "days"
    ),
    "policy.budget.newcomers.joining_campaign_days": Direction(
        _H, "for {new} instead of {old} the campaign through which somebody joined may ask them beyond that", "days"
    ),
    "policy.budget.unanswered.widen_after": Direction(
        _H, "a member's pauses grow after {new} without an answer instead of {old}", "asks"
    ),
    "policy.budget.unanswered.widen_by": Direction(
        _L, "pauses of somebody who does not answer grow to {new} their length instead of {old}", "fold"
    ),
    "policy.budget.unanswered.month_after": Direction(
        _H, "somebody is asked once in 30 days only after {new} without an answer instead of {old}", "asks"
    ),
    "policy.budget.silence.days": Direction(
        _H, "we go on asking somebody who never answers for {new} instead of {old}", "days"
    ),
    "policy.budget.dial.weekly": Direction(
        _H, "a member who wants less may be asked {new} in 7 days instead of {old}", "times"
    ),
    "policy.budget.urgent.day": Direction(_H, _URGENT.format(span="a day"), "times"),
    "policy.budget.urgent.week": Direction(_H, _URGENT.format(span="in 7 days"), "times"),
    "policy.budget.urgent.month": Direction(_H, _URGENT.format(span="in 30 days"), "times"),
    **_caps("budget.urgent.ceiling", "for urgent asks a member"),
    "policy.budget.urgent.per_member": Direction(
        _H, "urgent asks may go beyond a member's usual limits {new} in 30 days instead of {old}", "times"
    ),
    "policy.budget.thread.follow_ups": Direction(
        _H, "whoever said yes to an ask may get {new} that follow it up, instead of {old}", "messages"
    ),
    "policy.lifetime.normal_hours": Direction(
        _H, "an ask may still arrive {new} after its launch instead of {old}", "hours"
    ),
    "policy.lifetime.urgent_hours": Direction(
        _H, "an urgent ask may still arrive {new} after its launch instead of {old}", "hours"
    ),
    "policy.launch.undo_seconds": Direction(
        _L, "an ask can be taken back for {new} after its launch instead of {old}", "seconds"
    ),
    "policy.launch.approval_above": Direction(
        _H, "one organizer alone may ask {new} instead of {old}", "people"
    ),
    "policy.launch.alone_undo_seconds": Direction(
        _L, "a large ask that nobody else approved can be taken back for {new} instead of {old}", "seconds"
    ),
    "policy.retry.dead_after_failures": Direction(
        _H, "an address that does not answer is given up after {new} instead of {old}", "failures"
    ),
    "policy.retry.dead_after_days": Direction(
        _H, "an address that has not answered for {new} is given up, instead of {old}", "days"
    ),
    "policy.guard.content_refusals": Direction(
        _H, "an ask stops itself when {new} of its messages are refused for their words, instead of {old}", "share"
    ),
    "policy.guard.limits.opt_outs.*": Direction(
        _H, "an ask stops itself when {new} of those it reaches by {name} want no more, instead of {old}", "share",
        _DEFAULT,
    ),
    "policy.guard.limits.complaints": Direction(
        _H, "an ask stops itself when {new} of those it reaches complain, instead of {old}", "share"
    ),
    "policy.guard.limits.errors": Direction(
        _H, "an ask stops itself when {new} of its messages fail, instead of {old}", "share"
    ),
    "policy.guard.limits.confidence": Direction(
        _H, "an ask stops itself once it is {new} sure that a limit is passed, instead of {old}", "share"
    ),
    "policy.guard.canary.above": Direction(
        _H, "an ask is tried on some people first only where it goes to more than {new}, instead of {old}", "people"
    ),
    "policy.guard.canary.hours_before_deadline": Direction(
        _H, "an ask is tried on some people first only where there are {new} left, instead of {old}", "hours"
    ),
    "policy.guard.canary.size": Direction(_H, "a large ask is tried on {new} first instead of {old}", "people"),
    "policy.guard.canary.wait_minutes": Direction(
        _L, "after its trial a large ask waits {new} for what people say, instead of {old}", "minutes"
    ),
    "policy.guard.ramp.above": Direction(
        _H, "an ask leaves in steps only where it goes to more than {new}, instead of {old}", "people"
    ),
    "policy.guard.ramp.shares": Direction(
        Way.OTHER, "the first steps of an ask reach {new} of its people instead of {old}", "shares"
    ),
    "policy.guard.ramp.wait_seconds": Direction(
        _L, "between its steps an ask waits {new} instead of {old}", "seconds"
    ),
    "policy.guard.ramp.tonight_wait_seconds": Direction(
        _L, "between its steps an ask for tonight waits {new} instead of {old}", "seconds"
    ),
    "policy.spend.month.*": Direction(_H, "messages may cost {new} {name} a month instead of {old}", "money"),
    "policy.waits.*.normal": Direction(
        _L, "somebody who does not answer by {name} may be asked elsewhere after {new} instead of {old}", "minutes",
        _DEFAULT,
    ),
    "policy.waits.*.urgent": Direction(
        _L, "somebody who does not answer an urgent ask by {name} may be asked elsewhere after {new} instead of {old}",
        "minutes", _DEFAULT,
    ),
    "policy.surge.spare_minutes": Direction(
        _L, "messages may leave until {new} before an ask's deadline instead of {old}", "minutes"
    ),
    "policy.stop_covers.*": Direction(
        Way.FEWER, "a STOP by {name} silences {new} instead of {old}", "channels", Absent.ITSELF
    ),
    "policy.report_back.due_days": Direction(
        _H, "whoever acted may be asked for something new without being told what came of it for {new} instead of"
        " {old}", "days",
    ),
    "policy.inbox.threads_per_organizer": Direction(
        _H, "asks that wait for answers go out as if an organizer had room for {new} instead of {old}", "talks"
    ),
    "policy.inbox.reply_share": Direction(
        _L, "asks that wait for answers go out as if {new} of people wrote back instead of {old}", "share"
    ),
    "policy.inbox.answer_minutes": Direction(
        _L, "asks that wait for answers go out as if people wrote back within {new} instead of {old}", "minutes"
    ),
    "policy.groups.first.normal": Direction(
        _L, "members of a group are asked one by one {new} after the group instead of {old}", "minutes"
    ),
    "policy.groups.first.urgent": Direction(
        _L, "members of a group are asked one by one {new} after the group instead of {old}, when it is urgent",
        "minutes",
    ),
    "policy.groups.answers_an_hour": Direction(
        _H, "the bot may speak {new} an hour in a group instead of {old}", "times"
    ),
    "policy.proposals.per_days": Direction(_L, "a member may propose an idea every {new} instead of {old}", "days"),
    "policy.proposals.seconds_a_day": Direction(
        _H, "a member may second {new} a day instead of {old}", "ideas"
    ),
    "policy.proposals.member_days": Direction(
        _L, "the word of new members on an idea counts after {new} instead of {old}", "days"
    ),
    "policy.proposals.crowd_share": Direction(
        _H, "an idea is held for organizers when {new} of its seconds come from new members instead of {old}", "share"
    ),
    "policy.proposals.crowd_from": Direction(
        _H, "an idea that new members carry is held for organizers from {new} on instead of {old}", "seconds of members"
    ),
    "policy.proposals.reports": Direction(
        _H, "an idea is held for organizers after {new} instead of {old}", "reports"
    ),
    "policy.proposals.group_seconds": Direction(
        _L, "an idea goes to its whole group after {new} instead of {old}", "seconds of members"
    ),
    "policy.proposals.public_seconds": Direction(
        _L, "an idea goes to the movement after {new} instead of {old}", "seconds of members"
    ),
    "policy.proposals.objection_hours": Direction(
        _L, "organizers have {new} to refuse an idea's wider steps instead of {old}", "hours"
    ),
    "policy.proposals.test_members": Direction(_H, "an idea is tried on {new} instead of {old}", "people"),
    "policy.proposals.stage_hours": Direction(
        _L, "an idea's answers are counted for {new} before its next step instead of {old}", "hours"
    ),
    "policy.proposals.yes_share": Direction(
        _L, "an idea goes on when {new} of those it reached say yes instead of {old}", "share"
    ),
    "policy.proposals.no_share": Direction(
        _H, "an idea ends when {new} of those it reached do not want it instead of {old}", "share"
    ),
    "policy.proposals.lift_seconds": Direction(
        _L, "a refusal of an idea is lifted by {new} of members instead of {old}", "objections"
    ),
    "policy.changes.announce_days": Direction(
        _L, "changes like these are announced {new} ahead instead of {old}", "days"
    ),
    "policy.changes.objections_share": Direction(
        _H, "changes like these are stopped by objections of {new} of members instead of {old}", "share"
    ),
    "policy.changes.objections_least": Direction(
        _H, "changes like these are stopped by no fewer than {new} instead of {old}", "objections"
    ),
    "quiet_hours.channels.*": Direction(
        Way.HOURS, "messages by {name} may arrive {new} instead of {old}", "week", _DEFAULT
    ),
    "quiet_hours.fundraising": Direction(
        Way.MONEY, "asks for money may arrive {new} instead of {old}", "money week"
    ),
    "quiet_hours.unknown.*": Direction(
        Way.PLACE, "where we do not know somebody's time zone ({name}), messages may arrive {new} instead of {old}",
        "place",
    ),
}  # fmt: skip

APART: Mapping[str, str] = {
    "policy.budget.competing.margin": "whose ask it is that somebody gets, not how many",
    "policy.retry.recipient_minutes": "tries of one message that has not arrived",
    "policy.retry.transport_seconds": "tries of one message that has not left",
    "policy.retry.rate_seconds": "protects a provider",
    "policy.retry.unknown_horizon_hours": "when an outcome is final",
    "policy.breaker.*": "protects a provider",
    "policy.guard.of_last": "over how many messages the guard looks back",
    "policy.surge.newcomers_share": "who comes first, not how many",
    "policy.surge.acted_days": "who comes first, not how many",
    "policy.hold_out.share": "a measurement that an ask's author asks for",
    "policy.hold_out.members_above": "a measurement that an ask's author asks for",
    "policy.comparison.sample": "when two texts may be said to differ",
    "policy.comparison.confidence": "when two texts may be said to differ",
    "policy.open.above_people": "what stands on /open: few people must stay unknown",
    "policy.retention.*": "how long records are kept",
    "policy.inbox.alarm_minutes": "how long somebody who wrote waits for us",
    "policy.inbox.claim_hours": "who answers somebody who wrote",
    "policy.groups.edit_seconds": "edits of one post, which make no sound",
    "policy.proposals.shortest": "what an idea is, not how far it goes",
    "policy.proposals.longest": "what an idea is, not how far it goes",
    "policy.proposals.languages": "which ideas somebody can read here",
    "policy.proposals.organizers": "to keep an idea and to remove it alike",
    "policy.proposals.rules.*": "what organizers may refuse an idea for",
}
"""Key → why it says nothing of how much we message. Each holds as it stands in the file, from the start on."""


def key_of(path: tuple[str, ...]) -> str:
    """``("policy", "waits", "sms")`` → ``policy.waits.sms``; a part with other signs is quoted, as TOML does it."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in path)


def path_of(key: str) -> tuple[str, ...]:
    """The other way round."""
    return tuple(bare or json.loads(quoted) for bare, quoted in _PART.findall(key))


@cache
def row_of(key: str) -> str | None:
    """The row of `DIRECTIONS` or `APART` that speaks of a key; None where there is none."""
    if key in DIRECTIONS or key in APART:
        return key
    path = path_of(key)
    for row in (*DIRECTIONS, *APART):
        if "*" in row:
            parts = row.split(".")
            if len(parts) == len(path) and all(part in ("*", given) for part, given in zip(parts, path, strict=True)):
                return row
    return None


def direction_of(key: str) -> Direction | None:
    """What is looser at this key; None where nothing is."""
    row = row_of(key)
    return DIRECTIONS.get(row) if row else None


def name_in(key: str) -> str:
    """The name that the operator chose, where the key's row has a ``*``."""
    row = row_of(key) or ""
    return next((given for part, given in zip(row.split("."), path_of(key), strict=False) if part == "*"), "")


def with_name(key: str, name: str) -> str:
    """The key of another name in the same row: ``waits.sms.normal`` → ``waits.default.normal``."""
    parts = (row_of(key) or "").split(".")
    return key_of(tuple(name if part == "*" else given for part, given in zip(parts, path_of(key), strict=True)))
