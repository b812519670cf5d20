"""The ``[changes]`` tree of ``config/policy.toml``: how rules that let us message more come into force."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ChangesPolicy(BaseModel):
    """How long such a change is announced, and when members' objections stop it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    announce_days: Annotated[int, Field(ge=7, le=90)]
    """Days between its announcement on ``/open`` and the moment from which it holds. Never less than the 7 promised."""
    objections_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """It is stopped where more members object than second it, and at least this share of those we can reach …"""
    objections_least: Annotated[int, Field(ge=1, le=10_000)]
    """… and no fewer than so many."""

    @property
    def notice(self) -> timedelta:
        """`announce_days` as a span of time."""
        return timedelta(days=self.announce_days)

    def needed(self, reachable: int) -> int:
        """Objections that stop a change where so many members can be reached."""
        return max(self.objections_least, math.ceil(self.objections_share * reachable))

    def stops(self, *, seconds: int, objections: int, reachable: int) -> bool:
        """Whether members have refused a change that falls due."""
        return objections > seconds and objections >= self.needed(reachable)
