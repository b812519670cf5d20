"""What to ask of somebody next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import BadInput
from router.core.ladder import Done, Ladder, Rung, default_ladder, next_rung

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def done(kind: str, *, days: float = 40, rating: int = 0) -> Done:
    return Done(kind, NOW - timedelta(days=days), rating)


@pytest.mark.parametrize(
    ("deeds", "rung"),
    [
        ([], Rung.SHARE),
        ([done("signed")], Rung.ATTEND),
        ([done("signed", days=1)], Rung.ATTEND),
        ([done("gave")], Rung.SHARE),
        ([done("called")], Rung.VOLUNTEER),
        ([done("shared")], Rung.ATTEND),
        ([done("yes")], Rung.SHARE),
        ([done("came")], Rung.VOLUNTEER),
        ([done("came", rating=3)], Rung.VOLUNTEER),
        ([done("came", rating=4)], Rung.HOST),
        ([done("came", rating=5)], Rung.HOST),
        ([done("hosted")], Rung.VOLUNTEER),
        ([done("volunteered")], Rung.HOST),
        # The largest deed decides.
        ([done("signed"), done("came", rating=5)], Rung.HOST),
        ([done("gave"), done("signed")], Rung.SHARE),
        # Never the same again within 30 days, whether it was done, offered or pledged.
        ([done("signed"), done("came", days=3)], Rung.VOLUNTEER),
        ([done("gave"), done("shared", days=29)], Rung.ATTEND),
        ([done("gave"), done("shared", days=31)], Rung.SHARE),
        ([done("came", rating=5), done("host", days=2)], Rung.VOLUNTEER),
        # A deed of more than a year ago does not count any more.
        ([done("came", rating=5, days=366)], Rung.SHARE),
        # What is no step of the ladder changes nothing.
        ([done("rsvp"), done("click")], Rung.SHARE),
    ],
)
def test_what_one_did_decides_the_next_rung(deeds: list[Done], rung: Rung) -> None:
    assert next_rung(deeds, now=NOW) is rung


@pytest.mark.parametrize(
    ("asked", "rung"),
    [
        ({Rung.ATTEND: 3}, Rung.SHARE),
        ({Rung.ATTEND: 31}, Rung.ATTEND),
        ({Rung.ATTEND: 3, Rung.SHARE: 5}, Rung.VOLUNTEER),
        ({Rung.ATTEND: 3, Rung.SHARE: 5, Rung.VOLUNTEER: 29}, None),
    ],
)
def test_nobody_is_asked_for_the_same_twice_in_a_month(asked: dict[Rung, float], rung: Rung | None) -> None:
    when = {one: NOW - timedelta(days=days) for one, days in asked.items()}
    assert next_rung([done("signed")], now=NOW, asked=when) is rung


DEEDS = st.builds(
    done,
    st.sampled_from(["signed", "shared", "gave", "called", "came", "hosted", "volunteered", "yes", "click", "host"]),
    days=st.floats(0, 500),
    rating=st.integers(0, 5),
)


@given(st.lists(DEEDS), st.dictionaries(st.sampled_from(list(Rung)), st.floats(0, 100)))
def test_what_rests_is_never_asked_for(deeds: list[Done], asked: dict[Rung, float]) -> None:
    when = {one: NOW - timedelta(days=days) for one, days in asked.items()}
    rung = next_rung(deeds, now=NOW, asked=when)
    month_ago = NOW - timedelta(days=30)
    assert rung is None or not when.get(rung, month_ago) > month_ago
    assert rung not in {Rung.CUSTOM}
    assert not any(one.at > month_ago and rung is not None and one.kind == rung.done for one in deeds)
    assert next_rung(list(reversed(deeds)), now=NOW, asked=when) is rung, "the order of telling does not matter"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rest_days": 0}, "rest_days"),
        ({"memory_days": "long"}, "memory_days"),
        ({"steps": []}, "steps"),
        ({"steps": [{"after": "signed", "next": []}]}, "steps.0.next"),
        ({"steps": [{"after": "signed", "next": ["fly"]}]}, "steps.0.next.0"),
        ({"steps": [{"after": "Signed!", "next": ["host"]}]}, "steps.0.after"),
        ({"steps": [{"after": "came", "rated": 6, "next": ["host"]}]}, "steps.0.rated"),
        ({"speed": 9}, "speed"),
    ],
)
def test_a_ladder_that_cannot_be_meant(change: dict[str, object], place: str) -> None:
    data = {**default_ladder().model_dump(mode="json"), **change}
    with pytest.raises(BadInput) as refused:
        Ladder.from_toml(data)
    assert refused.value.place == f"ladder.toml: {place}"


def test_every_rung_is_named_by_its_deed() -> None:
    assert {rung.done for rung in Rung} == {
        "signed", "shared", "gave", "called", "came", "hosted", "volunteered", "yes",
    }  # fmt: skip
