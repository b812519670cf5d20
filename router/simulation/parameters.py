"""``config/simulation.toml``: its shape, and what it may not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from router.core.errors import BadInput

_Share = Annotated[float, Field(ge=0, le=1, strict=False)]
_Shape = Annotated[float, Field(gt=0, le=100, strict=False)]
_Count = Annotated[int, Field(ge=0, le=1000)]
_Pair = Annotated[list[Annotated[int, Field(ge=1, le=60)]], Field(min_length=2, max_length=2)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Clock(_Section):
    """Where some of the people live. `zone` is an IANA name, "" where it is not known."""

    zone: str
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    share: _Share


class Movement(_Section):
    """Who it is made of."""

    joined_years: Annotated[int, Field(ge=1, le=100)]
    readiness_shape: _Shape
    """Of the gamma distribution, with mean 1, of people's readiness to act."""
    annoyance_shape: _Shape
    """The same for how easily they are annoyed."""
    channels: Mapping[str, _Share]
    """channel → the share of members with an address and consent there."""
    zones: Annotated[list[Clock], Field(min_length=1)]


class Calendar(_Section):
    """What is asked."""

    campaigns: Annotated[int, Field(ge=1, le=100)]
    asks_a_week: _Pair
    """Of all campaigns together, from … to."""
    priorities: Annotated[Mapping[Annotated[int, Field(strict=False)], _Count], Field(min_length=1)]
    """priority → its weight."""
    deadline_share: _Share
    deadline_days: _Pair
    surges: _Count
    """In a year."""
    surge_priority: int
    surge_texts: _Share
    """The share of all members whom a text reaches before a surge is over."""
    permission_days: Annotated[int, Field(ge=1, le=365)]


class Fatigue(_Section):
    """How much less people act the more they were asked in 30 days."""

    response: _Share
    """So much is left of the response with each ask …"""
    until: Annotated[int, Field(ge=1, le=100)]
    """… up to this one."""


class Annoyance(_Section):
    """What several asks in a week do."""

    growth: Annotated[list[Annotated[float, Field(ge=0, le=10, strict=False)]], Field(min_length=1, max_length=6)]
    """The settings that are played: by so much each further ask in 7 days raises the share who opt out."""
    less_instead: _Share
    """Of those who would opt out, so many turn their dial down where there is one."""


class Silence(_Section):
    """Those who stop reading."""

    month: _Share
    permission_yes: _Share


class Parameters(_Section):
    """All of ``config/simulation.toml``. The mappings are by channel, and have the same channels."""

    movement: Movement
    calendar: Calendar
    response: Mapping[str, _Share]
    fatigue: Fatigue
    opt_out: Mapping[str, _Share]
    annoyance: Annoyance
    attention: Mapping[str, Annotated[float, Field(ge=1, le=100, strict=False)]]
    """Answers of any kind for each deed."""
    silence: Silence
    decay: Mapping[str, Annotated[float, Field(ge=0, lt=1, strict=False)]]
    """The share of addresses that stop working in a year."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        channels = set(self.movement.channels)
        if not {"email", "sms"} <= channels:
            raise ValueError("movement.channels needs email and sms, which the other arms use")
        for name in ("response", "opt_out", "attention", "decay"):
            if set(getattr(self, name)) != channels:
                raise ValueError(f"{name} must name the channels of movement.channels: {', '.join(sorted(channels))}")
        if abs(sum(clock.share for clock in self.movement.zones) - 1) > 1e-6:
            raise ValueError("the shares of movement.zones must add up to 1")
        if not sum(self.calendar.priorities.values()):
            raise ValueError("calendar.priorities needs a weight above 0")
        for name in ("asks_a_week", "deadline_days"):
            least, most = getattr(self.calendar, name)
            if most < least:
                raise ValueError(f"calendar.{name} must not end before it begins")
        return self


def read_parameters(data: Mapping[str, Any], *, file: str = "simulation.toml") -> Parameters:
    """Check the file's content; raises `BadInput` with file, key and sentence."""
    try:
        return Parameters.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        sentence = first["msg"].removeprefix("Value error, ")
        raise BadInput(sentence, place=f"{file}: {place}" if place else file) from None
