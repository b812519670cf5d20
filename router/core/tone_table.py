"""What the tone guard looks for: ``config/tone.toml``, checked when it is loaded.

Phrases are data, each with its public source; those without one lie apart. They are kept as a tree of words, so that
looking for all of them costs one walk along the text however long the table grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.core.errors import BadInput
from router.core.keywords import fold
from router.core.tone_reading import Word, fold_words


class ToneKind(StrEnum):
    """What may be wrong with the tone of some words."""

    SHOUTING = "shouting"
    """Several words in capitals."""
    URGENCY = "urgency"
    """Pressure of time that may not be true."""
    FAKE_REPLY = "fake_reply"
    """A subject that pretends to belong to a conversation: ``Re:``, ``Fwd:``."""
    GUILT = "guilt"
    """Reproach, begging and doom."""
    MARKS = "marks"
    """Exclamation and question marks in a row."""
    EMOJI = "emoji"
    """Emoji in a row."""
    MISLEADING = "misleading"
    """Words of a bill, of a bank or of an authority."""
    MATCHING = "matching"
    """Somebody is said to match each gift."""
    NO_SENDER = "no_sender"
    """A text message whose own words do not say who writes."""
    PERSONAL_SENDER = "personal_sender"
    """A From line with somebody's name and without the organization's."""
    HIDDEN_LINK = "hidden_link"
    """A web address that does not show where it leads."""


class ToneSeverity(StrEnum):
    """How sure one may be that the words do harm. A hint to the author: nothing is ever held back for it."""

    LOW = "low"
    """Often true and fine."""
    MEDIUM = "medium"
    HIGH = "high"
    """Hardly ever honest."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase of the table."""

    kind: ToneKind
    severity: ToneSeverity
    source: str
    when: Literal["", "shouted"]
    """``shouted``: only in capitals, before an exclamation mark, or before a colon at the beginning."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(min_length=1)]
_Severity = Annotated[ToneSeverity, Field(strict=False)]


class KindText(_Section):
    """What an author is told about one kind."""

    severity: _Severity
    why: Annotated[str, Field(min_length=1)]
    """Why it harms the movement's name, in one sentence."""
    instead: Annotated[str, Field(min_length=1)]
    """What to write instead, in one sentence."""
    source: Annotated[str, Field(min_length=1)]


class Capitals(_Section):
    """Capitals that are no shouting."""

    keywords: list[str]
    """Words that people answer with."""
    before_keywords: list[str]
    """After these up to three words in capitals are a keyword: ``Text RENT STRIKE to …``."""
    acronyms: list[str]


class Runs(_Section):
    """From how many in a row on it is too much."""

    marks: Annotated[int, Field(ge=2, le=100)]
    emoji: Annotated[int, Field(ge=2, le=100)]
    emoji_in_subject: Annotated[int, Field(ge=2, le=100)]


class _Row(_Section):
    kind: Annotated[ToneKind, Field(strict=False)]
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    severity: Annotated[ToneSeverity | None, Field(strict=False)] = None
    when: Literal["", "shouted"] = ""
    words: _Words


class _PublishedRow(_Row):
    source: Annotated[str, Field(min_length=1)]


class _File(_Section):
    kinds: dict[Annotated[ToneKind, Field(strict=False)], KindText]
    capitals: Capitals
    runs: Runs
    published: Annotated[list[_PublishedRow], Field(min_length=1)]
    ours: list[_Row] = []


@dataclass(slots=True)
class _Node:
    """One word further along some phrases."""

    next: dict[str, _Node] = field(default_factory=dict)
    here: dict[str, Phrase] = field(default_factory=dict)
    """locale → the phrase that ends here."""


_PHRASED = frozenset([ToneKind.URGENCY, ToneKind.FAKE_REPLY, ToneKind.GUILT, ToneKind.MISLEADING, ToneKind.MATCHING])
"""Kinds that are found by their words; the others by the shape of the text."""


class ToneTable:
    """Phrases, thresholds, and what an author is told."""

    def __init__(self, file: _File, *, place: str = "tone.toml") -> None:
        self.kinds: Mapping[ToneKind, KindText] = file.kinds
        self.runs = file.runs
        quiet = (*file.capitals.keywords, *file.capitals.acronyms)
        self.quiet = frozenset(word for listed in quiet for word in fold_words(listed))
        self.before_keywords = frozenset(fold(word) for word in file.capitals.before_keywords)
        self._root = _Node()
        self._replies: dict[str, dict[str, Phrase]] = {}
        for section, listed in (("published", file.published), ("ours", file.ours)):
            for number, row in enumerate(listed):
                self._add_row(row, f"{place}: {section}.{number}")

    @classmethod
    def from_toml(cls, data: Mapping[str, Any], *, file: str = "tone.toml") -> Self:
        """Check a tone file's content; raises `BadInput` with file, key and sentence."""
        try:
            content = _File.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadInput(first["msg"], place=f"{file}: {'.'.join(str(part) for part in first['loc'])}") from None
        for kind in ToneKind:
            if kind not in content.kinds:
                raise BadInput(f"kinds.{kind.value} is missing", place=f"{file}: kinds")
        return cls(content, place=file)

    def find_phrases(self, words: Sequence[Word], locale: str) -> Iterator[tuple[int, int, Phrase]]:
        """The phrases in a text from left to right, the longest first: index of the first word, of the one after the
        last, and the phrase. They may overlap. Where two languages share a phrase, that of `locale` is meant.
        """
        begin = self._root.next
        for first, word in enumerate(words):
            node = begin.get(word.folded) or begin.get(word.generic)
            found: list[tuple[int, int, Phrase]] = []
            after = first + 1
            while node is not None:
                if node.here:
                    found.append((first, after, _of_locale(node.here, locale)))
                if after == len(words) or not words[after].joined:
                    break
                node = node.next.get(words[after].folded) or node.next.get(words[after].generic)
                after += 1
            yield from reversed(found)

    def reply_prefix(self, prefix: str, locale: str) -> Phrase | None:
        """The row of a subject's beginning such as ``Re`` or ``AW[2]``, None for any other word."""
        found = self._replies.get(fold(prefix.rstrip("0123456789[]()^ ")))
        return _of_locale(found, locale) if found else None

    def _add_row(self, row: _Row, place: str) -> None:
        if row.kind not in _PHRASED:
            raise BadInput(f"{row.kind.value} is found by the shape of a text, not by words", place=f"{place}.kind")
        told = self.kinds[row.kind]
        source = row.source if isinstance(row, _PublishedRow) else told.source
        phrase = Phrase(row.kind, row.severity or told.severity, source, row.when)
        for written in row.words:
            words = [fold(written)] if row.kind is ToneKind.FAKE_REPLY else fold_words(written)
            if not any(words):
                raise BadInput(f"{written!r} has no letter or digit in it", place=f"{place}.words")
            if self._ending(row.kind, words).setdefault(row.locale, phrase) is not phrase:
                raise BadInput(f"{written!r} stands here twice", place=f"{place}.words")

    def _ending(self, kind: ToneKind, words: Sequence[str]) -> dict[str, Phrase]:
        """Where a phrase is kept."""
        if kind is ToneKind.FAKE_REPLY:
            return self._replies.setdefault(words[0], {})
        node = self._root
        for word in words:
            node = node.next.setdefault(word, _Node())
        return node.here


def _of_locale(phrases: Mapping[str, Phrase], locale: str) -> Phrase:
    """That of the locale, else of its language, else the first of the table."""
    return phrases.get(locale) or phrases.get(locale.partition("-")[0]) or next(iter(phrases.values()))
