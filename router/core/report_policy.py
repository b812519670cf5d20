"""The ``[report_back]`` tree of ``config/policy.toml``: what those who acted are owed."""

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
