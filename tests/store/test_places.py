"""Postcodes from files: GeoNames' own and plain ones, large ones, and what is wrong in them by line."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from router.community.places import CHUNK, SHOWN, PlacesReport, import_places
from router.core.errors import BadInput
from tests.support.events import add_event, event_row
from tests.support.ledger import Ledger


def geonames(country: str, code: str, name: str, latitude: object, longitude: object) -> str:
    """A line as https://download.geonames.org/export/zip/readme.txt has it."""
    return f"{country}\t{code}\t{name}\tEngland\tENG\tKent\t11609024\t\t\t{latitude}\t{longitude}\t4\n"


def write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


async def read(ledger: Ledger, path: Path, text: str) -> PlacesReport:
    write(path, text)
    return await import_places(ledger.store, path)


async def kept(ledger: Ledger) -> list[tuple[Any, ...]]:
    rows = await ledger.execute("SELECT country, code, name, latitude, longitude FROM postcode ORDER BY country, code")
    return [tuple(row) for row in rows]


async def test_geonames_form(ledger: Ledger, tmp_path: Path) -> None:
    lines = [
        geonames("GB", "AL3 8QE", "Slip End", 51.8479, -0.4474),
        geonames("FR", "75001", "Paris 01 \"Louvre", 48.8592, 2.3417),
        geonames("US", "99553", "Akutan", 54.143, -165.7854),
    ]  # fmt: skip
    report = await read(ledger, tmp_path / "all.txt", "".join(lines))
    assert (report.lines, report.kept, report.bad) == (3, 3, 0)
    assert await kept(ledger) == [
        ("FR", "75001", 'Paris 01 "Louvre', 48.8592, 2.3417),
        ("GB", "AL38QE", "Slip End", 51.8479, -0.4474),
        ("US", "99553", "Akutan", 54.143, -165.7854),
    ]


async def test_the_zip_file_as_it_is_downloaded(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "GB.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "Readme for GeoNames Postal Code files")
        archive.writestr("GB.txt", geonames("GB", "NW1", "Camden", 51.5, -0.1))
    assert (await import_places(ledger.store, path)).kept == 1
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "Readme")
    with pytest.raises(BadInput, match="one table"):
        await import_places(ledger.store, path)


@pytest.mark.parametrize(
    "text",
    [
        "country,postcode,name,latitude,longitude\nfr,75 001,Paris,48.86,2.34\n",
        "\ufeffLatitude;Longitude;Country;Postcode;Name\r\n48.86;2.34;FR;75001;Paris\r\n",
        'name,country,postcode,latitude,longitude\n"Paris",FR,75001,48.86,2.34\n\n',
    ],
)
async def test_a_plain_csv(ledger: Ledger, tmp_path: Path, text: str) -> None:
    assert (await read(ledger, tmp_path / "own.csv", text)).kept == 1
    assert await kept(ledger) == [("FR", "75001", "Paris", 48.86, 2.34)]


async def test_several_places_of_one_postcode_are_one_in_their_middle(ledger: Ledger, tmp_path: Path) -> None:
    lines = [geonames("DE", "53619", "Rheinbreitbach", 50.6, 7.2), geonames("DE", "53619", "Bruchhausen", 50.7, 7.4)]
    report = await read(ledger, tmp_path / "DE.txt", "".join(lines))
    assert (report.lines, report.kept) == (2, 1)
    [(_, _, name, latitude, longitude)] = await kept(ledger)
    assert name == "Rheinbreitbach"
    assert (latitude, longitude) == (pytest.approx(50.65), pytest.approx(7.3))


async def test_sent_again_it_takes_the_place_of_what_was_known(ledger: Ledger, tmp_path: Path) -> None:
    await read(ledger, tmp_path / "a.txt", geonames("GB", "NW1", "Camdn", 51.0, -0.1))
    await read(ledger, tmp_path / "a.txt", geonames("GB", "NW1", "Camden", 51.5, -0.1) * 2)
    assert await kept(ledger) == [("GB", "NW1", "Camden", 51.5, -0.1)]


async def test_what_cannot_be_used_is_said_by_line_and_the_rest_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    rows = [
        "country,postcode,name,latitude,longitude",
        "FR,75001,Paris,48.86,2.34",
        "XX,75001,Paris,48.86,2.34",
        "FR,,Paris,48.86,2.34",
        "FR,75002,Paris,north,2.34",
        "FR,75003,Paris,91,2.34",
        "FR,75004,Paris,48.86,nan",
        "FR,75005,Paris,48.86,-181",
        "FR,75006",
        "FR,75007,Paris,48.86,inf",
    ]
    report = await read(ledger, tmp_path / "own.csv", "\n".join(rows))
    assert (report.lines, report.kept, report.bad) == (9, 1, 8)
    assert [line for line, _ in report.problems] == list(range(3, 11))
    assert dict(report.problems)[3].startswith("country:")
    assert dict(report.problems)[6] == "latitude: is no number between -90 and 90"
    assert dict(report.problems)[9] == "has 2 columns; 5 are needed"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nor a CSV"),
        ("phone,name\n+447700900001,Ana\n", "country, postcode, latitude, longitude is missing"),
        ("country,postcode,latitude,longitude\n", "the file is empty"),
        ("country,postcode,latitude,longitude\nXX,1,1,1\n", "none of its 1 lines can be used; line 2: country"),
        ("\x00\x01\x02" * 1_000, "nor a CSV"),
    ],
)
async def test_what_is_no_such_file(ledger: Ledger, tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        await read(ledger, tmp_path / "own.csv", text)
    assert await kept(ledger) == []


def write_large(path: Path, count: int) -> int:
    """So many postcodes and some lines that are none; returns the file's size in bytes."""
    with path.open("w") as file:
        for n in range(count):
            file.write(geonames("US", f"{n:06}", "A place with a name of some length", 40 + n / count, -90))
        file.writelines(geonames("US", "", "", 40, -90) for _ in range(SHOWN + 5))
    return path.stat().st_size


async def test_a_large_file_is_read_bit_by_bit(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    size = write_large(path, 10 * CHUNK)
    seen: list[int] = []
    memory: list[int] = []

    def look(report: PlacesReport) -> None:
        seen.append(report.kept)
        memory.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        report = await import_places(ledger.store, path, progress=look)
    finally:
        tracemalloc.stop()
    assert (report.kept, report.bad, len(report.problems)) == (10 * CHUNK, SHOWN + 5, SHOWN)
    assert seen == [CHUNK * n for n in range(1, 11)]
    assert memory[-1] - memory[0] < size / 10
    assert len(await kept(ledger)) == 10 * CHUNK


async def test_events_that_were_there_before_find_their_place(ledger: Ledger, tmp_path: Path) -> None:
    camden = await add_event(ledger, postcode="NW1 8AB")
    lost = await add_event(ledger, postcode="EH1 1AA")
    exact = await add_event(ledger, latitude=51.0, longitude=-0.2)
    report = await read(ledger, tmp_path / "GB.txt", geonames("GB", "NW1", "Camden", 51.5, -0.1))
    assert report.located == 1
    rows = [await event_row(ledger, one.id) for one in (camden, lost, exact)]
    assert [(row.latitude, row.longitude) for row in rows] == [(51.5, -0.1), (None, None), (51.0, -0.2)]
