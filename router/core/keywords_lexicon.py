"""The words of ``config/keywords.toml``, ready to be looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.core.errors import BadInput
from router.core.keywords_file import File, Row
from router.core.keywords_fold import Sentence, is_unspaced, words
from router.core.keywords_guards import Guards
from router.core.keywords_intent import NO, STOP, YES
from router.core.keywords_own import Cuts
from router.core.keywords_phrases import Phrases, is_choice, spell_out
from router.core.keywords_values import Calendar

_SHORT = 4
"""A stop word of another language than English that is shorter than this hints at nothing inside a sentence."""


_FEW = 12
"""A message of more words is no misspelt word with politeness around it."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a row says of its words."""

    kind: str
    locale: str
    row: Row
    published: bool

    def holds_for(self, locale: str) -> bool:
        """Whether it holds for a member whose language is `locale` (``de``)."""
        return not self.row.bound or self.locale.partition("-")[0] == locale


Meanings = Mapping[str, Meaning]
"""Locale → meaning, for one word. The words of a row share theirs where no other row has the same word."""


class Lexicon:
    """Words and what they mean, by language."""

    def __init__(self, file: File, name: str) -> None:
        """Raises `BadInput` where a word means two things in one language, or is none."""
        self.whole: dict[str, Meanings] = {}
        self.phrases: Phrases[Meanings] = Phrases()
        self.runs: list[tuple[str, Meaning]] = []
        """Opt-outs that may stand inside a text without spaces."""
        self.run_pauses: list[tuple[str, Meaning]] = []
        """The words for PAUSE in such scripts."""
        self.hints: dict[str, set[str]] = defaultdict(set)
        """Stop words → languages; where one stands in a message that is no certain stop, a person should look."""
        self.run_hints: list[str] = []
        self.slips: list[tuple[str, Meaning]] = []
        for section, rows in (("published", file.published), ("ours", file.ours)):
            for number, row in enumerate(rows):
                meaning = Meaning(row.intent, row.locale, row, section == "published")
                own: Meanings = {row.locale: meaning}
                for written in row.words:
                    self._add(written, own, meaning, f"{name}: {section}.{number}.words")
        self.fillers: dict[str, Phrases[bool]] = defaultdict(Phrases)
        for filler in file.filler:
            for slots in (slots for written in filler.words for slots in spell_out(written)):
                self.fillers[filler.beside].add(slots, True)
        self.guards: dict[str, Guards] = defaultdict(Guards)
        for guard in file.guard:
            self.guards[guard.locale].take(guard)
        self.calendars = _calendars(file)
        cuts: dict[str, list[str]] = defaultdict(list)
        for cut in file.cut:
            cuts[cut.at] += cut.words
        self.cuts = Cuts.of(cuts)

    def meaning(self, joined: str, locale: str) -> Meaning | None:
        """What the whole of a message means by the table."""
        found = self.whole.get(joined)
        return None if found is None else settle(found, locale)

    def meaning_of(self, tokens: Sequence[str], locale: str) -> Meaning | None:
        """What `tokens` mean that are nothing but phrases of one kind, repeated, and fillers.

        A stop outranks another kind; beside a yes or a no it may be its opposite ("non stop", "não parem").
        """
        found: Meaning | None = None
        place = 0
        while place < len(tokens):
            end, meaning = self._longest(tokens, place, locale)
            filled = self.filled(tokens, place)
            if filled > end:
                end, meaning = filled, None
            if end == place:
                return None
            place = end
            if meaning is None:
                continue
            if found is None or found.kind == meaning.kind:
                found = found or meaning
            elif STOP in (found.kind, meaning.kind) and not {found.kind, meaning.kind} & {YES, NO}:
                found = found if found.kind == STOP else meaning
            else:
                return None
        return found

    def filled(self, tokens: Sequence[str], place: int, beside: Sequence[str] = ("",)) -> int:
        """Where the longest filler ends that begins at `place`, `place` where there is none."""
        end = place
        for kind in beside:
            found = self.fillers[kind].longest(tokens, place)
            if found is not None and found[0] > end:
                end = found[0]
        return end

    def lone(self, tokens: Sequence[str]) -> str:
        """The only word of a short message that is no filler, "" where there are more or none."""
        if len(tokens) > _FEW:
            return ""
        own = [token for token in tokens if self.filled((token,), 0) == 0]
        return own[0] if len(own) == 1 else ""

    def anywhere(self, sentence: Sentence, locale: str) -> Iterator[tuple[int, int, Meaning]]:
        """The longest phrases that mean something inside a sentence, too: where each begins and ends."""
        for place in range(len(sentence.tokens)):
            longest: tuple[int, int, Meaning] | None = None
            for end, meanings in self.phrases.all(sentence.tokens, place):
                meaning = settle(meanings, locale)
                if meaning is not None and meaning.row.where == "anywhere":
                    longest = (place, end, meaning)
            if longest is not None:
                yield longest

    def calendar(self, locale: str) -> Calendar:
        """The words for numbers and times of a language and of English."""
        return self.calendars.get(locale) or self.calendars["en"]

    def _longest(self, tokens: Sequence[str], place: int, locale: str) -> tuple[int, Meaning | None]:
        best: tuple[int, Meaning | None] = (place, None)
        for end, meanings in self.phrases.all(tokens, place):
            meaning = settle(meanings, locale)
            if meaning is not None and end > best[0]:
                best = (end, meaning)
        return best

    def _add(self, written: str, own: Meanings, meaning: Meaning, place: str) -> None:
        ways = [slots for slots in spell_out(written) if slots]
        if not ways:
            raise BadInput(f"{written!r} has no letter or digit in it", place=place)
        for slots in ways:
            self.phrases.add(slots, own, _both)
        if is_choice(written):
            return
        said = words(written)
        meanings = self.whole[said.joined] = _both(self.whole.get(said.joined, own), own)
        kind = meanings[meaning.locale].kind
        if kind != meaning.kind:
            raise BadInput(f"{written!r} already means {kind!r} in this language", place=place)
        self._note(said.joined, len(said.tokens) == 1, meaning)

    def _note(self, joined: str, single: bool, meaning: Meaning) -> None:
        """Remember what else a word is good for."""
        if meaning.row.slips:
            self.slips.append((joined, meaning))
        unspaced = is_unspaced(joined)
        if unspaced and meaning.row.where == "anywhere" and meaning.kind == STOP:
            self.runs.append((joined, meaning))
        if unspaced and meaning.row.takes == "days":
            self.run_pauses.append((joined, meaning))
        if meaning.kind == STOP and not meaning.row.bound:
            if unspaced and len(joined) > 1:
                self.run_hints.append(joined)
            elif single:
                self.hints[joined].add(meaning.locale)

    def hints_at_stop(self, tokens: Sequence[str], joined: str, unspaced: bool, locale: str) -> bool:
        """Whether a stop word or phrase stands somewhere in a message."""
        for place, token in enumerate(tokens):
            spoken = self.hints.get(token, ())
            if spoken and (len(token) >= _SHORT or not {"en", "", locale}.isdisjoint(spoken)):
                return True
            for end, meanings in self.phrases.all(tokens, place):
                if end > place + 1 and any(meaning.kind == STOP for meaning in meanings.values()):
                    return True
        return unspaced and any(hint in joined for hint in self.run_hints)


def _both(known: Meanings, more: Meanings) -> Meanings:
    """What a word means by two rows; in one language the first row counts."""
    return known if more.keys() <= known.keys() else {**more, **known}


def settle(meanings: Mapping[str, Meaning], locale: str) -> Meaning | None:
    """What a word means to somebody of a language (``es``): stop wins, then their language; where others disagree,
    nothing.
    """
    holding = [meaning for meaning in meanings.values() if meaning.holds_for(locale)]
    if len(holding) <= 1:
        return holding[0] if holding else None
    for meaning in holding:
        if meaning.kind == STOP:
            return meaning
    own = next((meaning for meaning in holding if locale and meaning.locale.partition("-")[0] == locale), None)
    if own is not None:
        return own
    return holding[0] if len({meaning.kind for meaning in holding}) == 1 else None


def _calendars(file: File) -> dict[str, Calendar]:
    """The words for times of all languages, and the numbers of each language together with the English ones."""
    numbers: dict[str, dict[str, int]] = defaultdict(dict)
    units: dict[str, int] = {}
    months: dict[str, int] = {}
    for series in file.series:
        known = months if series.of == "month" else numbers[series.locale]
        for value, written in enumerate(series.words, 1):
            for word in _single(written):
                known.setdefault(word, value)
    for unit in file.unit:
        for written in unit.words:
            for word in _single(written):
                units.setdefault(word, unit.days)
    return {locale: Calendar(numbers["en"] | numbers[locale], units, months) for locale in {"en", *numbers}}


def _single(written: str) -> set[str]:
    """The folded words of a choice."""
    return {word for slots in spell_out(written) for slot in slots for word in slot}
