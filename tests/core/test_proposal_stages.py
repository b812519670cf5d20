"""The way of an idea: every threshold is the policy's, no stage is skipped, and nobody goes wider who may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.policy import read_policy
from router.core.proposal_stages import (
    ORDER,
    AskState,
    Results,
    Stage,
    Stands,
    Step,
    What,
    before,
    following,
    next_step,
    route_of,
)
from router.settings import load_settings, load_toml

NOW = datetime(2026, 11, 19, 17, 0, tzinfo=UTC)
POLICY = read_policy(load_toml("policy", load_settings())).proposals
OBJECTION, ASKING = POLICY.objection_time, POLICY.stage_time
FULL = route_of(has_group=True, has_region=True)
SECOND = timedelta(seconds=1)
WANTED = Results(people=200, reached=200, yes=10)
WIDER = (Stage.TEST, Stage.REGION, Stage.ALL)


def idea(stage: str = "", **values: Any) -> Stands:
    return Stands(**{"status": "open", "stage": Stage(stage), "route": FULL, **values})


def asking(stage: str, results: Results = WANTED, **values: Any) -> Stands:
    return idea(stage, **{"ask": AskState.OUT, "since": NOW - ASKING, "results": results, **values})


@pytest.mark.parametrize(
    ("stands", "step"),
    [
        (idea(group_seconds=POLICY.group_seconds - 1), Step(What.REST)),
        (idea(group_seconds=POLICY.group_seconds), Step(What.ASK, stage=Stage.GROUP)),
        (idea(seconds=POLICY.public_seconds), Step(What.ASK, stage=Stage.GROUP)),
        (idea(seconds=POLICY.public_seconds - 1), Step(What.REST)),
        (idea("group", seconds=POLICY.public_seconds - 1), Step(What.REST)),
        (idea("group", seconds=POLICY.public_seconds), Step(What.ANNOUNCE, NOW + OBJECTION)),
        (idea("group", seconds=POLICY.public_seconds, since=NOW - OBJECTION), Step(What.ASK, stage=Stage.TEST)),
        (
            idea("group", seconds=POLICY.public_seconds, since=NOW - OBJECTION + SECOND),
            Step(What.WAIT, NOW + SECOND),
        ),
        (idea(route=WIDER, seconds=POLICY.public_seconds), Step(What.ANNOUNCE, NOW + OBJECTION)),
        (idea("test", since=NOW - OBJECTION), Step(What.ASK, stage=Stage.REGION)),
        (idea("test", since=NOW - OBJECTION, route=(Stage.TEST, Stage.ALL)), Step(What.ASK, stage=Stage.ALL)),
        (idea("region", since=NOW - OBJECTION), Step(What.ASK, stage=Stage.ALL)),
        (idea("region"), Step(What.ANNOUNCE, NOW + OBJECTION)),
        (idea("all"), Step(What.DONE)),
    ],
)
def test_between_two_stages(stands: Stands, step: Step) -> None:
    assert next_step(stands, POLICY, NOW) == step


@pytest.mark.parametrize(
    ("stands", "step"),
    [
        (asking("test", since=None, ask=AskState.NEW), Step(What.SET_OUT)),
        (asking("test", since=NOW - ASKING + SECOND), Step(What.WAIT, NOW + SECOND)),
        (asking("test"), Step(What.PASS, NOW + OBJECTION)),
        (asking("test", Results(people=200, reached=200, yes=9)), Step(What.END)),
        (asking("test", Results(people=200, reached=200, yes=11, no=10)), Step(What.PASS, NOW + OBJECTION)),
        (asking("test", Results(people=200, reached=200, yes=10, no=11)), Step(What.END)),
        (asking("test", Results(people=200, reached=200, yes=90, opt_outs=10)), Step(What.END)),
        (asking("test", Results(people=200, reached=200, yes=90, opt_outs=9)), Step(What.PASS, NOW + OBJECTION)),
        (asking("test", Results(people=200)), Step(What.WAIT, NOW + ASKING)),
        (asking("test", Results(people=200), ask=AskState.OVER), Step(What.END)),
        (asking("region", Results(), ask=AskState.OVER), Step(What.PASS, NOW + OBJECTION)),
        (asking("group", Results(people=9, reached=8)), Step(What.PASS)),
        (asking("group", Results(people=9, reached=8, yes=1, no=3)), Step(What.END)),
        (asking("group", seconds=POLICY.public_seconds), Step(What.PASS, NOW + OBJECTION)),
        (asking("all", Results(people=9, reached=9, no=9)), Step(What.DONE)),
        (asking("test", ask=AskState.CANCELLED), Step(What.TAKEN_BACK)),
        (asking("test", ask=AskState.RESTING), Step(What.RESUME)),
    ],
)
def test_while_a_stage_is_asked(stands: Stands, step: Step) -> None:
    assert next_step(stands, POLICY, NOW) == step


@pytest.mark.parametrize(
    ("status", "ask", "what"),
    [
        ("held", AskState.OUT, What.PAUSE),
        ("held", AskState.NEW, What.REST),
        ("held", AskState.RESTING, What.REST),
        ("held", None, What.REST),
        ("removed", AskState.RESTING, What.CANCEL),
        ("withdrawn", AskState.NEW, What.CANCEL),
        ("removed", AskState.OVER, What.REST),
        ("done", AskState.OVER, What.REST),
    ],
)
def test_what_becomes_of_the_ask_of_an_idea_that_does_not_stand(status: str, ask: AskState | None, what: What) -> None:
    assert next_step(asking("test", status=status, ask=ask), POLICY, NOW) == Step(what)


def test_a_refusal_is_of_wider_steps_only() -> None:
    """A group asks its own members without anybody's leave, and an ask that is out is counted."""
    own = idea(status="refused", group_seconds=POLICY.group_seconds)
    assert next_step(own, POLICY, NOW) == Step(What.ASK, stage=Stage.GROUP)
    assert next_step(asking("group", status="refused", since=None, ask=AskState.NEW), POLICY, NOW).what is What.SET_OUT
    assert next_step(asking("test", status="refused"), POLICY, NOW).what is What.PASS
    assert next_step(asking("test", status="refused", since=None, ask=AskState.NEW), POLICY, NOW).what is What.REST
    assert next_step(idea("test", status="refused", since=NOW - OBJECTION), POLICY, NOW).what is What.REST


def test_enough_objections_lift_a_refusal_unless_it_binds() -> None:
    stands = idea("group", status="refused", objections=POLICY.lift_seconds)
    assert next_step(stands, POLICY, NOW) == Step(What.LIFT)
    assert next_step(replace(stands, objections=POLICY.lift_seconds - 1), POLICY, NOW) == Step(What.REST)
    assert next_step(replace(stands, is_binding=True), POLICY, NOW) == Step(What.REST)


def test_the_route_has_only_stages_that_there_are() -> None:
    assert route_of(has_group=True, has_region=True) == ORDER[1:]
    assert route_of(has_group=False, has_region=False) == (Stage.TEST, Stage.ALL)
    assert following(Stage.GROUP, WIDER) is Stage.TEST, "the group is gone since it was asked"
    assert before(Stage.REGION, (Stage.TEST, Stage.REGION)) is Stage.TEST
    assert before(Stage.TEST, WIDER) is Stage.NONE


counts = st.integers(0, 60)
results = st.builds(Results, people=counts, reached=counts, yes=counts, no=counts, opt_outs=counts)
moments = st.none() | st.integers(-60, 60).map(lambda hours: NOW + timedelta(hours=hours))
ideas = st.builds(
    Stands,
    status=st.sampled_from(["open", "held", "refused", "removed", "withdrawn", "done"]),
    stage=st.sampled_from(ORDER),
    route=st.builds(route_of, has_group=st.booleans(), has_region=st.booleans()),
    group_seconds=counts,
    seconds=counts,
    objections=counts,
    is_binding=st.booleans(),
    ask=st.none() | st.sampled_from(AskState),
    since=moments,
    results=results,
)


@given(ideas)
def test_law_no_stage_is_skipped(stands: Stands) -> None:
    step = next_step(stands, POLICY, NOW)
    if step.what is What.ASK:
        assert step.stage is following(stands.stage, stands.route)


@given(ideas)
def test_law_nobody_goes_wider_held_refused_or_gone(stands: Stands) -> None:
    step = next_step(stands, POLICY, NOW)
    if stands.status != "open":
        assert not (step.what is What.ASK and step.stage in WIDER)
        assert not (step.what is What.SET_OUT and stands.stage in WIDER)
        assert step.what not in (What.ANNOUNCE,)
    if stands.status in ("held", "removed", "withdrawn", "done"):
        assert step.what in (What.REST, What.PAUSE, What.CANCEL)


@given(ideas)
def test_law_a_wider_ask_was_announced_for_the_whole_objection_period(stands: Stands) -> None:
    step = next_step(stands, POLICY, NOW)
    if step.what is What.ASK and step.stage in WIDER:
        assert stands.since is not None
        assert NOW - stands.since >= OBJECTION
        assert stands.seconds >= POLICY.public_seconds or stands.stage in (Stage.TEST, Stage.REGION)


@given(ideas)
def test_law_a_lifted_refusal_goes_on_where_it_stood(stands: Stands) -> None:
    """A refusal changes nothing but what may follow; once it is lifted everything follows as if it had never been."""
    refused = replace(stands, status="refused")
    step = next_step(refused, POLICY, NOW)
    if step.what not in (What.REST, What.LIFT):
        assert step == next_step(replace(stands, status="open"), POLICY, NOW)


@given(ideas)
def test_law_what_waits_waits_for_the_future(stands: Stands) -> None:
    step = next_step(stands, POLICY, NOW)
    if step.what in (What.WAIT, What.ANNOUNCE):
        assert step.at is not None
        assert step.at > NOW
