"""Moments, local times and days as people and programs write them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, NaiveDatetime

_NUMBER = re.compile(r"\s*[+-]?[\d_.]+\s*")


def _written_like(example: str) -> BeforeValidator:
    """No number: pydantic would take one for seconds or milliseconds since 1970, whichever looks likelier."""

    def check(value: Any) -> Any:
        if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
            raise ValueError(f"write it like {example}, in place of a number")
        return value

    return BeforeValidator(check)


Moment = Annotated[AwareDatetime, Field(strict=False), _written_like("2026-12-01T18:00:00+01:00")]
"""A day and a time with an offset from UTC (RFC 3339)."""
LocalTime = Annotated[
    NaiveDatetime,
    Field(strict=False, json_schema_extra={"format": "date-time-local"}),
    _written_like("2026-12-01T18:00"),
]
"""A day and a time by the clock of a place; ``date-time`` in a schema would have an offset from UTC (RFC 3339)."""
Day = Annotated[date, Field(strict=False), _written_like("2026-12-01")]
"""A day of the calendar."""
