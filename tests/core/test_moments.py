"""How a day and a time may be written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from router.core.moments import LocalTime, Moment

SIX = datetime(2026, 12, 1, 17, tzinfo=UTC)
MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
LOCAL: TypeAdapter[datetime] = TypeAdapter(LocalTime)


@pytest.mark.parametrize(
    "written", ["2026-12-01T18:00:00+01:00", "2026-12-01T17:00:00Z", "2026-12-01T17:00Z", "2026-12-01 17:00:00.000Z"]
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_moment_is_a_day_and_a_time_with_an_offset(written: str, strict: bool) -> None:
    held = create_model("Held", __config__=ConfigDict(strict=strict), at=(Moment, ...))
    assert held.model_validate_json(json.dumps({"at": written})).at == SIX  # type: ignore[attr-defined]
    assert held.model_validate({"at": SIX}).at == SIX  # type: ignore[attr-defined]


@pytest.mark.parametrize("written", [5, 5.5, 1_796_144_400, "0", "-1", "1796144400", " 1796144400 ", "1796144400.5"])
@pytest.mark.parametrize("kind", [MOMENT, LOCAL])
def test_a_number_is_no_moment(kind: TypeAdapter[datetime], written: object) -> None:
    with pytest.raises(ValidationError, match="in place of a number"):
        kind.validate_json(json.dumps(written))


@pytest.mark.parametrize("written", ["2026-12-01T18:00", "2026-12-01", "tomorrow", "", True, None])
def test_without_an_offset_it_is_no_moment(written: object) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_json(json.dumps(written))


def test_a_local_time_has_none() -> None:
    assert LOCAL.validate_json('"2026-12-01T18:00"') == datetime(2026, 12, 1, 18)  # noqa: DTZ001
    with pytest.raises(ValidationError):
        LOCAL.validate_json('"2026-12-01T18:00Z"')


def test_their_schemas_say_which_is_which() -> None:
    assert [kind.json_schema()["format"] for kind in (MOMENT, LOCAL)] == ["date-time", "date-time-local"]
