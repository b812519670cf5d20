"""From what we know of a member to a clock, or to an honest "not known"."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import postcodes
from router.core.zones import country_of_phone, known_zone, one_clock, zone_of, zones_of_country


@pytest.mark.parametrize(
    ("country", "postcode", "phone", "expected"),
    [
        # postcode first
        ("US", "10001", "+13105550123", ("America/New_York", "postcode")),
        ("US", "10001-1234", "", ("America/New_York", "postcode")),
        ("US", "606011234", "", ("America/Chicago", "postcode")),
        ("US", " 90210 ", "", ("America/Los_Angeles", "postcode")),
        ("US", "2134", "", ("America/New_York", "postcode")),
        ("US", "501", "", ("America/New_York", "postcode")),
        ("us", "85001", "", ("America/Phoenix", "postcode")),
        ("US", "32501", "", ("America/Chicago", "postcode")),
        ("US", "32401", "", ("America/Chicago", "postcode")),
        ("US", "47546", "", ("America/Indiana/Vincennes", "postcode")),
        ("US", "00901", "", ("America/Puerto_Rico", "postcode")),
        ("", "60601", "+12025550123", ("America/Chicago", "postcode")),
        ("CA", "M5V 2T6", "", ("America/Toronto", "postcode")),
        ("CA", "v6b1a1", "", ("America/Vancouver", "postcode")),
        ("CA", "A2V 1A1", "", ("America/Goose_Bay", "postcode")),
        ("AU", "2000", "", ("Australia/Sydney", "postcode")),
        ("AU", "800", "", ("Australia/Darwin", "postcode")),
        ("AU", "2880", "", ("Australia/Broken_Hill", "postcode")),
        ("AU", "6000", "+61262641111", ("Australia/Perth", "postcode")),
        # then a country that has one clock
        ("GB", "SW1A 1AA", "+12025550123", ("Europe/London", "country")),
        ("UK", "", "", ("Europe/London", "country")),
        ("DE", "10115", "", ("Europe/Berlin", "country")),
        ("AR", "", "", ("America/Argentina/Buenos_Aires", "country")),
        ("IN", "", "", ("Asia/Kolkata", "country")),
        ("KI", "", "", ("", "")),
        # then the phone
        ("US", "", "+13125550123", ("America/Chicago", "phone")),
        ("US", "not a zip", "+13125550123", ("America/Chicago", "phone")),
        ("CA", "V0A 1A0", "+12045550123", ("America/Winnipeg", "phone")),
        ("", "", "+447700900123", ("Europe/London", "phone")),
        ("", "", "+12025550123", ("America/New_York", "phone")),
        ("BR", "", "+5511961234567", ("America/Sao_Paulo", "phone")),
        # then nothing
        ("US", "", "", ("", "")),
        ("US", "", "+18005550199", ("", "")),
        ("AU", "", "+61491570006", ("", "")),
        ("US", "00000", "", ("", "")),
        ("US", "٩٠٢١٠", "", ("", "")),
        ("US", "99634", "", ("", "")),  # the package's own row says "Napakiak", which is no zone
        ("XX", "1", "", ("", "")),
        ("", "10001", "", ("", "")),
        ("", "", "", ("", "")),
        ("", "", "12025550123", ("", "")),
        ("", "", "+", ("", "")),
        ("", "", "+1", ("", "")),
        ("RU", "", "+x", ("", "")),
    ],
)
def test_zone_of(country: str, postcode: str, phone: str, expected: tuple[str, str]) -> None:
    assert zone_of(country=country, postcode=postcode, phone=phone) == expected


@given(
    st.sampled_from(["", "US", "CA", "AU", "GB", "RU", "XX", "us"]) | st.text(max_size=3),
    st.text(max_size=8) | st.from_regex(r"[0-9]{5}(-[0-9]{4})?", fullmatch=True),
    st.text(max_size=8) | st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True),
)
def test_a_zone_is_known_and_has_a_source_or_neither(country: str, postcode: str, phone: str) -> None:
    zone, source = zone_of(country=country, postcode=postcode, phone=phone)
    assert (zone, source) == ("", "") or (known_zone(zone) and source in ("postcode", "country", "phone"))


def test_the_tables_name_zones_that_exist() -> None:
    for table in (postcodes._CANADA, postcodes._AUSTRALIA):
        for prefix, zone in table.items():
            assert zone == "" or known_zone(zone), prefix


@pytest.mark.parametrize(
    ("e164", "country"),
    [
        ("+12025550123", "US"),
        ("+12045550123", "CA"),
        ("+18765550123", "JM"),
        ("+17875550123", "PR"),
        ("+18005550199", "US"),
        ("+447700900123", "GB"),
        ("+447781123456", "GG"),
        ("+390612345678", "IT"),
        ("+390669812345", "VA"),
        ("+77012345678", "KZ"),
        ("+79161234567", "RU"),
        ("+4930901820", "DE"),
        ("+999123456", ""),
        ("+1", ""),
        ("+", ""),
        ("", ""),
        ("2025550123", ""),
    ],
)
def test_country_of_phone(e164: str, country: str) -> None:
    assert country_of_phone(e164) == country


@given(st.from_regex(r"\+(1[2-9]|44[1-9]|7|39|61|47|33|590)[0-9]{8,10}", fullmatch=True))
def test_country_of_a_valid_phone_is_what_the_library_says(e164: str) -> None:
    said = phonenumbers.region_code_for_number(phonenumbers.parse(e164))
    found = country_of_phone(e164)
    assert found == said or (said is None and found)


def test_zones_of_country() -> None:
    assert zones_of_country("GB") == ("Europe/London",)
    assert "Pacific/Honolulu" in zones_of_country("US")
    assert zones_of_country("XX") == zones_of_country("") == ()


def test_one_clock_asks_for_the_time_not_the_name() -> None:
    assert one_clock(("Europe/Berlin", "Europe/Busingen")) == "Europe/Berlin"
    assert one_clock(("Europe/Madrid", "Atlantic/Canary")) == ""
    assert one_clock(("America/Phoenix", "America/Denver")) == "", "the same in winter only"
    assert one_clock(()) == ""
    assert one_clock(("Nowhere/No", "Europe/Berlin")) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Nowhere/No",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "Factory",
        "America",
        "posixrules",
        "a\x00b",
        "é",
        "x" * 5_000,
        "america/new_york",
        "right/UTC",
        "\udc80",
    ],
)
def test_a_bad_zone_name_is_unknown_and_never_raises(name: str) -> None:
    assert known_zone(name) is None


def test_known_zones() -> None:
    for name in ("UTC", "Europe/London", "America/Argentina/Buenos_Aires", "Pacific/Kiritimati", "Etc/GMT+12"):
        assert str(known_zone(name)) == name
