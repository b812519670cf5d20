"""Answers to the last ask of a thread: its own keywords, numbers of people, postcodes, amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.core.keywords_fold import Words, words
from router.core.keywords_intent import NO, NUMBER, STOP, YES, Intent
from router.core.keywords_lexicon import Lexicon, settle
from router.core.keywords_phrases import Phrases
from router.core.keywords_slips import one_slip
from router.core.keywords_values import (
    MOST_GUESTS,
    Figure,
    count_of,
    counts_something_else,
    find_figure,
    find_number,
    has_plus,
)

_SHORTEST_SLIP = 4
"""Letters; in a shorter word one other letter makes another word."""

_LONGEST_FIGURE = 200
"""Characters of a message in which a postcode, an amount or a number is looked for; an answer with one is short."""


class Offer:
    """The keywords of an ask, as they are compared."""

    def __init__(self, keywords: Sequence[str], lexicon: Lexicon, locale: str) -> None:
        """A keyword that the table knows is of that kind (``OUI`` is a yes), any other of its own (``host``).

        No ask can offer a published stop word: whoever writes CANCEL is opted out, by the provider at the latest.
        """
        self.kinds: dict[str, str] = {}
        self.phrases: Phrases[str] = Phrases()
        for keyword in keywords:
            said = words(keyword)
            if not said.joined:
                continue
            known = lexicon.meaning(said.joined, locale)
            if known is not None and known.kind == STOP and known.published:
                continue
            own = keyword.strip().casefold().replace(" ", "_")
            kind = own if known is None or known.kind == STOP else known.kind
            self.kinds[said.joined] = kind
            self.phrases.add([frozenset({token}) for token in said.tokens], kind)

    def __bool__(self) -> bool:
        return bool(self.kinds)

    @property
    def numbered(self) -> bool:
        """Whether numbers are among its keywords; any other number means nothing then."""
        return any(keyword.isdigit() for keyword in self.kinds)

    def exact(self, joined: str) -> Intent | None:
        """The keyword that a message is."""
        kind = self.kinds.get(joined)
        return None if kind is None else Intent(kind, word=joined)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What stands beside a keyword: numbers, and whether they count others than the writer."""

    numbers: tuple[int, ...] = ()
    others: bool = False


def find_answer(own: str, said: Words, offer: Offer, lexicon: Lexicon, locale: str) -> Intent | None:
    """What `said` answers, None where it is no answer or says more than one can be sure of."""
    figure = find_figure(own, locale) if _has_figures(own) else None
    rest = said if figure is None else words(figure.rest)
    tokens = rest.tokens
    begin, end, kind, word_locale = _keyword(tokens, offer, lexicon, locale)
    if not kind:
        return _bare(own, tokens, figure, offer, lexicon, locale)
    if said.asks and end - begin < len(tokens):
        return None
    answer = Intent(kind, word_locale, "".join(tokens[begin:end]), value=figure.value if figure else "")
    if kind in (YES, NO):
        beside = ("", "yes", "number", "others", "place") if kind == YES else ("", "no")
        found = _rest(tokens[end:], lexicon, locale, beside)
        if found is None or len(found.numbers) > (kind == YES) or (found.numbers and counts_something_else(own)):
            return None
        return with_guests(answer, found.numbers[0] + (found.others or has_plus(own))) if found.numbers else answer
    found = _rest(tokens[end:], lexicon, locale, ("", "yes", "offer", "place"))
    if found is not None and not found.numbers:
        return answer
    number = find_number(own) if _has_figures(own) else None
    if found is None and (number is None or "." not in number.value):
        return None
    return replace(answer, value=number.value) if number and not figure else None


def with_guests(answer: Intent, guests: int) -> Intent:
    """`answer` of so many people; not certain where nobody brings so many."""
    return replace(answer, guests=guests, certain=1 <= guests <= MOST_GUESTS)


def find_slip(tokens: Sequence[str], offer: Offer, lexicon: Lexicon) -> Intent | None:
    """The one keyword of the ask that was meant by a word with a wrong letter; never where it may be a stop."""
    lone = lexicon.lone(tokens)
    if not lone or lone in lexicon.whole or is_slip_of_stop(tokens, lexicon):
        return None
    meant = [keyword for keyword in offer.kinds if len(keyword) >= _SHORTEST_SLIP and one_slip(lone, keyword)]
    if len(meant) != 1:
        return None
    return Intent(offer.kinds[meant[0]], word=meant[0], certain=False)


def is_slip_of_stop(tokens: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether a message may be a stop word with a wrong letter."""
    lone = lexicon.lone(tokens)
    return bool(lone) and any(len(hint) >= _SHORTEST_SLIP and one_slip(lone, hint) for hint in lexicon.hints)


def find_value(own: str, locale: str) -> Figure | None:
    """A postcode, an amount or a number that somebody wrote though nobody asked."""
    return find_figure(own, locale) or find_number(own) if _has_figures(own) else None


def _has_figures(own: str) -> bool:
    return len(own) <= _LONGEST_FIGURE and any(c.isdecimal() for c in own)


def _keyword(tokens: Sequence[str], offer: Offer, lexicon: Lexicon, locale: str) -> tuple[int, int, str, str]:
    """Where the keyword begins and ends that a message starts with, its kind and language; kind "" for none.

    A yes gives way to another keyword of the ask behind it ("yes, I can host").
    """
    answer = (0, 0, "", "")
    place = 0
    while place < len(tokens):
        found = offer.phrases.longest(tokens, place)
        if found is not None and found[1] not in (YES, NO):
            return place, found[0], found[1], ""
        if not answer[2]:
            answer = _yes_or_no(tokens, place, lexicon, locale)
        further = lexicon.filled(tokens, place, ("", "offer") if offer else ("",))
        if further == place:
            break
        place = further
    return answer


def _yes_or_no(tokens: Sequence[str], place: int, lexicon: Lexicon, locale: str) -> tuple[int, int, str, str]:
    longest = (0, 0, "", "")
    for end, meanings in lexicon.phrases.all(tokens, place):
        meaning = settle(meanings, locale)
        if meaning is not None and meaning.kind in (YES, NO):
            longest = (place, end, meaning.kind, meaning.locale)
    return longest


def _bare(
    own: str, tokens: Sequence[str], figure: Figure | None, offer: Offer, lexicon: Lexicon, locale: str
) -> Intent | None:
    """A postcode, an amount or a number of people without a keyword; only where an ask is open."""
    if not offer:
        return None
    if figure is not None:
        found = _rest(tokens, lexicon, locale, ("", "yes", "place"))
        return None if found is None or found.numbers else Intent(figure.kind, value=figure.value)
    found = _rest(tokens, lexicon, locale, ("", "yes", "number", "others"))
    if found is None or len(found.numbers) != 1 or counts_something_else(own):
        return None
    number = found.numbers[0]
    if offer.numbered:
        return offer.exact(str(number))
    if YES in offer.kinds.values():
        return with_guests(Intent(YES), number + (found.others or has_plus(own)))
    return Intent(NUMBER, value=str(number), certain=False)


def _rest(tokens: Sequence[str], lexicon: Lexicon, locale: str, beside: Sequence[str]) -> _Rest | None:
    """What `tokens` hold besides fillers, None where they say something else, too."""
    numbers: list[int] = []
    others = False
    calendar = lexicon.calendar(locale)
    place = 0
    while place < len(tokens):
        count = count_of(tokens[place])
        count = calendar.numbers.get(tokens[place]) if count is None else count
        if count is not None:
            numbers.append(count)
            place += 1
            continue
        further = lexicon.filled(tokens, place, beside)
        if further == place:
            return None
        others = others or ("others" in beside and lexicon.filled(tokens, place, ("others",)) == further)
        place = further
    return _Rest(tuple(numbers), others)
