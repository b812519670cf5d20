"""``outreach simulate``: fair to every arm, the same for the same seed; the router's arm obeys the router's rules."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from router.__main__ import outreach
from router.core.errors import BadInput
from router.core.purse import DAY_MS, from_ms, to_ms
from router.settings import load_settings
from router.simulation.behaviour import Behaviour
from router.simulation.calendar import CalendarAsk
from router.simulation.parameters import read_parameters
from router.simulation.people import BEGIN, Life
from router.simulation.routed import Routed
from router.simulation.states import State
from router.simulation.trials import (
    ARMS,
    BOTH,
    CAPPED,
    EMAIL,
    ROUTER,
    Rules,
    Size,
    Trial,
    calendar_of,
    load_rules,
    make_arm,
    play,
    run_trials,
    world_of,
)
from router.simulation.year import World, Year, live

RULES = load_rules(load_settings())
CHANNELS = frozenset(RULES.parameters.movement.channels)
SIZE = Size(members=24, weeks=52)
NOBODY_ANNOYED = {"opt_out": dict.fromkeys(CHANNELS, 0.0)}
NOBODY_ACTS = {"response": dict.fromkeys(CHANNELS, 0.0), "silence": {"month": 0.0, "permission_yes": 0.0}}
MANY_ACT = {"response": dict.fromkeys(CHANNELS, 0.5)}
NOTHING_DIES = {"decay": dict.fromkeys(CHANNELS, 0.0)}
TEXTS_FOR_ALL = {"calendar": RULES.simulation_file["calendar"] | {"surge_texts": 1.0}}


def rules(**changes: Any) -> Rules:
    """The shipped files with some sections of ``simulation.toml`` changed."""
    return Rules(RULES.policy_file, RULES.quiet_hours_file, {**RULES.simulation_file, **changes})


@dataclass(frozen=True)
class Message:
    ask: CalendarAsk
    channel: str
    at: int


@dataclass(slots=True, kw_only=True)
class Recorder(Behaviour):
    """The same behaviour; what arrives is written down by person."""

    messages: dict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))

    def hear(self, life: Life, ask: CalendarAsk, channel: str, at: int, *, dial: bool = False) -> int:
        self.messages[life.number].append(Message(ask, channel, at))
        return Behaviour.hear(self, life, ask, channel, at, dial=dial)


def recorded(
    found: Rules, arm: str, *, size: Size = SIZE, only: int | None = None
) -> tuple[World, dict[int, list[Message]], Year]:
    """A year with everything that arrived; with `only` that person is the whole movement."""
    world = world_of(found, size, Trial(1, 0.25, arm))
    recorder = Recorder(**{one.name: getattr(world.behaviour, one.name) for one in fields(Behaviour)})
    lives = world.lives if only is None else [world.lives[only]]
    world = replace(world, behaviour=recorder, lives=lives)
    end = BEGIN + timedelta(weeks=size.weeks)
    year = live(make_arm(arm, world, CHANNELS), world, calendar_of(found, size, 1), end)
    return world, recorder.messages, year


def most_within(moments: list[int], days: int) -> int:
    """The most of these that lie in one window of so many days."""
    return max((sum(start <= at < start + days * DAY_MS for at in moments) for start in moments), default=0)


@pytest.mark.parametrize("arm", ARMS)
def test_the_same_seed_gives_the_same_year_and_another_one_another(arm: str) -> None:
    first, again, other = (play(RULES, SIZE, Trial(seed, 0.25, arm)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_processes_change_no_number() -> None:
    small = Size(members=10, weeks=2)
    assert run_trials(RULES, small, 1, jobs=2) == run_trials(RULES, small, 1, jobs=1)


def test_every_arm_has_the_same_people_and_the_same_calendar() -> None:
    found = rules(**NOBODY_ANNOYED, **NOTHING_DIES, **TEXTS_FOR_ALL)
    asks = [ask for ask in calendar_of(found, SIZE, 1) if not ask.permission]
    people = [[life.person for life in world_of(found, SIZE, Trial(1, 0.25, arm)).lives] for arm in ARMS]
    assert all(one == people[0] for one in people)
    with_email = sum("email" in person.channels for person in people[0])
    with_sms = sum("sms" in person.channels for person in people[0])
    assert play(found, SIZE, Trial(1, 0.25, EMAIL)).messages == len(asks) * with_email
    assert play(found, SIZE, Trial(1, 0.25, BOTH)).messages == len(asks) * (with_email + with_sms)


@pytest.mark.parametrize("arm", ARMS)
def test_where_nobody_is_annoyed_nobody_leaves(arm: str) -> None:
    year = play(rules(**NOBODY_ANNOYED, **NOTHING_DIES), SIZE, Trial(1, 0.0, arm))
    assert year.opt_outs == year.turned_down == 0
    assert year.reachable == year.reached


@pytest.mark.parametrize("changes", [{}, MANY_ACT], ids=["as shipped", "many act"])
@pytest.mark.parametrize(("arm", "caps", "ceiling"), [(ROUTER, (1, 3, 8), (2, 5, 11)), (CAPPED, (1, 2, 6), (1, 2, 6))])
def test_nobody_is_ever_over_budget(
    changes: dict[str, Any], arm: str, caps: tuple[int, int, int], ceiling: tuple[int, int, int]
) -> None:
    _, messages, year = recorded(rules(**changes), arm)
    assert year.messages
    for heard in messages.values():
        everything = [one.at for one in heard]
        for days, cap, top in zip((1, 7, 30), caps, ceiling, strict=True):
            assert most_within(everything, days) <= top
            surges = [one.at for one in heard if one.ask.surge]
            calm = [at for at in everything if all(abs(at - surge) >= days * DAY_MS for surge in surges)]
            assert most_within(calm, days) <= cap


def test_the_routers_messages_come_once_in_time_awake_to_addresses_that_work() -> None:
    world, messages, year = recorded(rules(decay=dict.fromkeys(CHANNELS, 0.6)), ROUTER)
    assert year.reachable < year.members
    by_fallback = 0
    for number, heard in messages.items():
        person = world.lives[number].person
        assert max(Counter(one.ask.number for one in heard).values()) == 1
        by_fallback += len({one.channel for one in heard}) > 1
        for one in heard:
            assert one.ask.at_ms <= one.at < to_ms(one.ask.expires_at)
            assert one.at < person.dies_at[one.channel]
            window = world.house.quiet_hours.window(one.channel, person.zone, person.country, from_ms(one.at))
            assert window.opens_at <= from_ms(one.at) < window.closes_at
    assert by_fallback


def test_people_alike_are_decided_once_and_each_as_if_they_were_alone() -> None:
    size = Size(members=16, weeks=30)
    found = rules(**NOBODY_ANNOYED, **NOBODY_ACTS, **TEXTS_FOR_ALL)
    _, together, _ = recorded(found, ROUTER, size=size)
    for number, heard in together.items():
        _, alone, _ = recorded(found, ROUTER, size=size, only=number)
        assert alone[number] == heard


def test_looking_for_room_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = play(RULES, SIZE, Trial(1, 0.25, ROUTER))
    monkeypatch.setattr(State, "room", lambda self, house, now: now)
    assert play(RULES, SIZE, Trial(1, 0.25, ROUTER)) == quick


def test_those_who_never_answer_are_asked_once_whether_to_go_on_and_let_go() -> None:
    _, messages, year = recorded(rules(**NOBODY_ANNOYED, **NOBODY_ACTS, **NOTHING_DIES), ROUTER)
    assert year.let_go == year.reachable == year.members
    for heard in messages.values():
        assert sum(one.ask.permission for one in heard) == 1
        assert heard[-1].ask.permission


@pytest.mark.parametrize("arm", [BOTH, ROUTER])
def test_in_a_surge_only_so_many_texts_leave_in_time(arm: str) -> None:
    calendar = {**RULES.simulation_file["calendar"], "surge_texts": 0.1}
    _, messages, _ = recorded(rules(calendar=calendar, **NOTHING_DIES), arm)
    texts = Counter(
        one.ask.number for heard in messages.values() for one in heard if one.ask.surge and one.channel == "sms"
    )
    assert texts
    assert max(texts.values()) <= 0.1 * SIZE.members


def test_a_more_important_ask_takes_the_slot_of_one_that_waits_for_morning() -> None:
    world = world_of(RULES, Size(members=200, weeks=1), Trial(1, 0.0, ROUTER))
    recorder = Recorder(**{one.name: getattr(world.behaviour, one.name) for one in fields(Behaviour)})
    found = next(
        life for life in world.lives if life.person.channels == ("email",) and life.person.zone == "America/New_York"
    )
    person = replace(found.person, joined_days=900, annoyance=0.0, readiness=0.0)
    world = replace(world, lives=[Life(person, 0)], behaviour=recorder)
    evening = datetime(2026, 1, 6, 3, tzinfo=UTC)
    lesser = ask(1, evening, hours=72)
    greater = ask(2, evening + timedelta(hours=1), hours=24, priority=2)
    arm = Routed(world, CHANNELS, router=True)
    arm.ask(lesser)
    arm.ask(greater)
    arm.finish(evening + timedelta(days=7))
    morning = to_ms(datetime(2026, 1, 6, 12, tzinfo=UTC))
    assert recorder.messages[0] == [Message(greater, "email", morning), Message(lesser, "email", morning + 2 * DAY_MS)]


def ask(number: int, at: datetime, *, hours: int, priority: int = 0) -> CalendarAsk:
    expires_at = at + timedelta(hours=hours)
    return CalendarAsk(number=number, campaign=number, at=at, at_ms=to_ms(at), expires_at=expires_at, priority=priority)


def broken(change: Any) -> dict[str, Any]:
    data = copy.deepcopy(dict(RULES.simulation_file))
    change(data)
    return data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (broken(lambda d: d["response"].update(sms=1.5)), "simulation.toml: response.sms"),
        (broken(lambda d: d["response"].pop("sms")), "simulation.toml"),
        (broken(lambda d: d["movement"]["channels"].pop("email")), "simulation.toml"),
        (broken(lambda d: d["movement"]["zones"].pop()), "simulation.toml"),
        (broken(lambda d: d["calendar"].update(asks_a_week=[4, 2])), "simulation.toml"),
        (broken(lambda d: d["calendar"].update(priorities={})), "simulation.toml: calendar.priorities"),
        (broken(lambda d: d["annoyance"].update(growth=[])), "simulation.toml: annoyance.growth"),
        (broken(lambda d: d.pop("decay")), "simulation.toml: decay"),
        (broken(lambda d: d.update(surprise=1)), "simulation.toml: surprise"),
    ],
)
def test_parameters_that_cannot_be_meant(data: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_parameters(data)
    assert refused.value.place == place
    assert refused.value.sentence


def test_the_command_prints_the_tables_and_draws_the_picture(tmp_path: Path) -> None:
    command = ["simulate", "--members", "20", "--seeds", "2", "--weeks", "4", "--jobs", "1", "--picture"]
    drawn = [tmp_path / name for name in ("one.svg", "two.svg")]
    runs = [CliRunner().invoke(outreach, [*command, str(path)], env={"COLUMNS": "120"}) for path in drawn]
    assert [run.exit_code for run in runs] == [0, 0]
    assert runs[0].stdout.replace("one.svg", "two.svg") == runs[1].stdout
    for words in ("(a = 0)", "(a = 0.25)", "(a = 0.76)", "Beyond caps", "per 1,000 messages", "The router"):
        assert words in runs[0].stdout
    pictures = [path.read_text("utf-8") for path in drawn]
    assert pictures[0] == pictures[1]
    root = ET.fromstring(pictures[0])
    texts = [element.text or "" for element in root.iter()]
    assert {"title", "desc"} <= {element.tag.rpartition("}")[2] for element in root.iter()}
    assert set(ARMS) <= set(texts)


def test_a_picture_needs_a_folder(tmp_path: Path) -> None:
    run = CliRunner().invoke(outreach, ["simulate", "--picture", str(tmp_path / "no" / "where.svg")])
    assert isinstance(run.exception, BadInput)
