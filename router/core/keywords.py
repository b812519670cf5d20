"""What a reply means, where it is nothing but a word or phrase from a table.

The words are data (``config/keywords.toml``), each row with its public source; those without one lie apart. The whole
message must match after `fold`; a message that only contains a word ("what time does it stop?") means nothing here.
The work is linear in the length of the message: one pass and one look-up.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.core.data import data_folder
from router.core.errors import BadInput

STOP = "stop"
NONE = "none"

_LONGEST = 2_000
"""No phrase is near as long; a text message ends at 1,600 characters (Twilio 21617)."""

# Letters that Unicode does not take apart into a base and an accent, but that people type without it.
_LOOSE_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ى": "ي", "ـ": None})
_FIRST_ACCENT = 10
"""Canonical combining classes from here on are accents; below it lie viramas, nuktas and voicing marks, which make
another letter (Unicode Standard, table 4-3)."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a reply means: `kind` is ``stop``, ``start``, ``help``, ``yes``, ``no``, another word's, or ``none``.

    `locale` is the language of the word that decided it, `word` that word as `fold` writes it.
    """

    kind: str
    locale: str = ""
    word: str = ""


_NOTHING = Intent(NONE)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    intent: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,19}$")]
    locale: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")] = ""
    words: Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1)]


class _PublishedRow(_Row):
    source: Annotated[str, Field(min_length=1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    published: Annotated[list[_PublishedRow], Field(min_length=1)]
    ours: list[_Row] = []


class KeywordTable:
    """Words and what they mean, by language."""

    def __init__(self, meanings: Mapping[str, Mapping[str, str]]) -> None:
        """`meanings`: folded word → locale → intent."""
        self._meanings = {word: dict(by_locale) for word, by_locale in meanings.items()}
        self._settled = {word: _settle(word, by_locale) for word, by_locale in self._meanings.items()}

    @classmethod
    def from_toml(cls, data: Mapping[str, Any], *, file: str = "keywords.toml") -> Self:
        """Check a keyword file's content; raises `BadInput` with file, key and sentence."""
        try:
            rows = _File.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(first["msg"], place=f"{file}: {'.'.join(str(part) for part in first['loc'])}") from None
        meanings: dict[str, dict[str, str]] = {}
        for section, listed in (("published", rows.published), ("ours", rows.ours)):
            for number, row in enumerate(listed):
                for written in row.words:
                    _add(meanings, row, written, f"{file}: {section}.{number}.words")
        return cls(meanings)

    def classify(self, text: str, locale: str | None = None) -> Intent:
        """What `text` means. A word that is a stop in any language is a stop; for other words on which two languages
        disagree, `locale` decides (``es-MX``, then ``es``), and without it they mean nothing.
        """
        word = fold(text)
        settled = self._settled.get(word)
        if settled is None:
            return _NOTHING
        if settled.kind == NONE and locale:
            by_locale = self._meanings[word]
            for candidate in (locale, locale.partition("-")[0]):
                if candidate in by_locale:
                    return Intent(by_locale[candidate], candidate, word)
        return settled


def fold(text: str) -> str:
    """`text` reduced to what is compared: no case, accents, punctuation, emoji, invisible characters or spaces."""
    text = text.strip()
    if len(text) > _LONGEST:
        return ""
    if text.isascii():
        return "".join(c for c in text.casefold() if c.isalnum())
    text = unicodedata.normalize("NFKC", text).casefold().translate(_LOOSE_LETTERS)
    letters = [
        c
        for c in unicodedata.normalize("NFKD", text)
        if unicodedata.category(c)[0] in "LMN"
        and unicodedata.combining(c) < _FIRST_ACCENT
        and not "\ufe00" <= c <= "\ufe0f"  # variation selectors, which turn a sign into an emoji
        and unicodedata.category(c) != "Me"  # the frame of a keycap
    ]
    return unicodedata.normalize("NFC", "".join(letters))


def classify(text: str, locale: str | None = None, table: KeywordTable | None = None) -> Intent:
    """What a reply means, by `table` or the packaged one. See `KeywordTable.classify`."""
    return (table or default_table()).classify(text, locale)


@cache
def default_table() -> KeywordTable:
    """The packaged ``config/keywords.toml``, read once."""
    path = data_folder("config") / "keywords.toml"
    return KeywordTable.from_toml(tomllib.loads(path.read_text("utf-8")))


def _add(meanings: dict[str, dict[str, str]], row: _Row, written: str, place: str) -> None:
    word = fold(written)
    if not word:
        raise BadInput(f"{written!r} has no letter or digit in it", place=place)
    known = meanings.setdefault(word, {}).setdefault(row.locale, row.intent)
    if known != row.intent:
        raise BadInput(f"{written!r} already means {known!r} in this language", place=place)


def _settle(word: str, by_locale: Mapping[str, str]) -> Intent:
    """What a word means when the locale does not say: stop wins always, disagreement means nothing."""
    intents = dict.fromkeys(by_locale.values())
    kind = STOP if STOP in intents else next(iter(intents)) if len(intents) == 1 else NONE
    locale = next((loc for loc, intent in by_locale.items() if intent == kind), "")
    return Intent(kind, locale, word)
