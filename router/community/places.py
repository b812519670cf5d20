"""Where postcodes lie, from a file: GeoNames' own form or a plain CSV; read as a stream, kept in chunks.

GeoNames (https://download.geonames.org/export/zip/, readme.txt; Creative Commons Attribution 4.0): no header, separated
by tabs: country code, postal code, place name, three pairs of names and codes of divisions, latitude, longitude,
accuracy; also inside the zip file as it is downloaded. The CSV has the columns ``country``, ``postcode``, ``latitude``,
``longitude`` and perhaps ``name``, in any order.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.nearby import LONGEST_CODE, find_point, plain_code, plain_country
from router.core.errors import BadInput
from router.core.zones import zones_of_country
from router.store.bulk import is_sqlite
from router.store.engine import Store
from router.store.tables import event, postcode

CHUNK = 2_000
"""Postcodes in one transaction: some 30 ms on SQLite, whose one writer others wait for."""

SHOWN = 20
"""Lines with problems that are named; the rest are counted."""

_GEONAMES: tuple[int, ...] = (0, 1, 2, 9, 10)
"""Columns: country, postcode, name, latitude, longitude."""
_GEONAMES_COLUMNS = 11
_NEEDED = ("country", "postcode", "latitude", "longitude")
_LONGEST_NAME = 200
_LONGEST_LINE = 100_000
_MOST_PLACES = 1_000
"""Lines of one postcode that are looked at."""


class PostcodeRow(NamedTuple):
    """One postcode, ready for the ledger."""

    country: str
    code: str
    name: str
    latitude: float
    longitude: float


@dataclass(slots=True)
class PlacesReport:
    """What came of an import."""

    lines: int = 0
    """Lines below the header."""
    kept: int = 0
    """Postcodes; several lines of one count once."""
    located: int = 0
    """Events whose place is known from now on."""
    bad: int = 0
    """Lines that could not be used."""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """The first `SHOWN` of them: line and sentence."""

    def note(self, line: int, sentence: str) -> None:
        """One more line that cannot be used."""
        self.bad += 1
        if len(self.problems) < SHOWN:
            self.problems.append((line, sentence))


async def import_places(
    store: Store, path: Path, *, progress: Callable[[PlacesReport], None] = lambda report: None
) -> PlacesReport:
    """Keep every postcode of a file, in place of what was known of it. Raises `BadInput` where it is no such file.

    Sent twice it changes nothing; broken off it is sent again.
    """
    report = PlacesReport()
    with _opened(path) as file:
        rows = _averaged(_rows(file, report))
        while chunk := list(itertools.islice(rows, CHUNK)):
            unique = list({(row.country, row.code): row for row in chunk}.values())

            async def keep(connection: AsyncConnection, unique: Sequence[PostcodeRow] = unique) -> None:
                await _upsert(connection, unique)

            await store.transact(keep)
            report.kept += len(unique)
            progress(report)
    if report.lines == report.bad:
        raise BadInput(_reason(report), place=path.name)
    report.located = await _locate_events(store)
    return report


def _reason(report: PlacesReport) -> str:
    if not report.problems:
        return "the file is empty"
    line, sentence = report.problems[0]
    return f"none of its {report.lines:,} lines can be used; line {line}: {sentence}"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    """The text of a file, or of the one table in a zip file."""
    if not zipfile.is_zipfile(path):
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith((".txt", ".csv"))]
        tables = [name for name in names if "readme" not in name.lower()]
        if len(tables) != 1:
            raise BadInput("has not one table in it; unpack it and import the .txt file", place=path.name)
        with archive.open(tables[0]) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace") as file:
            yield file


def _rows(file: IO[str], report: PlacesReport) -> Iterator[PostcodeRow]:
    """The rows of a table that can be used; the others are noted."""
    first = file.readline(_LONGEST_LINE)
    if first.count("\t") >= _GEONAMES_COLUMNS - 1:
        places = _GEONAMES
        # A place's name may have a quotation mark in it, which means nothing in this form.
        cells = csv.reader(itertools.chain([first], file), delimiter="\t", quoting=csv.QUOTE_NONE)
        above = 0
    else:
        mark = max(",;\t", key=first.count)
        header = [cell.strip().lower() for cell in next(csv.reader([first], delimiter=mark), [])]
        if missing := [name for name in _NEEDED if name not in header]:
            raise BadInput(
                f"is neither GeoNames' form (tabs) nor a CSV with the columns {', '.join(_NEEDED)} and name;"
                f" {', '.join(missing)} is missing",
                place="line 1",
            )
        columns = (*_NEEDED[:2], "name", *_NEEDED[2:])
        places = tuple(header.index(name) if name in header else -1 for name in columns)
        cells = csv.reader(file, delimiter=mark)
        above = 1
    for row in _whole(cells, above, report):
        if not any(row):
            continue
        report.lines += 1
        try:
            yield _read(row, places)
        except BadInput as error:
            report.note(above + cells.line_num, str(error))


def _whole(cells: Any, above: int, report: PlacesReport) -> Iterator[list[str]]:
    """The rows of a `csv.reader`; one that cannot be split is noted."""
    while True:
        try:
            yield next(cells)
        except StopIteration:
            return
        except csv.Error:
            report.lines += 1
            report.note(above + cells.line_num, "cannot be split into columns; check its quotation marks")


def _read(row: Sequence[str], places: Sequence[int]) -> PostcodeRow:
    if len(row) <= max(places):
        raise BadInput(f"has {len(row)} columns; {max(places) + 1} are needed")
    country, code, name, latitude, longitude = ("" if place < 0 else row[place].strip() for place in places)
    country = plain_country(country)
    if not zones_of_country(country):
        raise BadInput("is no country's two letters (ISO 3166)", place="country")
    plain = plain_code(country, code)
    if not plain or len(code) > 2 * LONGEST_CODE:
        raise BadInput("is no postcode", place="postcode")
    return PostcodeRow(
        country, plain, name[:_LONGEST_NAME], _degrees(latitude, 90, "latitude"), _degrees(longitude, 180, "longitude")
    )


def _degrees(cell: str, most: int, place: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not abs(value) <= most:
        raise BadInput(f"is no number between -{most} and {most}", place=place)
    return value


def _averaged(rows: Iterator[PostcodeRow]) -> Iterator[PostcodeRow]:
    """One row for the lines of one postcode that follow one another, in the middle of its places."""
    for _, same in itertools.groupby(rows, key=lambda row: row[:2]):
        places = list(itertools.islice(same, _MOST_PLACES))
        yield places[0]._replace(
            latitude=math.fsum(row.latitude for row in places) / len(places),
            longitude=math.fsum(row.longitude for row in places) / len(places),
        )


async def _upsert(connection: AsyncConnection, rows: Sequence[PostcodeRow]) -> None:
    columns = ", ".join(PostcodeRow._fields)
    changes = "name = excluded.name, latitude = excluded.latitude, longitude = excluded.longitude"
    on_conflict = f"ON CONFLICT (country, code) DO UPDATE SET {changes}"
    if is_sqlite(connection):
        await connection.exec_driver_sql(
            f"INSERT INTO {postcode.name} ({columns}) VALUES (?, ?, ?, ?, ?) {on_conflict}",
            [tuple(row) for row in rows],
        )
        return
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in zip(PostcodeRow._fields, _TYPES, strict=True))
    await connection.execute(
        text(f"INSERT INTO {postcode.name} ({columns}) SELECT * FROM unnest({arrays}) {on_conflict}"),
        {name: [getattr(row, name) for row in rows] for name in PostcodeRow._fields},
    )


_TYPES = ("text", "text", "text", "double precision", "double precision")


async def _locate_events(store: Store) -> int:
    """Give events that were made before the postcodes came the place that theirs says; how many."""
    located = after = 0
    while True:
        async with store.read() as connection:
            unknown = (
                await connection.execute(
                    select(event.c.id, event.c.country, event.c.postcode)
                    .where(event.c.id > after, event.c.latitude.is_(None), event.c.postcode != "")
                    .order_by(event.c.id)
                    .limit(500)
                )
            ).all()
            points = [(row.id, await find_point(connection, row.country, row.postcode)) for row in unknown]
        if not unknown:
            return located
        after = unknown[-1].id
        found = [(number, point) for number, point in points if point is not None]

        async def place(connection: AsyncConnection, found: Sequence[tuple[int, tuple[float, float]]] = found) -> None:
            for number, (latitude, longitude) in found:
                await connection.execute(
                    update(event)
                    .where(event.c.id == number, event.c.latitude.is_(None))
                    .values(latitude=latitude, longitude=longitude)
                )

        await store.transact(place)
        located += len(found)
