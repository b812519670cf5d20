"""The sample movement: a file of made-up members, such as an organization would export from its old tool.

Everything it is made of stands in ``config/sample.toml``. Telephones come only from ranges that regulators keep free
for fiction, mailboxes only from example.org, .com and .net. The same number and seed give the same file.
"""

from __future__ import annotations

import csv
import random
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from router.settings import data_folder

COLUMNS = (
    "First Name", "Last Name", "Mobile", "E-mail", "Country", "Postcode", "City", "Language", "Tags",
    "SMS consent", "Email consent", "Consent source", "Consent date", "Joined", "Preferred channel",
)  # fmt: skip

LAST_DAY = date(2026, 9, 30)
"""Nothing in the file is younger, so that it stays the same from year to year."""

_MAILBOX_DOMAINS = ("example.org", "example.com", "example.net")
_HAS_PHONE, _HAS_MAILBOX, _SHARES_PHONE = 0.90, 0.84, 0.05
_DIRTY_EVERY = 60
_SMS_CONSENT = {"yes": 76, "": 11, "unconfirmed": 7, "no": 6}
_EMAIL_CONSENT = {"yes": 82, "": 8, "unconfirmed": 4, "no": 6}
_NO_ACCENT = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ß": "ss", "æ": "ae", "þ": "th", "ı": "i", "ð": "d", "Ø": "o", "Þ": "th"}
)


def sample_rows(members: int, seed: int) -> Iterator[dict[str, str]]:
    """`members` people, and a few dirty rows among them: duplicates, impossible telephones, no address at all."""
    draw = random.Random(seed)  # noqa: S311 (made-up people, no secret)
    data = tomllib.loads((data_folder("config") / "sample.toml").read_text("utf-8"))
    telephones = _Telephones(data, draw)
    places = data["place"]
    weights = list(accumulate(place["weight"] for place in places))
    alone: dict[str, str] | None = None
    """The last one with a telephone of their own."""
    for number in range(1, members + 1):
        if alone and draw.random() < _SHARES_PHONE:
            row, alone = _housemate(alone, data, draw, number), None
        else:
            row = _member(draw.choices(places, cum_weights=weights)[0], data, telephones, draw, number)
            alone = row if row["Mobile"] else alone
        yield row
        if number % _DIRTY_EVERY == 0:
            yield _dirty(alone or row, number // _DIRTY_EVERY % 5)


def write_sample_csv(path: Path, members: int, seed: int) -> None:
    """`sample_rows` as a file: UTF-8 with a byte order mark, as spreadsheets write it."""
    with path.open("w", newline="", encoding="utf-8-sig") as handle:
        writer = csv.DictWriter(handle, COLUMNS)
        writer.writeheader()
        writer.writerows(sample_rows(members, seed))


def _member(
    place: Mapping[str, Any], data: Mapping[str, Any], telephones: _Telephones, draw: random.Random, number: int
) -> dict[str, str]:
    culture = data["culture"][draw.choice(place["cultures"])]
    given, family, handle = _name(culture, draw)
    phone = telephones.take(place) if draw.random() < _HAS_PHONE else ""
    mailbox = _mailbox(handle, number, draw) if not phone or draw.random() < _HAS_MAILBOX else ""
    joined = LAST_DAY - timedelta(days=int(draw.triangular(0, 4_000, 300)))
    return {
        "First Name": given,
        "Last Name": family,
        "Mobile": phone,
        "E-mail": mailbox,
        "Country": place["country"],
        "Postcode": draw.choice(place["postcodes"]),
        "City": place["city"],
        "Language": draw.choice(culture["languages"]),
        "Tags": ", ".join(tag for tag, percent in data["tags"].items() if draw.random() * 100 < percent),
        **_consent(bool(phone), bool(mailbox), joined, data, draw),
        "Joined": joined.isoformat(),
        "Preferred channel": draw.choice(("", "", "SMS", "Email") if phone and mailbox else ("",)),
    }


def _housemate(other: Mapping[str, str], data: Mapping[str, Any], draw: random.Random, number: int) -> dict[str, str]:
    """Somebody else on the same telephone: a household, never the same person."""
    cultures = list(data["culture"].values())
    culture = next(c for c in cultures if any(n.partition("|")[0] == other["First Name"] for n in c["given"]))
    given = other["First Name"]
    while given == other["First Name"]:
        given, family, handle = _name(culture, draw)
    mailbox = _mailbox(handle.partition(".")[0], number, draw) if draw.random() < _HAS_MAILBOX else ""
    consent = _consent(True, bool(mailbox), date.fromisoformat(other["Joined"]), data, draw)
    same_family = draw.random() < 0.7
    return {
        **other,
        "First Name": given,
        "Last Name": other["Last Name"] if same_family else family,
        "E-mail": mailbox,
        "Preferred channel": "",
        **consent,
    }


def _dirty(row: Mapping[str, str], kind: int) -> dict[str, str]:
    """A row as it comes out of a spreadsheet that many hands kept; `kind` 0 to 2 is unusable, above a duplicate."""
    if kind == 0:
        return {**row, "Mobile": "555-CALL-ME", "E-mail": ""}
    if kind == 1:
        return {**row, "Mobile": "", "E-mail": "see paper form"}
    if kind == 2:
        return {**row, "Mobile": "", "E-mail": ""}
    return {**row, "First Name": f" {row['First Name'].upper()} ", "E-mail": row["E-mail"].upper(), "Tags": "volunteer"}


def _name(culture: Mapping[str, Any], draw: random.Random) -> tuple[str, str, str]:
    """Given name, family name ("" where people have one name), and both in plain letters for a mailbox."""
    given, _, given_plain = draw.choice(culture["given"]).partition("|")
    family, _, family_plain = draw.choice(culture["family"] or [""]).partition("|")
    parts = (given_plain or _plain(given), family_plain or _plain(family))
    return given, family, ".".join(part for part in parts if part)


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.lower().translate(_NO_ACCENT))
    return "".join(letter for letter in folded if letter.isascii() and letter.isalnum())


def _mailbox(handle: str, number: int, draw: random.Random) -> str:
    return f"{handle}{number}@{draw.choice(_MAILBOX_DOMAINS)}"


def _consent(phone: bool, mailbox: bool, joined: date, data: Mapping[str, Any], draw: random.Random) -> dict[str, str]:
    """What the old tool knew of their consent: mostly yes, some never asked, some not confirmed, some withdrawn."""
    sms = _weighted(_SMS_CONSENT, draw) if phone else ""
    email = _weighted(_EMAIL_CONSENT, draw) if mailbox else ""
    asked = bool(sms or email)
    since = joined + timedelta(days=draw.randrange((LAST_DAY - joined).days + 1))
    return {
        "SMS consent": sms,
        "Email consent": email,
        "Consent source": _weighted(data["sources"], draw) if asked else "",
        "Consent date": since.isoformat() if asked else "",
    }


def _weighted(choices: Mapping[str, int], draw: random.Random) -> str:
    return draw.choices(list(choices), list(choices.values()))[0]


class _Telephones:
    """The numbers kept free for fiction, each given out once, in the ways in which people write them."""

    def __init__(self, data: Mapping[str, Any], draw: random.Random) -> None:
        self._draw = draw
        self._areas = {
            area: self._shuffled([f"+1{area}555{line:04}" for line in range(100, 200)])
            for place in data["place"]
            for area in place.get("areas", ())
        }
        self._countries: dict[str, list[str]] = {}
        for block in data["telephones"]:
            numbers = block.get("list") or [
                f"{block['prefix']}{tail:0{block['digits']}}" for tail in range(10 ** block["digits"])
            ]
            self._countries.setdefault(block["country"], []).extend(numbers)
        for numbers in self._countries.values():
            self._shuffled(numbers)

    def take(self, place: Mapping[str, Any]) -> str:
        """A number for somebody who lives there; "" where none is left or none is kept free in that country."""
        areas = [area for area in place.get("areas", ()) if self._areas[area]]
        pool = self._areas[self._draw.choice(areas)] if areas else self._countries.get(place["country"], [])
        return self._written(pool.pop()) if pool else ""

    def _shuffled(self, numbers: list[str]) -> list[str]:
        self._draw.shuffle(numbers)
        return numbers

    def _written(self, number: str) -> str:
        if not number.startswith("+1"):
            return self._draw.choice((number, f"{number[:3]} {number[3:7]} {number[7:]}"))
        area, exchange, line = number[2:5], number[5:8], number[8:]
        return self._draw.choice(
            (number, f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"+1 {area} {exchange} {line}")
        )
