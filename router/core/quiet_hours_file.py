"""The shape of ``config/quiet_hours.toml``, and what it may not say.

A window that ends before it starts, a zone that does not exist, or rules that leave no hour of the week open are
refused when the file is loaded, so that `core.quiet_hours` always finds a next window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from router.core.errors import BadInput
from router.core.zones import known_zone

DEFAULT = "default"

Hours = tuple[int, int] | None
"""Minutes after midnight at which a day opens and closes; None: closed."""
Week = tuple[Hours, ...]
"""Monday to Sunday."""


def _hours(text: str) -> str:
    """Refuse a window that cannot be: used by the models below."""
    if text == "closed":
        return text
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError('a window is written "HH:MM-HH:MM", or "closed"')
    if _minutes(begin) >= _minutes(end):
        raise ValueError("this window ends before it starts, or as it starts; write the earlier hour first")
    return text


def _minutes(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdecimal()):
        raise ValueError('an hour is written "HH:MM", such as 09:00')
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 24 * 60:
        raise ValueError("there is no such hour; a day goes from 00:00 to 24:00")
    return total


def _zone_name(name: str) -> str:
    if known_zone(name) is None:
        raise ValueError("there is no such time zone; use an IANA name such as Europe/London")
    return name


def _as_hours(text: str) -> Hours:
    if text == "closed":
        return None
    begin, _dash, end = text.partition("-")
    return _minutes(begin), _minutes(end)


HoursText = Annotated[str, AfterValidator(_hours)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Days(_Section):
    daily: HoursText | None = None
    weekdays: HoursText | None = None
    saturday: HoursText | None = None
    sunday: HoursText | None = None

    @model_validator(mode="after")
    def _whole_week(self) -> Self:
        if self.daily is None and None in (self.weekdays, self.saturday, self.sunday):
            raise ValueError("give daily, or weekdays, saturday and sunday")
        if not any(self.week()):
            raise ValueError("this is closed all week, so nothing would ever be sent; switch the channel off instead")
        return self

    def week(self) -> Week:
        daily = self.daily or "closed"
        weekday = _as_hours(self.weekdays or daily)
        return (*[weekday] * 5, _as_hours(self.saturday or daily), _as_hours(self.sunday or daily))


class _Fundraising(_Days):
    purposes: Annotated[list[str], Field(min_length=1)]
    channels: Annotated[list[str], Field(min_length=1)]
    areas: dict[Annotated[str, Field(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")], _Days] = {}

    def weeks(self, country: str, area: str) -> list[Week]:
        """What narrows a channel's own week in this area; without an area, what narrows it anywhere in the country."""
        if area:
            narrower = [self.areas[area].week()] if area in self.areas else []
        else:
            narrower = [days.week() for name, days in self.areas.items() if name.partition("-")[0] == country.upper()]
        return [self.week(), *narrower]


class _Unknown(_Section):
    zone: Annotated[str, AfterValidator(_zone_name)]
    window: HoursText

    def week(self) -> Week:
        return (_as_hours(self.window),) * 7


class QuietHoursFile(_Section):
    channels: dict[str, _Days]
    fundraising: _Fundraising | None = None
    unknown: dict[Annotated[str, Field(pattern=r"^([A-Z]{2}|default)$")], _Unknown]


def week_of(days: Mapping[str, Any]) -> Week:
    """The week of a checked table with `daily`, or `weekdays`, `saturday` and `sunday`; other keys are passed over."""
    return _Days.model_validate({name: days[name] for name in _Days.model_fields if name in days}).week()


def check_never_empty(rules: QuietHoursFile, *, file: str) -> None:
    """Raise `BadInput` unless every combination that can be asked for leaves some time in the week."""
    for section in ("channels", "unknown"):
        if DEFAULT not in getattr(rules, section):
            raise BadInput(
                "this section is missing; it is for what has no section of its own",
                place=f"{file}: {section}.{DEFAULT}",
            )
    for channel, days in rules.channels.items():
        money = rules.fundraising if rules.fundraising and channel in rules.fundraising.channels else None
        _refuse_empty([days.week(), *(money.weeks("", "") if money else [])], f"{file}: channels.{channel}")
        if money:
            _check_areas(money, days.week(), file)
        for country, row in rules.unknown.items():
            narrower = money.weeks(country, "") if money else []
            _refuse_empty([days.week(), row.week(), *narrower], f"{file}: unknown.{country}.window", channel)


def _check_areas(money: _Fundraising, week: Week, file: str) -> None:
    """Each area alone, and all of a country together, since these apply where the member's state is not known."""
    together: dict[str, list[Week]] = {}
    for area in money.areas:
        _refuse_empty([week, *money.weeks("", area)], f"{file}: fundraising.areas.{area}")
    for area in money.areas:
        weeks = together.setdefault(area.partition("-")[0], [week])
        weeks += money.weeks("", area)
        _refuse_empty(weeks, f"{file}: fundraising.areas.{area}")


def _refuse_empty(weeks: list[Week], place: str, channel: str = "") -> None:
    if not any(common_week(weeks)):
        what = f" on {channel}" if channel else ""
        raise BadInput(f"together with the other rules this leaves no hour of the week{what}", place=place)


def common_week(weeks: Iterable[Week]) -> Week:
    """The hours that all these weeks have open."""
    return tuple(_common_hours(days) for days in zip(*weeks, strict=True))


def _common_hours(days: Sequence[Hours]) -> Hours:
    begin, end = 0, 24 * 60
    for hours in days:
        if hours is None:
            return None
        begin, end = max(begin, hours[0]), min(end, hours[1])
    return (begin, end) if begin < end else None
