"""An event as it is asked for, as it is changed, and as it is shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from sqlalchemy import Row

from router.core.moments import LocalTime, Moment

LARGEST_NUMBER = 2**63 - 1


def _one_line(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


_OneLine = BeforeValidator(_one_line)
"""Line ends and doubled spaces become one space."""

Title = Annotated[str, _OneLine, Field(max_length=200)]
Address = Annotated[str, _OneLine, Field(max_length=400)]
Notes = Annotated[str, _OneLine, Field(max_length=1000)]
Postcode = Annotated[str, _OneLine, Field(max_length=20)]
Latitude = Annotated[float, Field(ge=-90, le=90, strict=True)]
Longitude = Annotated[float, Field(ge=-180, le=180, strict=True)]
Country = Annotated[str, Field(pattern=r"^([A-Za-z]{2})?$")]
Start = Annotated[Moment, Field(ge=datetime(2000, 1, 1, tzinfo=UTC))]
LocalMoment = Annotated[LocalTime, Field(ge=datetime(2000, 1, 1))]  # noqa: DTZ001
Minutes = Annotated[int, Field(ge=15, le=24 * 60)]
Seats = Annotated[int, Field(ge=1, le=10_000)]


class _When(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    starts_at: Start | None = None
    """When it begins, with an offset from UTC."""
    starts_at_local: LocalMoment | None = None
    """Or by the clock of its place: ``2026-12-03T19:00``."""
    latitude: Latitude | None = None
    """Degrees north, with `longitude`; found by the postcode where it is left out."""
    longitude: Longitude | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> _When:
        if self.starts_at is not None and self.starts_at_local is not None:
            raise ValueError("give starts_at or starts_at_local, not both")
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together: give both, or neither")
        return self


class EventIn(_When):
    """An event to come. What is left out comes from the ask's `gathering`, the host or the postcode."""

    campaign_id: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] = 0
    """The ask that it belongs to; 0 for none."""
    title: Title = ""
    minutes: Minutes | None = None
    """How long it lasts."""
    seats: Seats | None = None
    """For guests."""
    area: Title = ""
    """Where it is, as everybody may know: ``Camden``."""
    address: Address = ""
    """Where exactly; only confirmed guests are told."""
    notes: Notes = ""
    """For confirmed guests: which bell, what to bring."""
    country: Country = ""
    """ISO 3166, two letters."""
    postcode: Postcode = ""
    zone: Annotated[str, Field(max_length=64)] = ""
    """IANA name of its time zone; found by the place where it is left out."""
    two_sided: bool | None = None
    """Whether two sides meet there, so that either gets half of the seats at first; as the `gathering` says where it
    is left out."""


class EventMove(_When):
    """Another time or place for an event, or another number of seats. What is left out stays as it is."""

    minutes: Minutes | None = None
    seats: Seats | None = None
    """Nobody loses a seat where there are fewer now than taken; who waits moves up where there are more."""
    area: Title | None = None
    address: Address | None = None
    notes: Notes | None = None
    country: Country = ""
    postcode: Postcode = ""
    zone: Annotated[str, Field(max_length=64)] = ""


class EventView(BaseModel):
    """An event. In public without its address, its host, and anything that leads to them."""

    model_config = ConfigDict(frozen=True)

    id: int
    campaign_id: int
    number: int
    """What people write: ``RSVP 3``. By campaign, from 1."""
    status: str
    """``proposed``, ``open``, ``refused`` or ``cancelled``."""
    title: str
    area: str
    country: str
    zone: str
    starts_at: datetime
    ends_at: datetime
    capacity: int
    taken: int
    waiting: int
    """Seats that people wait for."""
    seats_left: int
    two_sided: bool
    version: int
    """Goes up when it is moved or cancelled."""
    reason: str
    """Why it was refused or cancelled."""
    host_id: int = 0
    """The member who hosts it; 0 for the organizers, and in public."""
    address: str = ""
    notes: str = ""
    postcode: str = ""
    latitude: float | None = None
    longitude: float | None = None
    created_by: str = ""
    approved_by: str | None = None


_PRIVATE = ("host_id", "address", "notes", "postcode", "latitude", "longitude", "created_by", "approved_by")


def view_of(row: Row[Any], *, public: bool = False) -> EventView:
    """An event's row as it is shown, in public or to organizers."""
    hidden = _PRIVATE if public else ()
    seen = {name: getattr(row, name) for name in EventView.model_fields if name != "seats_left" and name not in hidden}
    return EventView(**seen, seats_left=max(0, row.capacity - row.taken))
