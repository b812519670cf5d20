"""Other people's CSV files: their encoding, delimiter and rows, read as a stream that never holds the file.

Lines are counted as a text editor counts them; a row is named by the line it begins on.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from router.core.errors import BadInput

MAX_COLUMNS = 500
MAX_CELL = 64 * 1024
"""Characters. A longer cell makes its row a problem."""

_LONGEST_ROW = 1024 * 1024
"""Characters that a row may span before we take its quote for one that somebody forgot to close."""
_BLOCK = 1024 * 1024
_DELIMITERS = ",;\t|"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = bytes(range(0x80, 0x100))

# Process-wide in the csv module. Its default would cut off cells that we can tell the reader about.
csv.field_size_limit(_LONGEST_ROW)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """What a first pass over a file found."""

    path: Path
    size: int
    sha256: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    first_line: int
    """Physical line of the header."""


class Row(NamedTuple):
    """One row: its line and its cells, or the sentence that says why it cannot be read."""

    line: int
    cells: list[str]
    problem: str = ""
    column: str = ""


def inspect(path: Path, *, encoding: str = "", delimiter: str = "") -> CsvFile:
    """Read the whole file once: checksum, encoding, delimiter, header. Raises `BadInput` for what is no CSV file."""
    if delimiter and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise BadInput("is one character, such as , or ; or a tab", place="delimiter")
    size, sha256, encoding = _first_pass(path, _known_encoding(encoding))
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        lines = _Lines(file)
        start = 1
        first = _first_line(lines)
        if first.lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own note of its delimiter
            delimiter = delimiter or first.strip()[4]
            lines.begin_row()
            start, first = lines.count + 1, _first_line(lines)
        while first and not first.strip("\r\n\t ,;|"):
            lines.begin_row()
            start, first = lines.count + 1, _first_line(lines)
        delimiter = delimiter or _sniff(first)
        lines.rewind(0)
        try:
            header = next(csv.reader(lines, delimiter=delimiter), [])
        except csv.Error:
            raise BadInput("the header row cannot be read; check its quotes", place=f"line {start}") from None
    if not any(cell.strip() for cell in header):
        raise BadInput("the file is empty; its first row must name the columns", place="line 1")
    if len(header) > MAX_COLUMNS:
        raise BadInput(
            f"the file has {len(header):,} columns; at most {MAX_COLUMNS} can be read", place=f"line {start}"
        )
    return CsvFile(path, size, sha256, encoding, delimiter, tuple(cell.strip() for cell in header), start)


class Reader:
    """The rows below the header. `position` is how many bytes of the file have been read so far."""

    def __init__(self, file: CsvFile) -> None:
        self._file = file
        self._raw = file.path.open("rb")
        self._lines = _Lines(io.TextIOWrapper(self._raw, encoding=file.encoding, errors="replace", newline=""))
        self._width = len(file.header)

    @property
    def position(self) -> int:
        return min(self._raw.tell(), self._file.size)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def __iter__(self) -> Iterator[Row]:
        lines = self._lines
        for _ in range(self._file.first_line - 1):
            next(lines, None)
        self._skip_header()
        reader = csv.reader(lines, delimiter=self._file.delimiter)
        while True:
            lines.begin_row()
            start = lines.count + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _LineTooLong:
                yield Row(start, [], f"this line is longer than {_LONGEST_ROW:,} characters")
                continue
            except csv.Error:
                cells = None
            if cells is None or self._swallowed(cells):
                yield Row(
                    start, [], "a quotation mark in this row is never closed; the rows below were read without it"
                )
                lines.rewind(1)
                reader = csv.reader(lines, delimiter=self._file.delimiter)
            elif any(cells):
                yield self._checked(start, cells)

    def _skip_header(self) -> None:
        self._lines.begin_row()
        next(csv.reader(self._lines, delimiter=self._file.delimiter), None)

    def _swallowed(self, cells: list[str]) -> bool:
        """Whether an unclosed quote made several rows look like one."""
        lines = self._lines
        if lines.ended_inside:
            return True
        if len(lines.row) < 2:
            return False
        if len(cells) > self._width and any(cells[self._width :]):
            return True
        inner = lines.row[1:-1]
        return self._width > 2 and any(line.count(self._file.delimiter) >= self._width - 1 for line in inner)

    def _checked(self, line: int, cells: list[str]) -> Row:
        if len(cells) > self._width:
            if any(cell.strip() for cell in cells[self._width :]):
                return Row(
                    line,
                    [],
                    f"this row has {len(cells)} cells where the header has {self._width};"
                    " a cell that holds the delimiter needs quotation marks around it",
                )
            del cells[self._width :]
        for place, cell in enumerate(cells):
            if len(cell) > MAX_CELL:
                return Row(line, [], f"this cell is longer than {MAX_CELL:,} characters", self._file.header[place])
        return Row(line, cells)


class _LineTooLong(Exception):
    pass


class _Lines:
    """The physical lines of a file for `csv.reader`. Remembers those of the present row, to give them out again."""

    def __init__(self, file: io.TextIOBase) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self.row: list[str] = []
        self._length = 0
        self.count = 0
        self.ended_inside = False
        """Whether the file ended while a row was still open."""

    def begin_row(self) -> None:
        self.row.clear()
        self._length = 0
        self.ended_inside = False

    def rewind(self, keep: int) -> None:
        """Give out the lines of the present row once more, but for its first `keep`."""
        back = self.row[keep:]
        self._again.extendleft(reversed(back))
        self.count -= len(back)
        self.begin_row()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(_LONGEST_ROW)
        if not line:
            self.ended_inside = bool(self.row)
            raise StopIteration
        if len(line) >= _LONGEST_ROW and line[-1] not in "\r\n":
            while line and line[-1] not in "\r\n":
                line = self._file.readline(_LONGEST_ROW)
            self.count += 1
            raise _LineTooLong
        self.count += 1
        self.row.append(line)
        self._length += len(line)
        if self._length > 2 * _LONGEST_ROW:
            raise csv.Error("a row without an end")
        return line


def _first_line(lines: _Lines) -> str:
    try:
        return next(lines, "")
    except _LineTooLong:
        raise BadInput("the first line is too long to be a header row", place="line 1") from None


def _known_encoding(encoding: str) -> str:
    if not encoding:
        return ""
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise BadInput(f"there is no encoding {encoding[:40]!r}; try utf-8 or cp1252", place="encoding") from None


def _first_pass(path: Path, encoding: str) -> tuple[int, str, str]:
    """Size, SHA-256 and encoding of a file; raises `BadInput` for one that is empty or no text."""
    digest = hashlib.sha256()
    size = good = bad = 0
    strict = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    with path.open("rb") as file:
        head = file.read(4)
        if head.startswith(b"PK\x03\x04"):
            raise BadInput("this is a spreadsheet or an archive; save it as CSV and import that", place="file")
        found = encoding or next((name for bom, name in _BOMS if head.startswith(bom)), "")
        wide = codecs.getincrementaldecoder(found)("replace") if found.startswith(("utf-16", "utf-32")) else None
        file.seek(0)
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            if "\0" in wide.decode(block) if wide else b"\0" in block:
                raise BadInput("the file has NUL bytes in it, so it is not a CSV file", place="file")
            if found:
                continue
            try:
                strict.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
                strict.reset()
            sequences = sum(len(s) for s in _MULTIBYTE.findall(block)) if not block.isascii() else 0
            good += sequences
            bad += len(block) - len(block.translate(None, _HIGH)) - sequences
    if size == 0:
        raise BadInput("the file is empty; its first row must name the columns", place="file")
    # A few broken bytes do not make a UTF-8 file a CP1252 one: in that, hardly two high bytes fit together.
    return size, digest.hexdigest(), found or ("utf-8" if is_utf8 or good > 3 * bad else "cp1252")


def _sniff(first: str) -> str:
    """The delimiter of a header line: the one it has most of outside quotes."""
    bare = re.sub(r'"[^"]*"', "", first)
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark), mark == ","))
