"""When a message may arrive: by the member's own clock, never by ours.

The hours are data (``config/quiet_hours.toml``, each value with its source). A message that comes too early or too
late waits for the next window. Where a member's zone is not known, the answer errs towards daytime:

- the country has a row of its own (the US: 12:00–20:00 Eastern): that window;
- the country is known: the hours that all its zones have in common; where there are none within two weeks (the
  Antarctic), those of the first zone that tzdata lists for it;
- nothing is known: the row ``unknown.default``.

Clocks that jump: a window opens at the later and closes at the earlier reading of its hours, so an hour that happens
twice or not at all makes it narrower, never wider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from router.core.errors import BadInput
from router.core.quiet_hours_file import DEFAULT, QuietHoursFile, Week, check_never_empty, common_week
from router.core.zones import COUNTRY_ALIASES, known_zone, zones_of_country

_MEMO_LIMIT = 8_192
_MEMO_EACH = 4

Span = tuple[datetime, datetime]


class Window(NamedTuple):
    """A stretch of time in which messages may arrive; both ends in UTC, the second one just outside."""

    opens_at: datetime
    closes_at: datetime


class QuietHours:
    """The rules of ``config/quiet_hours.toml``, ready to be asked for each member of a large audience."""

    def __init__(self, rules: QuietHoursFile) -> None:
        self._channels = {name: days.week() for name, days in rules.channels.items()}
        self._unknown = rules.unknown
        self._fundraising = rules.fundraising
        self._memo: dict[tuple[str, str, str, str, str], tuple[tuple[datetime, Window], ...]] = {}

    @classmethod
    def from_toml(cls, data: Mapping[str, Any], *, file: str = "quiet_hours.toml") -> Self:
        """Check the file's content; raises `BadInput` with file, key and sentence."""
        try:
            rules = QuietHoursFile.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(first["msg"].removeprefix("Value error, "), place=f"{file}: {place}") from None
        check_never_empty(rules, file=file)
        return cls(rules)

    def window(
        self, channel: str, zone: str, country: str, at: datetime, *, purpose: str = "asks", area: str = ""
    ) -> Window:
        """The window that contains `at`, else the next one that opens.

        `zone` is an IANA name; what is none (or "") counts as unknown. `area` is an ISO 3166-2 code (``US-KY``) for
        the state rules of fundraising; without it the strictest of the country's apply.
        """
        key = (channel, zone, country, purpose, area)
        known = self._memo.get(key, ())
        # An answer holds from the moment it was asked for until its window closes. Several are kept: most people of
        # an audience are asked for now, those who have no room yet for tomorrow.
        for since, window in known:
            if since <= at < window.closes_at:
                return window
        if at.tzinfo is None:
            raise ValueError("at must be an aware datetime")
        found = self._find(self._week(channel, country, purpose, area), zone, country, at.astimezone(UTC))
        if len(self._memo) >= _MEMO_LIMIT:
            self._memo.clear()
        self._memo[key] = ((min(at, found.opens_at), found), *known[: _MEMO_EACH - 1])
        return found

    def week(self, channel: str) -> Week:
        """The hours of a channel by the member's clock, asks for money apart."""
        return self._channels.get(channel) or self._channels[DEFAULT]

    def local_to_utc(self, local: datetime, zone: str, country: str) -> datetime:
        """The moment at which a member's own clock shows `local` (naive).

        Where the zone is not known it is the earliest moment at which any clock of the country shows it, so that
        nobody gets it late; quiet hours still keep it out of the night. An hour that the clocks skip counts as the
        one after it, an hour that happens twice as its first time.
        """
        if local.tzinfo is not None:
            raise ValueError("local must be a naive datetime")
        zones = [clock for clock, _week in self._clocks(zone, country)]
        return min(local.replace(tzinfo=clock, fold=0).astimezone(UTC) for clock in zones)

    def _week(self, channel: str, country: str, purpose: str, area: str) -> Week:
        """The channel's week, narrowed by the rules for fundraising where they apply."""
        week = self.week(channel)
        rules = self._fundraising
        if rules is None or purpose not in rules.purposes or channel not in rules.channels:
            return week
        return common_week([week, *rules.weeks(country, area)])

    def _clocks(self, zone: str, country: str) -> list[tuple[ZoneInfo, Week | None]]:
        """The clocks that all must agree, each with the week that stands in for an unknown zone."""
        info = known_zone(zone)
        if info is not None:
            return [(info, None)]
        country = COUNTRY_ALIASES.get(country.upper(), country.upper())
        if country not in self._unknown:
            infos = [info for info in map(known_zone, zones_of_country(country)) if info is not None]
            if infos:
                return [(info, None) for info in infos]
        row = self._unknown.get(country) or self._unknown[DEFAULT]
        return [(ZoneInfo(row.zone), row.week())]

    def _find(self, week: Week, zone: str, country: str, at: datetime) -> Window:
        clocks = [
            (info, week if stand_in is None else common_week([week, stand_in]))
            for info, stand_in in self._clocks(zone, country)
        ]
        # Three days nearly always suffice; two weeks also find a week's only window when clocks skip a day.
        for days in (3, 16):
            for opens_at, closes_at in _common_spans([_spans(*clock, at, days) for clock in clocks]):
                if closes_at > at:
                    return Window(opens_at, closes_at)
        return next(Window(*span) for span in _spans(*clocks[0], at, 16) if span[1] > at)


def _spans(info: ZoneInfo, week: Week, at: datetime, days: int) -> list[Span]:
    """The windows of a clock from the day before `at` on, in order."""
    spans = []
    first = at.date() - timedelta(days=1)
    for number in range(days + 2):
        day = first + timedelta(days=number)
        hours = week[day.weekday()]
        if hours is None:
            continue
        opens_at, closes_at = max(_readings(day, hours[0], info)), min(_readings(day, hours[1], info))
        if opens_at < closes_at:
            spans.append((opens_at, closes_at))
    return spans


def _readings(day: date, minutes: int, info: ZoneInfo) -> Span:
    """Both moments that a local hour can mean; they differ only where the clocks jump over or repeat it."""
    local = datetime(day.year, day.month, day.day, tzinfo=info) + timedelta(minutes=minutes)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _common_spans(several: Sequence[list[Span]]) -> list[Span]:
    """The stretches of time that lie in a span of each of these ordered lists."""
    common = several[0]
    for others in several[1:]:
        merged = []
        left = right = 0
        while left < len(common) and right < len(others):
            opens_at = max(common[left][0], others[right][0])
            closes_at = min(common[left][1], others[right][1])
            if opens_at < closes_at:
                merged.append((opens_at, closes_at))
            if common[left][1] <= others[right][1]:
                left += 1
            else:
                right += 1
        common = merged
    return common
