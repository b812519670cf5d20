"""The ``[budget]`` tree of ``config/policy.toml``: its shape, and what it may not say.

What cannot be meant is refused when the file is loaded, with file, key and sentence: a cap of 0, a week that holds less
than a day, a gap that leaves no room for its cap. What it amounts to for one member is in ``core/budget_limits.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from router.core.errors import BadInput

_Asks = Annotated[int, Field(ge=1, le=100)]
_Days = Annotated[int, Field(ge=1, le=3650)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Caps(_Section):
    """At most so many asks in any 1, 7 and 30 days."""

    day: _Asks
    week: _Asks
    month: _Asks

    @model_validator(mode="after")
    def _grow(self) -> Self:
        if self.week < self.day:
            raise _refused(f"a week cannot hold fewer asks ({self.week}) than a day ({self.day})", "week")
        if self.month < self.week:
            raise _refused(f"30 days cannot hold fewer asks ({self.month}) than a week ({self.week})", "month")
        return self


class SpacedCaps(Caps):
    """The same, and so much time between two of them; 0 for none."""

    gap_hours: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        for name, asks, hours in (("day", self.day, 24), ("week", self.week, 168), ("month", self.month, 720)):
            if (asks - 1) * self.gap_hours >= hours or self.gap_hours > 720:
                sentence = f"a gap of {self.gap_hours} h leaves no room for {name} = {asks}; shorten it or lower {name}"
                raise _refused(sentence, "gap_hours")
        return self


class ChannelCaps(SpacedCaps):
    """One channel's own caps, or those that several share because they light up the same screen."""

    covers: Annotated[list[str], Field(min_length=1)] | None = None
    """These channels count as one; the section's own name where it is left out."""


class Newcomers(Caps):
    """What somebody bears who joined lately."""

    first_days: _Days
    joining_campaign_days: Annotated[int, Field(ge=0, le=3650)]
    """For so long the campaign through which they joined is exempt: it is what they came for."""


class Unanswered(_Section):
    """What follows from asks on one channel to which nobody answered."""

    widen_after: _Asks
    """After so many its gap is `widen_by` times as long …"""
    widen_by: Annotated[int, Field(ge=1, le=30)]
    month_after: _Asks
    """… and after so many there is one ask in 30 days."""


class Silence(_Section):
    """How long an ask stays without any answer before we ask whether to go on."""

    days: Annotated[int, Field(ge=31, le=3650)]


class DialSteps(_Section):
    """What the steps of the member's dial mean."""

    weekly: _Asks
    """So many asks in 7 days."""


class UrgentOverride(_Section):
    """What a second approver may add for an urgent ask: so many more, up to a ceiling, so often per member."""

    day: Annotated[int, Field(ge=0, le=100)]
    week: Annotated[int, Field(ge=0, le=100)]
    month: Annotated[int, Field(ge=0, le=100)]
    ceiling: Caps
    per_member: _Asks
    """In any 30 days."""


class Threads(_Section):
    """What saying YES to a campaign opens."""

    follow_ups: Annotated[int, Field(ge=0, le=20)]


class Competing(_Section):
    """When an ask may take the slot of another."""

    margin: Annotated[int, Field(ge=1, le=1000)]
    """Its priority must be higher by so much. Never 0: equals do not take from one another."""


class BudgetSection(_Section):
    """All of ``[budget]``."""

    overall: SpacedCaps
    channels: dict[str, ChannelCaps] = {}
    """A channel without a section has no caps of its own, only those over all."""
    newcomers: Newcomers
    unanswered: Unanswered
    silence: Silence
    dial: DialSteps
    urgent: UrgentOverride
    thread: Threads
    competing: Competing

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place, sentence in self._contradictions():
            raise _refused(sentence, *place)
        return self

    def _contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for name in ("day", "week", "month"):
            normal, ceiling = getattr(self.overall, name), getattr(self.urgent.ceiling, name)
            if getattr(self.newcomers, name) > normal:
                yield ("newcomers", name), f"a newcomer cannot bear more than everybody ({normal})"
            if ceiling < normal:
                yield ("urgent", "ceiling", name), f"the ceiling lies below the normal cap ({normal})"
        if self.newcomers.joining_campaign_days > self.newcomers.first_days:
            yield ("newcomers", "joining_campaign_days"), "this must not outlast first_days, from which it exempts"
        if self.dial.weekly > self.overall.week:
            yield ("dial", "weekly"), f"a dial turned down cannot allow more than overall.week ({self.overall.week})"
        if self.unanswered.month_after <= self.unanswered.widen_after:
            yield ("unanswered", "month_after"), "this must be more than widen_after"
        yield from self._channel_contradictions()

    def _channel_contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        taken: dict[str, str] = {}
        for name, caps in self.channels.items():
            if caps.gap_hours * self.unanswered.widen_by > 720:
                sentence = f"widened {self.unanswered.widen_by} times (unanswered.widen_by) this is over 30 days"
                yield ("channels", name, "gap_hours"), sentence
            for channel in caps.covers or [name]:
                if channel in taken:
                    yield ("channels", name, "covers"), f"{channel} already has caps under channels.{taken[channel]}"
                taken[channel] = name


def _refused(sentence: str, *place: str) -> ValidationError:
    """An error at a key further down than the section that found it."""
    problem = PydanticCustomError("budget", "{sentence}", {"sentence": sentence})
    return ValidationError.from_exception_data("budget", [InitErrorDetails(type=problem, loc=place, input=None)])


def read_budget(data: Mapping[str, Any], *, file: str = "policy.toml") -> BudgetSection:
    """Check a file's ``[budget]`` tree; raises `BadInput` with file, key and sentence."""
    try:
        return BudgetSection.model_validate(data.get("budget", {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("budget", *(str(part) for part in first["loc"])))
        raise BadInput(first["msg"], place=f"{file}: {place}") from None
