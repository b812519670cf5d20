"""Tone that is seen by the shape of a text, in any language: capitals, runs of marks and emoji, addresses that hide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

from router.core.content_check import SHORTENERS
from router.core.tone_reading import Reading, Word
from router.core.tone_table import ToneTable

Span = tuple[int, int]
"""Start and end in the text as it was written."""

_LOUD_LETTERS = 4
"""A word in capitals is loud from here on; below are too many acronyms (UAW, NHS)."""
_KEYWORD_WORDS = 3
_VOWELS: Final = frozenset("aeiouy")
_DIGIT = re.compile(r"\d")
_ROMAN = re.compile(r"m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")

_MARKS = re.compile(r"[!?！？؟‼⁇⁈⁉]+")
_DOUBLE_MARKS: Final = frozenset("‼⁇⁈⁉")

# Signs with emoji presentation (Unicode Technical Standard 51, emoji-data.txt); whole blocks where the rest of a block
# are ornaments too.
_SIGN = "\u231a\u231b\u23e9-\u23f3\u25fd\u25fe\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff"
_JOINS = " \u00a0\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f"
_EMOJI = re.compile(f"[{_SIGN}][{_SIGN}{_JOINS}]*")
_NO_EMOJI_OF_ITS_OWN = re.compile(f"[{_JOINS}\U0001f3fb-\U0001f3ff]")
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")
_ZWJ: Final = "\u200d"

_HOST = re.compile(r"[a-z0-9.-]+", re.IGNORECASE | re.ASCII)
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_NUMERIC_HOST = re.compile(r"0x[0-9a-f]+|[0-9.]+|\[.*")
_INNER_ADDRESS = re.compile(r"https?(?::|%3a)(?:/|%2f)", re.IGNORECASE)


def find_shouting(reading: Reading, table: ToneTable, spared: Set[str]) -> Iterator[Span]:
    """Runs of words in capitals. Keywords, acronyms, numerals, words of `spared` and single words are none; numbers
    between belong to neither side.
    """
    run: list[Word] = []
    before: Word | None = None
    last: Word | None = None
    for word in reading.words:
        is_capital = reading.is_capital(word)
        if run and word.joined and (is_capital or word.folded[0].isdigit()):
            run += [word] * is_capital
        else:
            yield from _loud_part(run, before, table, spared)
            run, before = [word] * is_capital, last if word.joined else None
        last = word
    yield from _loud_part(run, before, table, spared)


def _loud_part(run: list[Word], before: Word | None, table: ToneTable, spared: Set[str]) -> Iterator[Span]:
    """Two loud words shout, and so does one among three. `before` is the word before the run in its sentence."""
    is_keyword = before is not None and before.folded in table.before_keywords and len(run) <= _KEYWORD_WORDS
    if not run or is_keyword:
        return
    counted = [word for word in run if not _is_quiet(word.folded, table, spared)]
    loud = sum(_is_loud(word.folded) for word in counted)
    if loud >= 2 or (loud == 1 and len(counted) >= 3):
        yield counted[0].start, counted[-1].end


def _is_quiet(folded: str, table: ToneTable, spared: Set[str]) -> bool:
    if len(folded) == 1 or folded in table.quiet or folded in spared:
        return True
    return _DIGIT.search(folded) is not None or _ROMAN.fullmatch(folded) is not None


def _is_loud(folded: str) -> bool:
    """Whether it is as long as a word, and can be spoken."""
    return len(folded) >= _LOUD_LETTERS and (not folded.isascii() or not _VOWELS.isdisjoint(folded))


def find_marks(reading: Reading, most: int) -> Iterator[Span]:
    """Exclamation and question marks, `most` or more in a row."""
    for found in _MARKS.finditer(reading.text):
        if len(found[0]) > 1 and sum(2 if mark in _DOUBLE_MARKS else 1 for mark in found[0]) >= most:
            yield found.span()


def find_emoji(reading: Reading, most: int) -> Iterator[Span]:
    """Emoji, `most` or more in a row, spaces between or not."""
    for found in _EMOJI.finditer(reading.text):
        run = found[0].rstrip()
        if count_emoji(run) >= most:
            yield found.start(), found.start() + len(run)


def count_emoji(run: str) -> int:
    """How many emoji a reader sees: a flag is two letters, a family several emoji joined by ZWJ, a skin is none."""
    flags = len(_FLAG_LETTER.findall(run))
    others = 0
    last = ""
    for sign in run:
        others += last != _ZWJ and not _NO_EMOJI_OF_ITS_OWN.match(sign) and not _FLAG_LETTER.match(sign)
        last = sign
    return others + (flags + 1) // 2


def find_hidden_links(reading: Reading) -> Iterator[Span]:
    """Web addresses that do not show where they lead."""
    for start, end in reading.addresses:
        if hides_host(reading.source[start:end]):
            yield start, end
    for found in _HOST.finditer(reading.text):
        host = found[0].rstrip(".-")
        if "." in host and _is_shortener(host.lower()):
            yield found.start(), found.start() + len(host)


def hides_host(address: str) -> bool:
    """Whether a web address does not show where it leads: a shortener's, a number, a name before an ``@`` (RFC 3986
    7.6), letters in ``xn--`` spelling, or another address within it.
    """
    scheme = _SCHEME.match(address)
    rest = address[scheme.end() :] if scheme else address
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0].lower()
    _, at, place = authority.rpartition("@")
    host = place if place.startswith("[") else place.partition(":")[0].rstrip(".")
    return bool(
        at
        or _is_shortener(host)
        or _NUMERIC_HOST.fullmatch(host)
        or any(label.startswith("xn--") for label in host.split("."))
        or _INNER_ADDRESS.search(rest)
    )


def _is_shortener(host: str) -> bool:
    return ".".join(host.strip(".-").split(".")[-2:]) in SHORTENERS
