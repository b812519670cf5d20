"""Messy files: what they are written in, where their rows begin, and what cannot be read at all."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from router.core.errors import BadInput
from router.records.csvfile import CsvFile, Reader, Row, inspect


def look(tmp_path: Path, data: bytes, **how: str) -> CsvFile:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    return inspect(path, **how)


def rows(file: CsvFile) -> list[Row]:
    reader = Reader(file)
    try:
        return list(reader)
    finally:
        reader.close()


def cells(tmp_path: Path, data: bytes | str) -> list[list[str]]:
    return [row.cells for row in rows(look(tmp_path, data.encode() if isinstance(data, str) else data))]


@pytest.mark.parametrize(
    ("data", "encoding", "delimiter"),
    [
        ("name,email\nZoë,a@example.org\n".encode(), "utf-8", ","),
        (codecs.BOM_UTF8 + "name,email\nZoë,a@example.org\n".encode(), "utf-8-sig", ","),
        ("name;email\r\nZoë;a@example.org\r\n".encode("cp1252"), "cp1252", ";"),
        ("name\temail\nZoë\ta@example.org\n".encode("utf-16"), "utf-16", "\t"),
        (codecs.BOM_UTF16_BE + "name,email\nZoë,a@example.org\n".encode("utf-16-be"), "utf-16", ","),
        ('"name, first";"e-mail, any";x\rZoë;a@example.org;\r'.encode(), "utf-8", ";"),
        ("sep=;\nname;email\nZoë;a@example.org\n".encode(), "utf-8", ";"),
        ("email\nZoë\n".encode(), "utf-8", ","),
        ("\n\n,,\nname,email\nZoë,a@example.org\n".encode(), "utf-8", ","),
    ],
    ids=[
        "utf-8",
        "bom",
        "cp1252 ;",
        "utf-16 tab",
        "utf-16 be",
        "quoted header ;",
        "excel sep",
        "one column",
        "blank top",
    ],
)
def test_encoding_and_delimiter_are_found(tmp_path: Path, data: bytes, encoding: str, delimiter: str) -> None:
    file = look(tmp_path, data)
    assert (file.encoding, file.delimiter) == (encoding, delimiter)
    assert [row.cells[0] for row in rows(file)] == ["Zoë"]


def test_a_broken_byte_does_not_make_a_utf8_file_a_cp1252_one(tmp_path: Path) -> None:
    file = look(tmp_path, "name,email\nZoë,é\nÅsa,\n".encode() + b"Ren\xe9,\n")
    assert file.encoding == "utf-8"
    assert [row.cells[0] for row in rows(file)] == ["Zoë", "Åsa", "Ren\ufffd"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\n\r\n \n", "empty"),
        (b"name,email\nA\0nn,a@example.org\n", "NUL"),
        ("name,email\nA\0nn,\n".encode("utf-16"), "NUL"),
        (b"\0" * 5_000, "NUL"),
        (b"PK\x03\x04spreadsheet", "save it as CSV"),
        (",".join(f"c{n}" for n in range(10_000)).encode(), "10,000 columns"),
        (b"x" * 3_000_000, "too long"),
        (b'"' + b"x" * 3_000_000, "too long"),
    ],
    ids=["no byte", "blank lines", "nul", "nul utf-16", "all nul", "xlsx", "10,000 columns", "long line", "long quote"],
)
def test_what_is_no_csv_file_gets_a_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        look(tmp_path, data)


def test_an_unknown_encoding_or_delimiter_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no encoding"):
        look(tmp_path, b"a,b\n", encoding="klingon")
    with pytest.raises(BadInput, match="one character"):
        look(tmp_path, b"a,b\n", delimiter='"')


def test_the_encoding_can_be_given(tmp_path: Path) -> None:
    file = look(tmp_path, "имя;почта\nЯна;\n".encode("cp1251"), encoding="cp1251")
    assert [row.cells[0] for row in rows(file)] == ["Яна"]


def test_rows_are_named_by_the_line_they_begin_on(tmp_path: Path) -> None:
    text = 'name,note\nAnn,"one\ntwo\n\nthree"\n\nBob,x\n"Cy\nrus",y\nDee,z\n'
    found = rows(look(tmp_path, text.encode()))
    assert [(row.line, row.cells[0]) for row in found] == [(2, "Ann"), (7, "Bob"), (8, "Cy\nrus"), (10, "Dee")]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_end_of_line_counts_as_one(tmp_path: Path, newline: str) -> None:
    text = newline.join(["name,note", 'Ann,"one', 'two"', "Bob,x"])
    assert [(row.line, row.cells[0]) for row in rows(look(tmp_path, text.encode()))] == [(2, "Ann"), (4, "Bob")]


def test_ragged_rows(tmp_path: Path) -> None:
    found = rows(look(tmp_path, b"a,b,c\n1\n1,2,3,,\n1,2,3,4\n,,\n5,6,7\n"))
    assert [row.cells for row in found] == [["1"], ["1", "2", "3"], [], ["5", "6", "7"]]
    assert found[2].line == 4
    assert "4 cells where the header has 3" in found[2].problem


def test_a_cell_over_64_kib_is_a_problem_of_its_row_only(tmp_path: Path) -> None:
    text = "a,b\nAnn,1\nBob," + "x" * 70_000 + '\nCy,"' + "long\n" * 20_000 + '"\nDee,4\n'
    found = rows(look(tmp_path, text.encode()))
    assert [(row.line, bool(row.problem)) for row in found] == [(2, False), (3, True), (4, True), (20005, False)]
    assert found[1].column == "b"


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    text = 'a,b,c\n1,2,3\n2,"oops,3\n' + "".join(f"{n},2,3\n" for n in range(3, 500))
    found = rows(look(tmp_path, text.encode()))
    assert [row.line for row in found if row.problem] == [3]
    assert [int(row.cells[0]) for row in found if not row.problem] == [1, *range(3, 500)]


def test_a_quote_that_the_next_one_closes_costs_its_row(tmp_path: Path) -> None:
    text = 'a,b,c\n2,"oops,3\n4,2,3\n5,2,3\n6,"fine, really",3\n7,2,3\n'
    found = rows(look(tmp_path, text.encode()))
    assert [row.line for row in found if row.problem] == [2]
    assert [row.cells[0] for row in found if not row.problem] == ["4", "5", "6", "7"]


def test_a_quote_in_the_last_column_that_the_file_never_closes(tmp_path: Path) -> None:
    found = rows(look(tmp_path, b'a,b\n1,2\n3,"oops\n5,6\n7,8'))
    assert [(row.line, row.cells) for row in found] == [(2, ["1", "2"]), (3, []), (4, ["5", "6"]), (5, ["7", "8"])]


def test_an_unclosed_quote_over_a_megabyte_costs_one_row(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"oops,3\n' + f"4,{'x' * 200},3\n" * 8_000
    found = rows(look(tmp_path, text.encode()))
    assert [row.line for row in found if row.problem] == [2]
    assert len(found) == 8_001


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    text = "a,b\n1,2\n" + "x" * 3_000_000 + "\n3,4\n"
    found = rows(look(tmp_path, text.encode()))
    assert [(row.line, row.cells) for row in found] == [(2, ["1", "2"]), (3, []), (4, ["3", "4"])]
    assert "longer than" in found[1].problem


def test_quoted_delimiters_and_doubled_quotes(tmp_path: Path) -> None:
    assert cells(tmp_path, 'a,b\n"Lee, Ann","say ""hi"""\n') == [["Lee, Ann", 'say "hi"']]
