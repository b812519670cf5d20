"""The ``[proposals]`` tree of ``config/policy.toml``: the public settings of asks from below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Refusal(BaseModel):
    """A published rule by which organizers may refuse a wider ask."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sentence: Annotated[str, Field(min_length=1, max_length=400)]
    """What the proposer, and everybody who looks, reads."""
    binding: bool = False
    """Whether no number of objections lifts it: the law, and people's safety."""


class ProposalPolicy(BaseModel):
    """What an idea must earn, and what protects others from it. Everybody may read it on ``/ideas``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    shortest: Annotated[int, Field(ge=1, le=1_000)]
    """Letters and digits that an idea has at least."""
    longest: Annotated[int, Field(ge=20, le=1_000)]
    """Characters that it has at most."""
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]], Field(min_length=1, max_length=100)]
    """Languages that somebody here moderates."""
    per_days: Annotated[int, Field(ge=1, le=365)]
    """One proposal of a person within so many days."""
    seconds_a_day: Annotated[int, Field(ge=1, le=1_000)]
    """How many ideas a person may second within a day."""
    member_days: Annotated[int, Field(ge=0, le=365)]
    """So long somebody is a member before their second, objection or report counts."""
    crowd_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """An idea whose seconds come to such a share from members of the last 30 days is held for two organizers …"""
    crowd_from: Annotated[int, Field(ge=1, le=10_000)]
    """… once it has so many seconds."""
    reports: Annotated[int, Field(ge=1, le=1_000)]
    """So many reports hold it until two organizers have looked."""
    organizers: Annotated[int, Field(ge=1, le=10)]
    """How many organizers must agree to keep, remove or refuse an idea; fewer where there are fewer."""
    group_seconds: Annotated[int, Field(ge=1, le=10_000)]
    """Seconds that put an idea to the members of its own group, without staff."""
    public_seconds: Annotated[int, Field(ge=1, le=1_000_000)]
    """Seconds that bring it before the movement: a test, then the region, then all."""
    objection_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    """So long organizers may refuse before each wider step; then it goes on without them."""
    test_members: Annotated[int, Field(ge=10, le=100_000)]
    """How many people, drawn by lot, the test asks."""
    stage_hours: Annotated[int, Field(ge=1, le=24 * 30)]
    """How long a stage's answers are counted before the next step."""
    yes_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """Of those who were reached, the share that must say yes for the next step."""
    no_share: Annotated[float, Field(gt=0, le=1, strict=False)]
    """A share that asks for silence, which ends it; or that says no, where more do than say yes."""
    lift_seconds: Annotated[int, Field(ge=1, le=1_000_000)]
    """Objections of distinct members that lift a refusal which is not binding."""
    rules: Annotated[Mapping[str, Refusal], Field(min_length=1, max_length=50)]
    """name → a published rule for refusals."""

    @property
    def objection_time(self) -> timedelta:
        """`objection_hours` as a span of time."""
        return timedelta(hours=self.objection_hours)

    @property
    def stage_time(self) -> timedelta:
        """`stage_hours` as a span of time."""
        return timedelta(hours=self.stage_hours)
