"""A text as the tone guard reads it: words with their places, and nothing of what the author did not write.

What stands between ``{{`` and ``}}`` is a member's or a campaign's own (a name in capitals, a title) and is not the
author's tone; neither is what a web address is spelt like. Both are opaque: they are judged by nobody and they part
the words on their two sides. Places are those in the text as it was written.

One pass over the characters; no step looks back, so the work is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from jinja2 import TemplateSyntaxError

from router.core.content_syntax import sandbox
from router.core.keywords import fold

OPAQUE: Final = "\ufffc"
"""Stands for each character that is not judged (OBJECT REPLACEMENT CHARACTER)."""

_JINJA = sandbox()
_NEWLINE = re.compile(r"\r\n|\r")
_ADDRESS = re.compile(rf"(?:https?://|www\.)[^\s<>\"{OPAQUE}]+", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_APOSTROPHES: Final = "'’‘ʼ`´"
_GAPS: Final = '-‐‑‒–_*~,،、/&+$€£"“”„«»()[]'
_PERCENT: Final = "%٪％"


class Word(NamedTuple):
    """One word of a text."""

    start: int
    end: int
    folded: str
    """As `fold` writes it: no case, accents or apostrophes. A number keeps its percent sign: ``600%``."""
    joined: bool
    """Whether only spaces, hyphens and the like lie between it and the word before: no end of a sentence."""

    generic: str
    """`folded` with ``#`` for each number: ``#%``, ``#x``."""


class Reading(NamedTuple):
    """A text, read."""

    source: str
    """As it was written."""
    text: str
    """Equally long; `OPAQUE` where nothing is judged."""
    slots: tuple[tuple[int, int], ...]
    """Where ``{{ … }}`` and the like stand."""
    addresses: tuple[tuple[int, int], ...]
    """Where web addresses stand."""
    words: tuple[Word, ...]

    def is_capital(self, word: Word) -> bool:
        """Whether it is in capitals; never in scripts that have none."""
        return self.source[word.start : word.end].isupper()


def read_text(source: str) -> Reading:
    """Read one text. One that Jinja cannot take apart has no words: `find_problems` tells its author why."""
    slots = _slots(source)
    if slots is None:
        return Reading(source, OPAQUE * len(source), ((0, len(source)),), (), ())
    text = _hide(source, slots)
    addresses = tuple(_addresses(text))
    text = _hide(text, addresses)
    return Reading(source, text, slots, addresses, tuple(_words(text)))


def fold_words(phrase: str) -> list[str]:
    """The words of a phrase from a table, as `Word.folded` has them; ``#`` stands for any number."""
    shown = phrase.replace("#", "0")
    return [word.generic if "#" in phrase[word.start : word.end] else word.folded for word in _words(shown)]


def _slots(source: str) -> tuple[tuple[int, int], ...] | None:
    """The stretches that Jinja does not print as they are, None where it cannot read the text."""
    if "{" not in source:
        return ()
    # Jinja reads every line break as one character; with two for two the places stay.
    text = _NEWLINE.sub(lambda found: " \n" if len(found[0]) == 2 else "\n", source)
    slots: list[tuple[int, int]] = []
    at = last = 0
    try:
        for _, kind, value in _JINJA.lex(text):
            # Spaces that {{- cuts off are in no token.
            at = text.index(value, at) + len(value)
            if kind == "block_begin" or (kind == "operator" and value == "{"):
                return None  # not offered (`read_template`), and the text after it may be anything
            if kind == "data":
                _add(slots, last, at - len(value))
                last = at
    except TemplateSyntaxError:
        return None
    _add(slots, last, at)
    return tuple(slots)


def _add(slots: list[tuple[int, int]], start: int, end: int) -> None:
    if start < end:
        slots.append((start, end))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for found in _ADDRESS.finditer(text):
        yield found.start(), found.start() + len(found[0].rstrip(".,;:!?)]'’"))


def _hide(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    if not spans:
        return text
    parts, last = [], 0
    for start, end in spans:
        parts += [text[last:start], OPAQUE * (end - start)]
        last = end
    return "".join([*parts, text[last:]])


class _Role(Enum):
    """What a character does to the words around it."""

    LETTER = 1
    MARK = 2
    """Belongs to the letter before it."""
    NEUTRAL = 3
    """Apostrophes and what nobody sees."""
    GAP = 4
    PERCENT = 5
    END = 6
    """The end of a sentence, a sign, something opaque."""


@lru_cache(maxsize=8192)
def _role(character: str) -> tuple[_Role, str]:
    category = unicodedata.category(character)
    if category == "Lo" and character >= "\u2e80" and not unicodedata.decomposition(character):
        return _Role.LETTER, character  # the bulk of East Asian text, for which `fold` does nothing but take time
    if folded := fold(character):
        return _Role.LETTER, folded
    if category[0] == "M":
        return _Role.MARK, ""
    if character in _APOSTROPHES or category == "Cf" or character == "ـ":
        return _Role.NEUTRAL, ""
    if character in _PERCENT:
        return _Role.PERCENT, ""
    return (_Role.GAP if character in _GAPS or character.isspace() else _Role.END), ""


def _words(text: str) -> Iterator[Word]:
    start = end = -1
    letters: list[str] = []
    joined = is_new_line = False
    for at, character in enumerate(text):
        role, folded = _role(character)
        if role is _Role.LETTER:
            if not letters:
                start = at
            letters.append(folded)
            end = at + 1
            is_new_line = False
        elif role is _Role.MARK:
            end = at + 1 if letters else end
        elif role is not _Role.NEUTRAL:
            if letters:
                if role is _Role.PERCENT and letters[-1].isdigit() and end == at:
                    letters.append("%")
                    end = at + 1
                yield _word(start, end, letters, joined)
                letters, joined = [], True
            if role is _Role.END:
                joined = False
            if character == "\n":
                joined = joined and not is_new_line  # an empty line parts paragraphs
                is_new_line = True
    if letters:
        yield _word(start, end, letters, joined)


def _word(start: int, end: int, letters: list[str], joined: bool) -> Word:
    folded = "".join(letters)
    return Word(start, end, folded, joined, folded if folded.isalpha() else _DIGITS.sub("#", folded))
