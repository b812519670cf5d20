"""Nobody is written to at night: by their own clock, whatever it does."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.quiet_hours import QuietHours
from router.core.quiet_hours_file import QuietHoursFile
from router.core.zones import zones_of_country

FILE = tomllib.loads((data_folder("config") / "quiet_hours.toml").read_text("utf-8"))
HOURS = QuietHours.from_toml(FILE)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# 2026-11-05 is a Thursday, 2026-11-07 a Saturday, 2026-11-08 a Sunday; clocks in the US go back on 2026-11-01.
@pytest.mark.parametrize(
    ("channel", "zone", "country", "at", "opens_at", "closes_at"),
    [
        # the hours of each channel, London in winter
        ("sms", "Europe/London", "GB", "2026-11-05T03:00", "2026-11-05T09:00", "2026-11-05T20:00"),
        ("sms", "Europe/London", "GB", "2026-11-05T09:00", "2026-11-05T09:00", "2026-11-05T20:00"),
        ("sms", "Europe/London", "GB", "2026-11-05T19:59", "2026-11-05T09:00", "2026-11-05T20:00"),
        ("sms", "Europe/London", "GB", "2026-11-05T20:00", "2026-11-06T09:00", "2026-11-06T20:00"),
        ("sms", "Europe/London", "GB", "2026-11-08T08:00", "2026-11-08T09:00", "2026-11-08T20:00"),
        ("whatsapp", "Europe/London", "GB", "2026-11-08T08:00", "2026-11-08T09:00", "2026-11-08T20:00"),
        ("slack", "Europe/London", "GB", "2026-11-08T03:00", "2026-11-08T08:00", "2026-11-08T22:00"),
        ("email", "Europe/London", "GB", "2026-11-08T03:00", "2026-11-08T07:00", "2026-11-08T21:00"),
        ("telegram", "Europe/London", "GB", "2026-11-05T03:00", "2026-11-05T09:00", "2026-11-05T20:30"),
        ("webpush", "Europe/London", "GB", "2026-11-07T03:00", "2026-11-07T10:00", "2026-11-07T20:00"),
        ("fcm", "Europe/London", "GB", "2026-11-08T03:00", "2026-11-08T11:00", "2026-11-08T20:00"),
        ("apprise", "Europe/London", "GB", "2026-11-08T03:00", "2026-11-08T09:00", "2026-11-08T20:00"),
        # the member's clock, not ours
        ("sms", "America/New_York", "US", "2026-11-05T03:00", "2026-11-05T14:00", "2026-11-06T01:00"),
        ("sms", "America/New_York", "US", "2026-07-05T03:00", "2026-07-05T13:00", "2026-07-06T00:00"),
        ("sms", "Asia/Kolkata", "IN", "2026-11-05T00:00", "2026-11-05T03:30", "2026-11-05T14:30"),
        ("sms", "Pacific/Kiritimati", "KI", "2026-11-04T18:59", "2026-11-04T19:00", "2026-11-05T06:00"),
        ("sms", "Etc/GMT+12", "", "2026-11-05T03:00", "2026-11-04T21:00", "2026-11-05T08:00"),
        # zone unknown
        ("sms", "", "US", "2026-11-05T03:00", "2026-11-05T17:00", "2026-11-06T01:00"),
        ("email", "", "US", "2026-11-05T03:00", "2026-11-05T17:00", "2026-11-06T01:00"),
        ("sms", "America/Gotham", "US", "2026-11-05T03:00", "2026-11-05T17:00", "2026-11-06T01:00"),
        ("sms", "../../etc/passwd", "GB", "2026-11-05T03:00", "2026-11-05T09:00", "2026-11-05T20:00"),
        ("sms", "", "uk", "2026-11-05T03:00", "2026-11-05T09:00", "2026-11-05T20:00"),
        ("sms", "", "DE", "2026-11-05T03:00", "2026-11-05T08:00", "2026-11-05T19:00"),
        ("sms", "", "ES", "2026-11-05T03:00", "2026-11-05T09:00", "2026-11-05T19:00"),
        ("sms", "", "RU", "2026-11-05T03:00", "2026-11-05T07:00", "2026-11-05T08:00"),
        ("sms", "", "", "2026-11-05T03:00", "2026-11-05T16:00", "2026-11-05T19:00"),
        ("sms", "", "XX", "2026-11-05T19:00", "2026-11-06T16:00", "2026-11-06T19:00"),
        # twelve zones share no hour: those of the first in the list, McMurdo
        ("sms", "", "AQ", "2026-11-05T08:00", "2026-11-05T20:00", "2026-11-06T07:00"),
    ],
)
def test_windows(channel: str, zone: str, country: str, at: str, opens_at: str, closes_at: str) -> None:
    assert HOURS.window(channel, zone, country, utc(at)) == (utc(opens_at), utc(closes_at))


@pytest.mark.parametrize(
    ("area", "at", "opens_at", "closes_at"),
    [
        ("US-CA", "2026-11-05T05:00", "2026-11-05T14:00", "2026-11-06T01:00"),
        ("US-KY", "2026-11-05T05:00", "2026-11-05T15:00", "2026-11-06T01:00"),
        ("US-RI", "2026-11-05T05:00", "2026-11-05T14:00", "2026-11-05T23:00"),
        ("US-RI", "2026-11-07T05:00", "2026-11-07T15:00", "2026-11-07T22:00"),
        ("US-TX", "2026-11-08T05:00", "2026-11-08T17:00", "2026-11-09T00:00"),
        ("US-AL", "2026-11-08T05:00", "2026-11-09T14:00", "2026-11-10T01:00"),
        # state not known: the strictest of all
        ("", "2026-11-05T05:00", "2026-11-05T15:00", "2026-11-05T23:00"),
        ("", "2026-11-08T05:00", "2026-11-09T15:00", "2026-11-09T23:00"),
    ],
)
def test_fundraising_keeps_the_stricter_hours_of_states(area: str, at: str, opens_at: str, closes_at: str) -> None:
    zone = "America/New_York"
    window = HOURS.window("sms", zone, "US", utc(at), purpose="fundraising", area=area)
    assert window == (utc(opens_at), utc(closes_at))
    assert HOURS.window("sms", zone, "US", utc("2026-11-08T15:00"), area=area).opens_at == utc("2026-11-08T14:00")


def test_fundraising_elsewhere_rests_longer_on_sundays_and_only_on_telephones() -> None:
    at = utc("2026-11-08T05:00")
    assert HOURS.window("sms", "Europe/London", "GB", at, purpose="fundraising").opens_at == utc("2026-11-08T12:00")
    assert HOURS.window("email", "Europe/London", "GB", at, purpose="fundraising").opens_at == utc("2026-11-08T07:00")
    assert HOURS.window("sms", "Europe/London", "GB", at, purpose="asks").opens_at == utc("2026-11-08T09:00")


def _hours(text: str) -> QuietHours:
    data = copy.deepcopy(FILE)
    data["channels"] = {"default": {"daily": text}}
    data["unknown"] = {"default": {"zone": "UTC", "window": text}}
    return QuietHours.from_toml(data)


@pytest.mark.parametrize(
    ("hours", "zone", "at", "opens_at", "closes_at"),
    [
        # 02:00–03:00 does not exist on 2026-03-08: what opens in it opens after it, what closes in it before it.
        ("02:30-20:00", "America/New_York", "2026-03-08T05:00", "2026-03-08T07:30", "2026-03-09T00:00"),
        ("00:00-02:30", "America/New_York", "2026-03-08T05:00", "2026-03-08T05:00", "2026-03-08T06:30"),
        ("02:15-02:45", "America/New_York", "2026-03-08T05:00", "2026-03-09T06:15", "2026-03-09T06:45"),
        # 01:00–02:00 comes twice on 2026-11-01: what opens in it opens the second time, what closes in it the first.
        ("01:30-20:00", "America/New_York", "2026-11-01T04:00", "2026-11-01T06:30", "2026-11-02T01:00"),
        ("00:00-01:30", "America/New_York", "2026-11-01T04:00", "2026-11-01T04:00", "2026-11-01T05:30"),
        # the day itself is 23 or 25 hours long
        ("00:00-24:00", "America/New_York", "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        ("00:00-24:00", "America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        # Samoa skipped the whole of 2011-12-30.
        ("09:00-20:00", "Pacific/Apia", "2011-12-30T08:00", "2011-12-30T19:00", "2011-12-31T06:00"),
    ],
)
def test_clocks_that_jump(hours: str, zone: str, at: str, opens_at: str, closes_at: str) -> None:
    assert _hours(hours).window("test", zone, "", utc(at)) == (utc(opens_at), utc(closes_at))


def test_the_only_window_of_a_week_is_found_for_a_whole_country() -> None:
    data = copy.deepcopy(FILE)
    data["channels"]["test"] = {"weekdays": "closed", "saturday": "09:00-20:00", "sunday": "closed"}
    window = QuietHours.from_toml(data).window("test", "", "ES", utc("2026-11-08T05:00"))
    assert window == (utc("2026-11-14T09:00"), utc("2026-11-14T19:00"))


_ZONES = [
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Cairo",
]
_ZONES += ["Pacific/Kiritimati", "Etc/GMT+12", "Pacific/Apia", "Asia/Beirut", "Pacific/Chatham", "Africa/Casablanca"]
_MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001
_CHANNELS = st.sampled_from(sorted(FILE["channels"]))


@given(_CHANNELS, st.sampled_from(_ZONES), _MOMENTS, st.floats(0, 1))
def test_inside_a_window_the_members_clock_is_inside_the_hours(
    channel: str, zone: str, at: datetime, where: float
) -> None:
    opens_at, closes_at = HOURS.window(channel, zone, "", at)
    assert opens_at < closes_at
    assert at < closes_at
    moment = opens_at + where * (closes_at - opens_at - timedelta(microseconds=1))
    local = moment.astimezone(ZoneInfo(zone))
    rules = FILE["channels"][channel]
    day = "weekdays" if local.weekday() < 5 else "saturday" if local.weekday() == 5 else "sunday"
    begin, _, end = rules.get(day, rules.get("daily", "")).partition("-")
    assert begin <= local.strftime("%H:%M") < end


@given(_CHANNELS, st.sampled_from(_ZONES), _MOMENTS)
def test_no_open_moment_is_missed(channel: str, zone: str, at: datetime) -> None:
    """Between `at` and the window there is no moment that itself lies in an earlier window."""
    opens_at, closes_at = HOURS.window(channel, zone, "", at)
    if at >= opens_at:
        return
    for step in range(1, 8):
        between = at + (opens_at - at) * step / 8
        assert HOURS.window(channel, zone, "", between) == (opens_at, closes_at)


@settings(deadline=None)
@given(_CHANNELS, st.sampled_from(["CA", "BR", "AU", "MX", "ES"]), _MOMENTS)
def test_an_unknown_zone_gets_only_hours_that_suit_the_whole_country(channel: str, country: str, at: datetime) -> None:
    window = HOURS.window(channel, "", country, at)
    for zone in zones_of_country(country):
        own = HOURS.window(channel, zone, country, window.opens_at)
        assert own.opens_at <= window.opens_at < window.closes_at <= own.closes_at


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sms", "email", "other"]),
            st.sampled_from(["Europe/London", "America/New_York", "", "bad"]),
            st.sampled_from(["GB", "US", "", "ES"]),
            st.sampled_from(["asks", "fundraising"]),
            st.integers(0, 7 * 24 * 6).map(lambda n: utc("2026-10-29T00:00") + timedelta(minutes=10 * n)),
        ),
        max_size=30,
    )
)
def test_what_is_remembered_is_what_would_be_worked_out(calls: list[tuple[str, str, str, str, datetime]]) -> None:
    rules = QuietHoursFile.model_validate(FILE)
    remembering = QuietHours(rules)
    for channel, zone, country, purpose, at in calls:
        fresh = QuietHours(rules).window(channel, zone, country, at, purpose=purpose)
        assert remembering.window(channel, zone, country, at, purpose=purpose) == fresh


@given(st.text(max_size=20), st.text(max_size=3), _CHANNELS)
def test_no_record_of_a_member_raises(zone: str, country: str, channel: str) -> None:
    at = utc("2026-11-05T03:00")
    assert HOURS.window(channel, zone, country, at).closes_at > at
    HOURS.local_to_utc(datetime(2026, 11, 5, 18), zone, country)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("local", "zone", "country", "expected"),
    [
        ("2026-12-01T18:00", "Europe/London", "GB", "2026-12-01T18:00"),
        ("2026-07-01T18:00", "Europe/London", "GB", "2026-07-01T17:00"),
        ("2026-12-01T18:00", "Pacific/Kiritimati", "KI", "2026-12-01T04:00"),
        ("2026-12-01T18:00", "", "GB", "2026-12-01T18:00"),
        ("2026-12-01T18:00", "", "US", "2026-12-01T23:00"),
        ("2026-12-01T18:00", "", "ES", "2026-12-01T17:00"),
        ("2026-12-01T18:00", "bad zone", "", "2026-12-01T18:00"),
        ("2026-03-08T02:30", "America/New_York", "US", "2026-03-08T07:30"),
        ("2026-11-01T01:30", "America/New_York", "US", "2026-11-01T05:30"),
    ],
)
def test_local_to_utc(local: str, zone: str, country: str, expected: str) -> None:
    assert HOURS.local_to_utc(datetime.fromisoformat(local), zone, country) == utc(expected)


def test_a_time_without_or_with_a_zone_in_the_wrong_place_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="aware"):
        HOURS.window("sms", "Asia/Tokyo", "JP", datetime(2026, 11, 5))  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        HOURS.local_to_utc(utc("2026-11-05T03:00"), "UTC", "")


def _set(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (_set("channels", "sms", "daily", to="20:00-09:00"), "channels.sms.daily", "ends before it starts"),
        (_set("channels", "sms", "daily", to="09:00-09:00"), "channels.sms.daily", "ends before it starts"),
        (_set("channels", "sms", "daily", to="09:00-25:00"), "channels.sms.daily", "no such hour"),
        (_set("channels", "sms", "daily", to="09:60-20:00"), "channels.sms.daily", "no such hour"),
        (_set("channels", "sms", "daily", to="9-20"), "channels.sms.daily", "HH:MM"),
        (_set("channels", "sms", "daily", to="always"), "channels.sms.daily", "HH:MM"),
        (_set("channels", "sms", "daily", to=0), "channels.sms.daily", "string"),
        (_set("channels", "sms", to={"weekdays": "09:00-20:00"}), "channels.sms", "weekdays, saturday and sunday"),
        (_set("channels", "sms", "daily", to="closed"), "channels.sms", "closed all week"),
        (_set("channels", "sms", "monday", to="09:00-20:00"), "channels.sms.monday", "not permitted"),
        (_set("unknown", "US", "zone", to="America/Gotham"), "unknown.US.zone", "no such time zone"),
        (_set("unknown", "default", "window", to="19:00-16:00"), "unknown.default.window", "ends before it starts"),
        (_set("unknown", "default", "window", to="04:00-05:00"), "unknown.default.window", "no hour of the week"),
        (_set("channels", "sms", "daily", to="08:00-09:00"), "channels.sms", "no hour of the week"),
        (_set("fundraising", "areas", "US-KY", "daily", to="20:00-21:00"), "fundraising.areas.US-KY", "no hour of the"),
        (_set("fundraising", "areas", "US-KY", "daily", to="18:00-20:00"), "fundraising.areas.US-RI", "no hour of the"),
        (_set("unknown", to={}), "unknown.default", "missing"),
        (_set("channels", to={}), "channels.default", "missing"),
        (
            _set("fundraising", "areas", "US-KY", "daily", to="21:00-10:00"),
            "fundraising.areas.US-KY.daily",
            "ends before",
        ),
        (_set("fundraising", "purposes", to=[]), "fundraising.purposes", "at least 1"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(change: Callable[[dict[str, Any]], None], place: str, says: str) -> None:
    data = copy.deepcopy(FILE)
    change(data)
    with pytest.raises(BadInput, match=says) as caught:
        QuietHours.from_toml(data)
    assert caught.value.place == f"quiet_hours.toml: {place}"
