"""The trace of a decision: short, and the same when it is read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import trace
from router.core.attention import Refusal
from router.core.model import Address, Reason
from router.core.trace import Basis, Trace, Verdict, Wait, read_trace

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
CHANNELS = ["sms", "email", "whatsapp", "telegram", "slack", "webpush", "fcm", "pigeon-2"]

_MOMENTS = st.integers(0, 4_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
_LATER = st.integers(0, 10**10).map(lambda ms: timedelta(milliseconds=ms))
_ADDRESSES = st.builds(
    Address, id=st.integers(0, 2**63 - 1), channel=st.sampled_from(CHANNELS), value=st.just(""), hash=st.just("")
)
_WAITS = st.lists(st.sampled_from(Wait), unique=True, max_size=3)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("refused"), _ADDRESSES, st.sampled_from([*Refusal, *Reason])),
        st.tuples(st.just("taken"), _ADDRESSES, _LATER, _WAITS, st.booleans()),
        st.tuples(st.just("also"), _ADDRESSES),
        st.tuples(st.just("full"), _ADDRESSES),
    ),
    max_size=6,
)


@given(_MOMENTS, st.sampled_from(Basis), _STEPS)
def test_what_was_written_is_read(now: datetime, basis: Basis, steps: list[tuple[object, ...]]) -> None:
    text, verdicts = trace.head(now, basis), []
    for step in steps:
        match step:
            case ("refused", Address() as one, (Reason() | Refusal()) as reason):
                text += trace.refused(one, reason)
                verdicts.append(Verdict(one.channel, one.id, reason=reason))
            case ("taken", Address() as one, timedelta() as later, list(waits), bool(full)):
                text += trace.taken(one, now + later, now, "".join(waits), full=full)
                verdicts.append(Verdict(one.channel, one.id, at=now + later, waits=tuple(waits), full=full))
            case ("also", Address() as one):
                text += trace.joined(one)
                verdicts.append(Verdict(one.channel, one.id, also=True))
            case (_, Address() as one):
                text += trace.passed_over(one)
                verdicts.append(Verdict(one.channel, one.id, full=True))
    assert read_trace(text) == Trace(now, basis, tuple(verdicts))


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("reason", [*Reason, *Refusal])
def test_a_candidate_takes_less_than_forty_bytes(channel: str, reason: Reason | Refusal) -> None:
    one = Address(id=123_456_789, channel=channel, value="", hash="")
    assert len(trace.refused(one, reason)) < 40
    assert len(trace.taken(one, NOW + timedelta(hours=1), NOW, "lqb", full=True)) < 40


@given(st.text())
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    read_trace(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Trace()),
        ("nothing of ours", Trace()),
        ("0o", Trace(datetime(1970, 1, 1, tzinfo=UTC), Basis.OWN)),
        # what a newer program may add is passed over
        (
            "again 0z sms:1=of_late sms:x sms:2=cap;why",
            Trace(datetime(1970, 1, 1, tzinfo=UTC), verdicts=(Verdict("sms", 1),)),
        ),
    ],
)
def test_what_is_not_understood_is_left_out(text: str, expected: Trace) -> None:
    assert read_trace(text) == expected
