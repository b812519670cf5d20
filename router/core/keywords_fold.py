"""A text reduced to what is compared: its letters, digits, sentences and clauses.

Case, accents, emoji, invisible characters (bidi marks, joiners, variation selectors) and full-width or framed forms of
letters do not matter, nor do asterisks in an oath. The work is linear in the length of the text and ends at `LONGEST`
characters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

LONGEST = 2_000
"""So much of a text is read; a text message ends at 1,600 characters (Twilio error 21617)."""

_END = 100
"""Characters at the end of a longer text that are read, too: the wish to stop may be the last thing that is said."""

_EXPANDED = 4_000
"""NFKC makes up to 18 characters of one; so many of them are looked at."""

# Letters that Unicode does not take apart into a base and an accent, but that people type without it; and those that
# Arabic, Persian and Urdu keyboards write differently.
_LOOSE_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ى": "ي", "ـ": None}
    | {"ی": "ي", "ک": "ك", "ہ": "ه", "ھ": "ه", "ۃ": "ه", "ة": "ه", "ँ": "ं"}
)
_MOST_WORDS = 320
"""So many words of a message are looked at, and its last sentence: 1,600 characters hold no more."""
_SHORT_SENTENCE = 8

_FIRST_ACCENT = 10
"""Canonical combining classes from here on are accents; below it lie viramas, nuktas and voicing marks, which make
another letter (Unicode Standard, table 4-3)."""
_OVERLAY = 1
"""The combining class of a stroke through a letter."""

_APOSTROPHES = frozenset("'’ʼ‘`´＇")
_CLAUSE_ENDS = frozenset(",:،，、：–—")
_SENTENCE_ENDS = frozenset(".!;。！；।…\n\r\v\f\x85\u2028\u2029")
_QUESTIONS = frozenset("?؟？;")
_ASKS = "\r"
_CACHED = 4_096

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
"""Thai, Lao, Burmese, Khmer, kana, Han and Hangul: written without spaces, or with spaces where one likes."""

_SENTENCE_END = re.compile(r"[.!?\n]")
_MASKED = re.compile(r"(?<![^\W_])f[*#@$%]{1,4}(?:c?k)?(ing|)(?![^\W_])", re.IGNORECASE)
"""How the word is written that is not to be written."""

_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


class _Letters(dict[int, str | None]):
    """Character → what stands for it, worked out when first met."""

    def __missing__(self, code: int) -> str | None:
        stands = _stands_for(chr(code))
        if len(self) < _CACHED:
            self[code] = stands
        return stands


def _stands_for(c: str) -> str | None:
    if c in _QUESTIONS:
        return f"{_ASKS}\n"
    if c in _SENTENCE_ENDS:
        return "\n"
    if c in _CLAUSE_ENDS:
        return "\t"
    if c in _APOSTROPHES:
        return None
    category = unicodedata.category(c)
    if category == "Nd":
        return str(unicodedata.decimal(c))
    if category[0] in "LN":
        return c if unicodedata.combining(c) < _FIRST_ACCENT else None
    if category[0] == "M":
        accent = unicodedata.combining(c) >= _FIRST_ACCENT or unicodedata.combining(c) == _OVERLAY
        selector = "\ufe00" <= c <= "\ufe0f" or "\U000e0100" <= c <= "\U000e01ef"
        return None if accent or selector or category == "Me" else c
    return None if category == "Cf" else " "


_LETTERS = _Letters()


@dataclass(frozen=True, slots=True)
class Sentence:
    """`tokens` are its folded words, `clauses` the places where a clause begins, `asks` whether ``?`` ends it."""

    tokens: tuple[str, ...]
    clauses: tuple[int, ...] = (0,)
    asks: bool = False

    def clause_of(self, place: int) -> int:
        """Where the clause begins that `place` lies in."""
        return max(begin for begin in self.clauses if begin <= place)


@dataclass(frozen=True, slots=True)
class Words:
    """A text as words. `joined` is all of it without spaces, as `fold` writes it."""

    sentences: tuple[Sentence, ...]
    joined: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words of all sentences, in order."""
        if len(self.sentences) == 1:
            return self.sentences[0].tokens
        return tuple(token for sentence in self.sentences for token in sentence.tokens)

    @property
    def asks(self) -> bool:
        """Whether any of it is a question."""
        return any(sentence.asks for sentence in self.sentences)

    @property
    def unspaced(self) -> bool:
        """Whether it holds a script in which spaces do not tell words apart."""
        return not self.joined.isascii() and _UNSPACED.search(self.joined) is not None


def fold(text: str) -> str:
    """`text` without case, accents, punctuation, emoji, invisible characters or spaces."""
    return "".join(_cleaned(text).split())[:LONGEST]


def words(text: str) -> Words:
    """`text` as folded words. Letters that are drawn out ("stoppppp") count once."""
    cleaned = _cleaned(text)
    sentences: list[Sentence] = []
    room = _MOST_WORDS
    for part in cleaned.split("\n"):
        if (found := _sentence(part, room)) is not None:
            sentences.append(found)
            room -= len(found.tokens)
        if room <= 0:
            last = _sentence(cleaned.rstrip("\n\r ").rpartition("\n")[2], _SHORT_SENTENCE + 1)
            if last is not None and len(last.tokens) <= _SHORT_SENTENCE:
                sentences.append(last)
            break
    return Words(tuple(sentences), "".join(token for sentence in sentences for token in sentence.tokens))


def is_unspaced(folded: str) -> bool:
    """Whether a folded phrase is to be looked for without regard to spaces."""
    return _UNSPACED.search(folded) is not None


def _cleaned(text: str) -> str:
    """Letters and digits, with a blank, tab or line end where something else stood."""
    text = _MASKED.sub(r"fuck\1", _shortened(text.strip()))
    if text.isascii():
        return text.casefold().translate(_LETTERS)
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text)[:_EXPANDED].casefold())
    return unicodedata.normalize("NFC", text.translate(_LETTERS).translate(_LOOSE_LETTERS))


def _shortened(text: str) -> str:
    """The beginning of a long text, and the sentences at its very end."""
    if len(text) <= LONGEST:
        return text
    found = _SENTENCE_END.search(text, len(text) - _END)
    return text[:LONGEST] + (text[found.start() :] if found else "")


def _sentence(part: str, room: int) -> Sentence | None:
    """A sentence of no more than `room` words, None where there is no word."""
    tokens: list[str] = []
    clauses: list[int] = []
    for clause in part.split("\t"):
        if found := clause.split():
            clauses.append(len(tokens))
            tokens += found
    if not tokens:
        return None
    tokens = tokens[:room]
    clauses = [begin for begin in clauses if begin < len(tokens)]
    return Sentence(tuple(_DRAWN_OUT.sub(r"\1", token) for token in tokens), tuple(clauses), part.endswith(_ASKS))
