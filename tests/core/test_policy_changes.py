"""Which values let us message more, in what words, and when such a value comes into force."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from router.core.changes_policy import ChangesPolicy
from router.core.errors import BadInput
from router.core.policy import Policy
from router.core.policy_changes import Announced, Standing, come_due, in_process, settle, strays, with_values
from router.core.policy_directions import APART, DIRECTIONS, key_of, path_of, row_of
from router.core.policy_values import is_looser, kept, rules_from, values_of
from router.core.policy_words import sentence_of
from router.core.quiet_hours_file import QuietHoursFile
from router.settings import load_settings, load_toml

SHIPPED = values_of({name: load_toml(name, load_settings()) for name in ("policy", "quiet_hours")})
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
HOURS = {"daily": "09:00-20:00"}
MONEY = SHIPPED["quiet_hours.fundraising"]
GONE = object()


def fields_of(model: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all values that a checked file may have; ``*`` for a name that the operator chooses."""
    if row_of(key_of(path).replace('"*"', "any")):
        yield path
    elif isinstance(model, type) and issubclass(model, BaseModel):
        for name, field in model.model_fields.items():
            yield from fields_of(field.annotation, (*path, name))
    elif isinstance(model, types.UnionType) or typing.get_origin(model) in (typing.Union, typing.Annotated):
        for one in typing.get_args(model):
            if one is not type(None) and isinstance(one, type | types.GenericAlias | typing._GenericAlias):  # type: ignore[attr-defined]
                yield from fields_of(one, path)
    elif (origin := typing.get_origin(model)) and issubclass(origin, typing.Mapping):
        yield from fields_of(typing.get_args(model)[1], (*path, "*"))
    else:
        yield path


def test_every_rule_that_a_file_can_have_says_what_is_looser() -> None:
    found = [*fields_of(Policy, ("policy",)), *fields_of(QuietHoursFile, ("quiet_hours",))]
    assert len(found) > 100
    missing = [".".join(path) for path in found if row_of(".".join(path).replace("*", "any")) is None]
    assert not missing, "router/core/policy_directions.py does not say which values of these let us message more"
    stale = {*DIRECTIONS, *APART} - {row_of(".".join(path).replace("*", "any")) for path in found}
    assert not stale, "the tables speak of rules that are none"
    assert not {*DIRECTIONS} & {*APART}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The shipped values with another one."""
    return {k: v for k, v in SHIPPED.items() if k != key} | ({} if value is GONE else {key: value})


@pytest.mark.parametrize(
    ("key", "value", "looser"),
    [
        ("policy.budget.overall.week", 4, True),
        ("policy.budget.overall.week", 2, False),
        ("policy.budget.overall.gap_hours", 12, True),
        ("policy.budget.overall.gap_hours", 48, False),
        ("policy.budget.newcomers.first_days", 10, True),
        ("policy.budget.newcomers.joining_campaign_days", 10, True),
        ("policy.budget.unanswered.widen_by", 1, True),
        ("policy.budget.unanswered.widen_after", 2, False),
        ("policy.budget.silence.days", 181, True),
        ("policy.budget.channels.sms.day", GONE, True),
        ("policy.budget.channels.fax.day", 1, False),
        ("policy.budget.channels.push.covers", ["fcm"], True),
        ("policy.budget.channels.push.covers", ["webpush", "fcm", "apprise"], False),
        ("policy.launch.undo_seconds", 30, True),
        ("policy.launch.approval_above", 2_000, True),
        ("policy.launch.approval_above", 500, False),
        ("policy.guard.limits.opt_outs.email", 0.01, True),
        ("policy.guard.limits.opt_outs.email", GONE, True),
        ("policy.guard.limits.opt_outs.sms", 0.009, False),
        ("policy.guard.limits.opt_outs.sms", 0.011, True),
        ("policy.guard.ramp.shares", [0.05], True),
        ("policy.spend.month.USD", 10.0, False),
        ("policy.waits.sms.normal", GONE, True),
        ("policy.waits.telegram.normal", 300, False),
        ("policy.stop_covers.sms", ["sms"], True),
        ("policy.stop_covers.telegram", ["telegram", "slack"], False),
        ("policy.changes.objections_share", 0.02, True),
        ("policy.changes.announce_days", 14, False),
        ("policy.proposals.public_seconds", 20, True),
        ("policy.breaker.rest_seconds", 1, False),
        ("quiet_hours.channels.sms", {"daily": "09:00-21:00"}, True),
        ("quiet_hours.channels.sms", {"daily": "10:00-20:00"}, False),
        ("quiet_hours.channels.sms", {"daily": "10:00-21:00"}, True),
        ("quiet_hours.channels.sms", {"daily": "09:00-20:00", "sunday": "closed"}, False),
        ("quiet_hours.channels.email", GONE, False),
        ("quiet_hours.channels.fax", {"daily": "08:00-20:00"}, True),
        ("quiet_hours.fundraising", GONE, True),
        ("quiet_hours.fundraising", {**MONEY, "purposes": ["fundraising"]}, True),
        ("quiet_hours.fundraising", {**MONEY, "channels": ["sms", "whatsapp", "telegram"]}, False),
        ("quiet_hours.fundraising", {**MONEY, "areas": {**MONEY["areas"], "US-FL": {"daily": "08:00-21:00"}}}, True),
        ("quiet_hours.fundraising", {**MONEY, "areas": {**MONEY["areas"], "US-OH": {"daily": "10:00-20:00"}}}, False),
        ("quiet_hours.unknown.US", {"zone": "America/New_York", "window": "13:00-20:00"}, False),
        ("quiet_hours.unknown.US", {"zone": "America/Chicago", "window": "13:00-20:00"}, True),
        ("quiet_hours.unknown.CA", {"zone": "America/Toronto", "window": "13:00-20:00"}, True),
    ],
)
def test_what_lets_us_message_more(key: str, value: Any, looser: bool) -> None:
    assert is_looser(key, SHIPPED, changed(key, value)) is looser


def test_a_row_given_up_for_a_default_is_compared_with_the_default_that_still_holds() -> None:
    """The default's own change is looser, too, and waits: until then it is what would stand in."""
    sms, default = "quiet_hours.channels.sms", "quiet_hours.channels.default"
    old = {sms: {"daily": "10:00-20:00"}, default: {"daily": "08:00-12:00"}}
    new = {default: {"daily": "11:00-19:00"}}
    assert is_looser(default, old, new)
    assert is_looser(sms, old, new)
    assert not is_looser(sms, {**old, default: {"daily": "10:00-12:00"}}, new)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("policy.budget.overall.week", 4, "a member may be asked 4 times in 7 days instead of 3 times"),
        ("policy.budget.channels.sms.day", 2, "a member may be asked twice a day by text message instead of once"),
        ("policy.budget.channels.sms.month", GONE,
         "a member may be asked any number of times in 30 days by text message instead of 4 times"),
        ("policy.guard.limits.opt_outs.sms", 0.02,
         "an ask stops itself when 2 % of those it reaches by text message want no more, instead of 1 %"),
        ("quiet_hours.channels.fcm", {"daily": "09:00-20:00", "sunday": "closed"},
         "messages by notification of our app may arrive Monday to Saturday 09:00-20:00, never on Sunday instead of"
         " Monday to Friday 09:00-20:30, Saturday 10:00-20:00, Sunday 11:00-20:00"),
        ("quiet_hours.fundraising", {**MONEY, "areas": {**MONEY["areas"], "US-FL": {"daily": "08:00-21:00"}}},
         "asks for money may arrive Monday to Friday 09:00-20:00, Saturday 10:00-20:00, Sunday 12:00-19:00 by text"
         " message and WhatsApp (US-FL every day 08:00-21:00) instead of Monday to Friday 09:00-20:00, Saturday"
         " 10:00-20:00, Sunday 12:00-19:00 by text message and WhatsApp (US-FL every day 08:00-20:00)"),
    ],
)  # fmt: skip
def test_a_change_in_words(key: str, value: Any, sentence: str) -> None:
    assert sentence_of(key, SHIPPED, changed(key, value)) == sentence


def test_every_row_has_words_for_what_the_shipped_files_say_and_for_nothing() -> None:
    for key in kept(SHIPPED):
        chosen = "*" in (row_of(key) or "")
        for other in (SHIPPED, changed(key, GONE) if chosen else SHIPPED):
            for sentence in (sentence_of(key, SHIPPED, other), sentence_of(key, other, SHIPPED)):
                assert "{" not in sentence
                assert "None" not in sentence


def test_values_taken_apart_make_the_same_rules() -> None:
    files = {name: load_toml(name, load_settings()) for name in ("policy", "quiet_hours")}
    assert rules_from(values_of(files))[0] == Policy.model_validate(files["policy"])
    odd = deepcopy(files)
    odd["policy"]["stop_covers"]["a.b c"] = ["sms"]
    key = key_of(("policy", "stop_covers", "a.b c"))
    assert values_of(odd)[key] == ["sms"]
    assert path_of(key) == ("policy", "stop_covers", "a.b c")
    assert rules_from(values_of(odd))[0].stop_covers["a.b c"] == ["sms"]


OLD = kept(SHIPPED)
REST = {key: value for key, value in SHIPPED.items() if key not in OLD}


def stands(values: dict[str, Any]) -> bool:
    try:
        rules_from({**REST, **values})
    except BadInput:
        return False
    return True


def test_stricter_values_hold_at_once_and_looser_ones_are_announced() -> None:
    files = {**OLD, "policy.budget.overall.week": 4, "policy.budget.overall.gap_hours": 30}
    plan = settle(Standing(OLD), files, free=False, stands=stands)
    assert plan.at_once == ("policy.budget.overall.gap_hours",)
    assert plan.announce == ("policy.budget.overall.week",)
    announced = Standing(
        with_values(OLD, files, plan.at_once), {"policy.budget.overall.week": Announced(4, NOW + WEEK)}
    )
    assert not settle(announced, files, free=False, stands=stands)
    assert settle(announced, OLD, free=False, stands=stands).withdraw == ("policy.budget.overall.week",)
    other = settle(announced, {**files, "policy.budget.overall.week": 5}, free=False, stands=stands)
    assert (other.withdraw, other.announce) == (("policy.budget.overall.week",),) * 2
    assert settle(Standing(OLD), files, free=True, stands=stands).at_once == tuple(
        sorted(("policy.budget.overall.gap_hours", "policy.budget.overall.week"))
    )


def test_what_members_refused_is_not_announced_again_until_the_file_says_something_else() -> None:
    key = "policy.budget.overall.week"
    refused = Standing(OLD, refused={key: 4})
    assert not settle(refused, {**OLD, key: 4}, free=False, stands=stands)
    again = settle(refused, {**OLD, key: 5}, free=False, stands=stands)
    assert (again.lifted, again.announce) == ((key,), (key,))
    assert settle(refused, OLD, free=False, stands=stands).lifted == (key,)


def test_parts_that_cannot_stand_alone_wait_for_one_another() -> None:
    push = [f"policy.budget.channels.push.{name}" for name in ("covers", "day", "week", "month", "gap_hours")]
    caps = {"day": 1, "week": 2, "month": 4, "gap_hours": 48}
    own = {f"policy.budget.channels.{name}.{cap}": n for name in ("fcm", "webpush") for cap, n in caps.items()}
    files = {key: value for key, value in OLD.items() if key not in push} | own
    plan = settle(Standing(OLD), files, free=False, stands=stands)
    assert not plan.at_once
    assert set(plan.announce) == {*push, *own}
    standing = Standing(OLD, {key: Announced(files.get(key), NOW) for key in plan.announce})
    yes, no = come_due(standing, NOW, refused=lambda _: False, stands=stands)
    assert with_values(OLD, files, yes) == files
    assert not no


def test_a_rule_that_a_newer_program_brings_holds_at_once_and_one_it_dropped_goes() -> None:
    key = "policy.changes.announce_days"
    old = {name: value for name, value in OLD.items() if name != key} | {"policy.budget.overall.year": 9}
    plan = settle(Standing(old), OLD, free=False, stands=lambda _: False)
    assert plan.at_once == ("policy.budget.overall.year", key)


def test_machines_with_other_files_obey_the_stricter_and_it_is_noticed() -> None:
    key, hours = "policy.budget.overall.week", "quiet_hours.channels.sms"
    mine = {**OLD, key: 2, hours: {"daily": "09:00-21:00"}}
    values = in_process(OLD, mine, stands=stands)
    assert (values[key], values[hours]) == (2, HOURS)
    assert strays(Standing(OLD, {hours: Announced({"daily": "09:00-21:00"}, NOW)}), mine) == (key,)
    contradicting = in_process(OLD, {**OLD, key: 2}, stands=lambda values: values[key] == 3)
    assert contradicting == OLD


@pytest.mark.parametrize(
    ("seconds", "objections", "reachable", "stops"),
    [(0, 4, 100, False), (0, 5, 100, True), (5, 5, 100, False), (0, 50, 5_001, False), (0, 51, 5_001, True)],
)
def test_when_objections_stop_a_change(seconds: int, objections: int, reachable: int, stops: bool) -> None:
    rules = ChangesPolicy(announce_days=7, objections_share=0.01, objections_least=5)
    assert rules.stops(seconds=seconds, objections=objections, reachable=reachable) is stops


CAPS = ("policy.budget.overall.day", "policy.budget.overall.week", "policy.budget.overall.gap_hours",
        "quiet_hours.channels.sms", "quiet_hours.channels.default", "policy.guard.limits.opt_outs.sms",
        "policy.guard.limits.opt_outs.default")  # fmt: skip
WINDOWS = st.sampled_from(["08:00-12:00", "09:00-20:00", "10:00-19:00", "11:00-21:00"])
FILES = st.fixed_dictionaries(
    {CAPS[0]: st.integers(1, 2), CAPS[1]: st.integers(2, 4), CAPS[2]: st.integers(0, 40),
     CAPS[4]: WINDOWS.map(lambda hours: {"daily": hours}), CAPS[6]: st.sampled_from([0.005, 0.01, 0.02])},
    optional={CAPS[3]: WINDOWS.map(lambda hours: {"daily": hours}), CAPS[5]: st.sampled_from([0.005, 0.01, 0.02])},
)  # fmt: skip


def together(values: dict[str, Any]) -> bool:
    """What the budget's own check says of these caps (`core.budget_policy`); the whole of it takes too long."""
    day, week, gap = (values[key] for key in CAPS[:3])
    return bool(day <= week and (day - 1) * gap < 24 and (week - 1) * gap < 168)


STEPS = st.tuples(FILES.filter(together), st.integers(0, 9), st.sets(st.sampled_from(CAPS)))
"""What the files say then, how many days pass, what members refuse."""


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(FILES.filter(together), st.integers(0, 9), st.sets(st.sampled_from(CAPS))), min_size=1, max_size=6
    )
)
def test_nothing_in_force_is_looser_than_what_was_announced_a_week_ago(
    history: list[tuple[dict[str, Any], int, set[str]]],
) -> None:
    """Files change, days pass, members refuse: each value that gets looser was announced just so, 7 days before."""
    now, standing = NOW, Standing({key: value for key, value in OLD.items() if key in CAPS})
    told: dict[str, list[tuple[Any, datetime]]] = {}

    for files, days, refusing in history:
        before = standing.in_force
        plan = settle(standing, files, free=False, stands=together)
        values = with_values(before, files, plan.at_once)
        announced = {k: v for k, v in standing.announced.items() if k not in plan.withdraw}
        announced |= {key: Announced(files.get(key), now + WEEK) for key in plan.announce}
        for key in plan.announce:
            told.setdefault(key, []).append((files.get(key), now))
        refused = {k: v for k, v in standing.refused.items() if k not in plan.lifted}
        assert together(values)
        assert not [key for key in CAPS if is_looser(key, before, values)]
        now += timedelta(days=days)
        standing = Standing(values, announced, refused)
        yes, no = come_due(standing, now, refused=refusing.__contains__, stands=together)
        wanted = {key: announced[key].value for key in yes}
        after = with_values(values, wanted, yes)
        for key in CAPS:
            if is_looser(key, values, after):
                ahead = [at for value, at in told.get(key, ()) if value == after.get(key) and at <= now - WEEK]
                assert ahead, key
                assert key not in refusing
        standing = Standing(
            after,
            {k: v for k, v in announced.items() if k not in {*yes, *no}},
            refused | {key: announced[key].value for key in no},
        )
        assert together(in_process(after, files, stands=together))
