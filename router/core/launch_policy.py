"""The ``[guard]`` and kindred trees of ``config/policy.toml``: what a campaign must pass, and what stops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Share = Annotated[float, Field(gt=0, le=1, strict=False)]
_Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LaunchPolicy(_Section):
    """What happens between the launch and the first message."""

    undo_seconds: Annotated[int, Field(ge=0, le=3600)]
    """Nothing leaves for so long after a launch, so that it can be taken back."""
    approval_above: Annotated[int, Field(ge=0)]
    """More recipients than this need a second organizer's approval."""
    alone_undo_seconds: Annotated[int, Field(ge=0, le=3600)]
    """Where there is only one organizer, so long an undo time takes its place."""


class Limits(_Section):
    """Shares of a blast's messages above which it stops, once that is beyond chance."""

    opt_outs: Mapping[str, _Share]
    """channel → share of messages after which somebody asked for silence; ``default`` for the others."""
    complaints: _Share
    errors: _Share
    """Messages that the provider failed or refused."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    """How sure we are, over all looks together, that the limit is passed."""

    @model_validator(mode="after")
    def _has_a_default(self) -> Self:
        if "default" not in self.opt_outs:
            raise ValueError("opt_outs needs a default for the channels that it does not name")
        return self


class CanaryPolicy(_Section):
    """Some go first, and the rest waits for what they say."""

    above: Annotated[int, Field(ge=0)]
    """With more recipients than this …"""
    hours_before_deadline: Annotated[int, Field(ge=0, le=168)]
    """… and more time than this …"""
    size: Annotated[int, Field(ge=1)]
    """… so many go first …"""
    wait_minutes: _Minutes
    """… and so long after the last of them the rest follows."""


class RampPolicy(_Section):
    """Where there is no canary the sending begins slowly."""

    above: Annotated[int, Field(ge=0)]
    """With more recipients than this."""
    shares: Annotated[list[_Share], Field(max_length=10)]
    """The part of all recipients that each step may have reached."""
    wait_seconds: Annotated[int, Field(ge=0, le=3600)]
    """After each step."""
    tonight_wait_seconds: Annotated[int, Field(ge=0, le=3600)]
    """The same for an ask for tonight."""

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if any(later <= sooner for sooner, later in zip(self.shares, self.shares[1:], strict=False)):
            raise ValueError("each step must reach more people than the one before")
        return self


class GuardPolicy(_Section):
    """When a campaign stops itself."""

    content_refusals: _Share
    """So large a share of its last messages refused for their words …"""
    of_last: Annotated[int, Field(ge=1, le=100_000)]
    """… among so many."""
    limits: Limits
    canary: CanaryPolicy
    ramp: RampPolicy


class SpendPolicy(_Section):
    """What sending may cost."""

    month: Mapping[str, Annotated[float, Field(gt=0, strict=False)]]
    """currency → at most so much in a calendar month (UTC), over all campaigns. No limit where it has no row."""


class Wait(_Section):
    """How long a provider may try."""

    normal: _Minutes
    urgent: _Minutes

    @model_validator(mode="after")
    def _shorter_when_urgent(self) -> Self:
        if self.urgent > self.normal:
            raise ValueError(f"urgent ({self.urgent}) must not wait longer than normal ({self.normal})")
        return self


class HoldOutPolicy(_Section):
    """Who is left out by lot, where an author asks for it."""

    share: _Share
    members_above: Annotated[int, Field(ge=0)]
    """Only in movements larger than this."""


class ComparisonPolicy(_Section):
    """When two texts of one ask may be said to differ."""

    sample: Annotated[int, Field(ge=1)]
    """Not before so many messages of each were sent."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)]


class SurgePolicy(_Section):
    """An ask with a deadline, and who comes first where not all can be reached."""

    spare_minutes: Annotated[int, Field(ge=0, le=24 * 60)]
    """So long before the deadline the last message should have left."""
    newcomers_share: Annotated[float, Field(ge=0, le=1, strict=False)]
    """The part of scarce places that goes to people who have not acted yet."""
    acted_days: Annotated[int, Field(ge=1, le=3650)]
    """Who acted so lately is likely to act again."""
