"""What people type, and the one form under which we know it."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.address import FICTION, address_hash, mask, normalise, parse_email, parse_phone
from router.core.errors import BadAddress

US, UK = "+12025550123", "+447700900123"
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("raw", "region", "expected"),
    [
        (US, "GB", US),
        (UK, "US", UK),
        ("(202) 555-0123", "US", US),
        ("202.555.0123", "us", US),
        ("1 202 555 0123", "US", US),
        ("+1\u00a0202\u00a0555\u00a00123", "GB", US),
        ("\t+1 202 555 0123\n", "", US),
        ("tel:+1-202-555-0123", "GB", US),
        ("TEL:+12025550123", "GB", US),
        ("tel:07700900123;phone-context=+44", "GB", UK),
        ("0044 7700 900123", "US", UK),
        ("00447700900123", "GB", UK),
        ("00 44 7700 900123", "FR", UK),
        ("0011 44 7700 900123", "AU", UK),
        ("011 44 7700 900123", "US", UK),
        ("07700 900123", "GB", UK),
        ("07700 900123", "UK", UK),
        ("+44 (0)7700 900123", "US", UK),
        ("+44\u20117700\u2013900123", "US", UK),
        ("(+44) 7700 900123", "US", UK),
        ("\u202a+44 7700 900123\u202c", "US", UK),
        ("\u200e+447700900123", "US", UK),
        ("＋４４７７００９００１２３", "US", UK),
        ("＋44　7700　900123", "US", UK),
        ("٠٠٤٤٧٧٠٠٩٠٠١٢٣", "US", UK),
        ("+۴۴۷۷۰۰۹۰۰۱۲۳", "US", UK),
        ("०७७०० ९००१२३", "GB", UK),
        ("'+447700900123", "US", UK),
        ("’+447700900123", "US", UK),
        ('"+447700900123"', "US", UK),
        ('="07700900123"', "GB", UK),
        ("12025550123.0", "US", US),
    ],
)
def test_phones_as_people_write_them(raw: str, region: str, expected: str) -> None:
    assert parse_phone(raw, region) == expected


@pytest.mark.parametrize(
    ("raw", "region", "says"),
    [
        ("", "US", "empty"),
        ("   \u200e ", "US", "empty"),
        ("n/a", "US", "not a phone number"),
        ("call me", "US", "not a phone number"),
        ("1-800-FLOWERS", "US", "not a phone number"),
        ("07700 900123, 07700 900124", "GB", "one number"),
        ("07700 900123 / 07700 900124", "GB", "two numbers"),
        ("4.4E+11", "GB", "spreadsheet destroyed"),
        ("4,47701E+11", "GB", "spreadsheet destroyed"),
        ("'4.47701e+11", "GB", "spreadsheet destroyed"),
        ("1E10", "US", "spreadsheet destroyed"),
        ("#######", "US", "spreadsheet destroyed"),
        ("#NAME?", "US", "spreadsheet destroyed"),
        ("911", "US", "too short"),
        ("12345", "US", "too short"),
        ("5550123", "US", "area code"),
        ("7700 900123", "", "country code"),
        ("07700 900123", "ZZ", "country code"),
        ("+999 123456789", "US", "country code does not exist"),
        ("+1 202 555 01234", "US", "too long"),
        ("+1 023 555 0199", "US", "no such phone number"),
        ("+44 7700 901000", "GB", "no such phone number"),
        ("+1 900 555 0123", "US", "premium"),
        ("+44 909 879 0123", "GB", "premium"),
        ("202-555-0123 x12", "US", "extension"),
        ("202-555-0123 ext. 12", "US", "extension"),
        ("tel:+12025550123;ext=12", "US", "extension"),
        ("\x00" * 20, "US", "not a phone number"),
        ("1" * 10_000, "US", "too long"),
        ("+", "US", "short"),
    ],
)
def test_phones_that_cannot_be_used(raw: str, region: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says) as caught:
        parse_phone(raw, region)
    digits = "".join(c for c in raw if c.isdecimal())
    assert len(digits) < 4 or digits not in str(caught.value)


def test_numbers_for_fiction_are_accepted_and_their_neighbours_are_not() -> None:
    for raw in ("+12025550100", "+12025550199", "+12005550123", "+447700900000", "+447700900999"):
        assert parse_phone(raw, "US") == raw
        assert parse_phone(raw[:4] + " " + raw[4:], "US") == raw
    for raw in ("+12005550200", "+12005550099", "+447700901000", "+12115550123", "+19005550123"):
        with pytest.raises(BadAddress):
            parse_phone(raw, "US")


_MOBILES = sorted(
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)) is not None
)


@pytest.mark.parametrize("e164", _MOBILES)
def test_a_number_of_every_country_is_its_own_parse_however_it_is_written(e164: str) -> None:
    assert parse_phone(e164, "US") == e164
    number = phonenumbers.parse(e164)
    for form in (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.RFC3966):
        assert parse_phone(phonenumbers.format_number(number, form), "US") == e164


def _answer(raw: str) -> str:
    try:
        return parse_phone(raw, "DE")
    except BadAddress as error:
        return str(error)


def _slowly(raw: str) -> str:
    """The same answer without the short way for canonical numbers: a space inside keeps it from being taken."""
    return _answer(f"{raw[:3]} {raw[3:]}")


@given(st.from_regex(r"\+1[2-9][0-9]{9}|\+447[0-9]{9}", fullmatch=True))
def test_the_short_way_for_canonical_numbers_gives_the_same_answers(raw: str) -> None:
    assert _answer(raw) == _slowly(raw)


@given(st.from_regex(FICTION, fullmatch=True))
def test_fiction_is_the_same_the_short_and_the_long_way(raw: str) -> None:
    assert parse_phone(raw, "DE") == raw == _slowly(raw)


@given(
    st.text(alphabet="0123456789+ -().٣７/x", max_size=24), st.sampled_from(["US", "GB", "DE", "IT", "AU", "", "??"])
)
def test_a_parsed_phone_parses_to_itself(raw: str, region: str) -> None:
    try:
        parsed = parse_phone(raw, region)
    except BadAddress:
        return
    assert parsed.startswith("+")
    assert parsed[1:].isdecimal()
    assert parse_phone(parsed, "US") == parsed


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ann@example.org", "ann@example.org"),
        ("Ann.Lee+news@Example.ORG", "ann.lee+news@example.org"),
        ("  ann@example.org\u00a0", "ann@example.org"),
        ("\u200bann@example.org", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("MAILTO:Ann@example.org?subject=Hello", "ann@example.org"),
        ("Ann Lee <ann@example.org>", "ann@example.org"),
        ('"Lee, Ann" <ann@example.org>', "ann@example.org"),
        ("<ann@example.org>", "ann@example.org"),
        ("Ann <3 Lee <ann@example.org>", "ann@example.org"),
        ("<mailto:ann@example.org>", "ann@example.org"),
        ("'ann@example.org'", "ann@example.org"),
        ("ann@example.org;", "ann@example.org"),
        ("ann＠example．org", "ann@example.org"),
        ("o'brien@example.net", "o'brien@example.net"),
        ("ann@bücher.example.com", "ann@xn--bcher-kva.example.com"),
        ("ann@BÜCHER.example.com", "ann@xn--bcher-kva.example.com"),
        ("ann@sub.domain.example.com", "ann@sub.domain.example.com"),
    ],
)
def test_mailboxes_as_people_write_them(raw: str, expected: str) -> None:
    assert parse_email(raw) == expected
    assert parse_email(expected) == expected


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("", "empty"),
        (" <> ", "empty"),
        ("ann.example.org", "no @"),
        ("ann@example", "full domain"),
        ("ann@", "full domain"),
        ("@example.org", "before the @"),
        ("ann@@example.org", "more than one @"),
        ("ann@example.org, bob@example.org", "more than one @"),
        ("a b@example.org", "before the @"),
        ("ann..lee@example.org", "before the @"),
        (".ann@example.org", "before the @"),
        ("ann\r\nBcc: all@example.org", "before the @"),
        ("ann@exam ple.org", "no domain that can exist"),
        ("ann@-example.org", "no domain that can exist"),
        ("ann@example..org", "no domain that can exist"),
        ("ann@example.org\r\n.com", "no domain that can exist"),
        ("ann@1.2.3.4", "no domain that can exist"),
        ("ann@[1.2.3.4]", "no domain that can exist"),
        ("ann@nobody.invalid", "no domain that can exist"),
        ("анна@example.org", "mail servers refuse"),
        ("a" * 65 + "@example.org", "longer"),
        ("ann@" + "a." * 2_000 + "org", "no domain that can exist"),
    ],
)
def test_mailboxes_that_cannot_be_used(raw: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says) as caught:
        parse_email(raw)
    assert "ann@" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text(max_size=40) | st.emails())
def test_a_parsed_mailbox_parses_to_itself(raw: str) -> None:
    try:
        parsed = parse_email(raw)
    except BadAddress:
        return
    assert parsed == parsed.lower() == parse_email(parsed)
    assert parsed.isascii()
    assert not any(c.isspace() for c in parsed)


@given(st.sampled_from(["phone", "email", "telegram"]), st.text(max_size=500), st.text(max_size=3))
def test_nothing_but_bad_address_is_ever_raised(kind: str, raw: str, region: str) -> None:
    try:
        value = normalise(kind, raw, region)
    except BadAddress:
        return
    assert 0 < len(value) <= 2_000


def test_other_kinds_are_only_stripped_and_bounded() -> None:
    assert normalise("telegram", "  12345 ", "US") == "12345"
    assert normalise("phone", "(202) 555-0123", "US") == US
    assert normalise("email", "Ann@example.org", "US") == "ann@example.org"
    assert normalise("fcm", "t" * 2_000, "US") == "t" * 2_000
    for raw in ("", "   ", "t" * 2_001, "a\x00b", "a\nb"):
        with pytest.raises(BadAddress):
            normalise("fcm", raw, "US")


def test_the_hash_is_keyed_and_tells_kinds_apart() -> None:
    known = address_hash(KEY, "phone", US)
    assert known == "V78V2espQ9sR6qcOQAB8vg", "hashes live in the ledger: changing them loses every suppression"
    assert len(known) == 22
    assert known == address_hash(KEY, "phone", US)
    others = [address_hash(b"j" * 32, "phone", US), address_hash(KEY, "email", US), address_hash(KEY, "phone", UK)]
    assert len({known, *others, address_hash(b"k" * 100, "phone", US)}) == 5
    with pytest.raises(ValueError, match="key"):
        address_hash(b"", "phone", US)


@pytest.mark.parametrize(
    ("value", "masked"),
    [(US, "+1•••0123"), ("ann@example.org", "a•••@example.org"), ("12345678", "1•••"), ("+123", "+•••"), ("", "•••")],
)
def test_logs_see_a_masked_address(value: str, masked: str) -> None:
    assert mask(value) == masked
