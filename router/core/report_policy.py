"""The ``[report_back]`` and ``[open]`` trees of ``config/policy.toml``: what people are owed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ReportBackPolicy(BaseModel):
    """When a report-back falls due (`core.debt`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    due_days: Annotated[int, Field(ge=1, le=365)]
    """Days after the deadline or the goal, and after a progress note."""

    @property
    def grace(self) -> timedelta:
        """`due_days` as a span of time."""
        return timedelta(days=self.due_days)


class OpenPolicy(BaseModel):
    """What stands in the open ledger (`community.open_ledger`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    above_people: Annotated[int, Field(ge=5)]
    """Asks to more recipients than this; among fewer a count could tell of one person."""
