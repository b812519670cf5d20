"""The sample movement is made up, and stays so: nobody's telephone, nobody's mailbox."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.address import parse_email, parse_phone
from router.sample import COLUMNS, sample_rows, write_sample_csv

AUSTRALIA = {
    "+61491570006", "+61491570110", "+61491570156", "+61491570157", "+61491570158", "+61491570159", "+61491570313",
    "+61491570737", "+61491571266", "+61491571491", "+61491571804", "+61491572549", "+61491572665", "+61491572983",
    "+61491573087", "+61491573770", "+61491574118", "+61491574632", "+61491575254", "+61491575789", "+61491576398",
    "+61491576801", "+61491577426", "+61491577644", "+61491578148", "+61491578888", "+61491578957", "+61491579212",
    "+61491579455", "+61491579760",
}  # fmt: skip


def is_reserved(phone: str) -> bool:
    """Whether a regulator keeps this number free for fiction (sources in ``config/sample.toml``)."""
    if phone.startswith("+1"):
        return len(phone) == 12 and phone[5:10] == "55501"
    if phone.startswith("+61"):
        return phone in AUSTRALIA
    ranges = (("+447700900", 13), ("+3363998", 12), ("+4917139200", 13), ("+49176040690", 14))
    return any(phone.startswith(prefix) and len(phone) == length for prefix, length in ranges)


def is_dirty(row: dict[str, str]) -> bool:
    return row["Mobile"] == "555-CALL-ME" or row["E-mail"] == "see paper form" or not (row["Mobile"] or row["E-mail"])


@given(seed=st.integers(0, 2**32), members=st.integers(0, 400))
@settings(max_examples=25, deadline=None)
def test_every_address_is_reserved_for_fiction(seed: int, members: int) -> None:
    for row in sample_rows(members, seed):
        if is_dirty(row):
            continue
        if row["Mobile"]:
            assert is_reserved(parse_phone(row["Mobile"], row["Country"]))
        if row["E-mail"]:
            assert parse_email(row["E-mail"]).partition("@")[2] in ("example.org", "example.com", "example.net")


def test_same_seed_same_file(tmp_path: Path) -> None:
    first, second, other = tmp_path / "1.csv", tmp_path / "2.csv", tmp_path / "3.csv"
    write_sample_csv(first, 500, seed=7)
    write_sample_csv(second, 500, seed=7)
    write_sample_csv(other, 500, seed=8)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    with first.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        assert list(reader) == list(sample_rows(500, seed=7))


def test_a_movement_of_the_whole_world() -> None:
    rows = list(sample_rows(2_000, seed=1))
    writings = {
        unicodedata.name(letter).split()[0]
        for row in rows
        for letter in row["First Name"] + row["Last Name"]
        if letter.isalpha()
    }
    wanted = {"LATIN", "ARABIC", "CYRILLIC", "CJK", "DEVANAGARI", "ETHIOPIC", "HEBREW", "GREEK", "HANGUL", "TAMIL"}
    assert wanted <= writings
    assert {row["Language"] for row in rows} == {"en", "es", "fr", "de", "pt", "ar"}
    assert len({(row["Country"], row["City"]) for row in rows}) >= 20
    assert any(not row["Last Name"] for row in rows), "people with one name"


def test_consents_are_believable() -> None:
    rows = [row for row in sample_rows(2_000, seed=1) if not is_dirty(row)]
    for kind, address in (("SMS consent", "Mobile"), ("Email consent", "E-mail")):
        states = [row[kind] for row in rows if row[address]]
        assert 0.6 < states.count("yes") / len(states) < 0.9
        assert {"yes", "no", "unconfirmed", ""} == set(states)
        assert not any(row[kind] for row in rows if not row[address]), "nobody agrees to what they have no address for"
    for row in rows:
        asked = bool(row["SMS consent"] or row["Email consent"])
        assert bool(row["Consent source"]) == asked == bool(row["Consent date"])
        assert not asked or row["Consent date"] >= row["Joined"]


@pytest.mark.parametrize("members", [300, 2_000])
def test_something_for_the_report_of_an_import(members: int) -> None:
    rows = list(sample_rows(members, seed=1))
    dirty = [row for row in rows if is_dirty(row)]
    assert 0 < len(rows) - members < members * 0.03, "duplicates and unusable rows come on top"
    assert dirty, "rows that cannot be used"
    people: dict[str, set[str]] = {}
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["Mobile"] and not is_dirty(row):
            name = " ".join(f"{row['First Name']} {row['Last Name']}".lower().split())
            phone = parse_phone(row["Mobile"], row["Country"])
            people.setdefault(phone, set()).add(name)
            seen[phone, name] = seen.get((phone, name), 0) + 1
    assert any(len(names) > 1 for names in people.values()), "households: one telephone, several people"
    assert any(count > 1 for count in seen.values()), "the same person twice"
