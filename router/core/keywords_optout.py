"""Does somebody ask us to stop? The first question to every message, in any language.

47 CFR 64.1200(a)(10): any reasonable means; per se the words stop, quit, end, revoke, opt out, cancel, unsubscribe, and
whatever a reasonable person would understand as a wish to stop. CTIA Messaging Principles and Best Practices 5.1.3:
normal language counts. A message that only contains such a word ("which bus stop?") asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from router.core.keywords_fold import Words
from router.core.keywords_intent import STOP
from router.core.keywords_lexicon import Lexicon, Meaning
from router.core.keywords_slips import one_slip


class Hit(NamedTuple):
    """What words mean, and which they are, folded."""

    meaning: Meaning
    word: str


@dataclass(frozen=True, slots=True)
class Read:
    """What the table says of a message."""

    stop: Hit | None = None
    """A wish to stop that is certain."""
    other: Hit | None = None
    """What else it means, or wishes besides."""


def read(said: Words, lexicon: Lexicon, locale: str) -> Read:
    """Whether `said` is, or holds, a wish to get no more messages, and what else the table says of it."""
    tokens = said.tokens
    meaning = lexicon.meaning(said.joined, locale)
    if meaning is None or meaning.kind != STOP:
        meaning = lexicon.meaning_of(tokens, locale) or meaning
    whole = None if meaning is None else Hit(meaning, said.joined)
    if whole is not None and len(tokens) <= 1:
        return Read(stop=whole) if whole.meaning.kind == STOP else Read(other=whole)
    inside = _inside(said, lexicon, locale)
    if whole is not None and whole.meaning.kind != STOP:
        return Read(stop=inside.stop, other=whole)
    stop = whole or _sentence(said, lexicon, locale) or _slip(tokens, lexicon) or inside.stop
    return replace(inside, stop=stop)


def _sentence(said: Words, lexicon: Lexicon, locale: str) -> Hit | None:
    """A first or last sentence that says nothing else ("STOP. I never signed up")."""
    if len(said.sentences) < 2:
        return None
    ends = [said.sentences[-1]] if said.sentences[0].asks else [said.sentences[0], said.sentences[-1]]
    for sentence in ends:
        meaning = lexicon.meaning_of(sentence.tokens, locale)
        if meaning is not None and meaning.kind == STOP and meaning.row.where != "message":
            return Hit(meaning, "".join(sentence.tokens))
    return None


def _slip(tokens: tuple[str, ...], lexicon: Lexicon) -> Hit | None:
    """A long word with one wrong letter in it, alone but for fillers."""
    lone = lexicon.lone(tokens)
    if not lone or lone in lexicon.whole:
        return None
    return next((Hit(meaning, word) for word, meaning in lexicon.slips if one_slip(lone, word)), None)


def _inside(said: Words, lexicon: Lexicon, locale: str) -> Read:
    """Normal language inside a longer message ("we moved, please take me off your list")."""
    stop: Hit | None = None
    other: Hit | None = None
    for sentence in said.sentences:
        for start, end, meaning in lexicon.anywhere(sentence, locale):
            if (stop if meaning.kind == STOP else other) is not None:
                continue
            if lexicon.guards[meaning.locale].takes_back(sentence, start, end):
                continue
            hit = Hit(meaning, "".join(sentence.tokens[start:end]))
            if meaning.kind == STOP:
                stop = hit
            else:
                other = hit
    for run, meaning in lexicon.runs if said.unspaced else ():
        start = said.joined.find(run)
        guards = lexicon.guards[meaning.locale]
        if start >= 0 and not guards.takes_back_run(said.joined, start, start + len(run)):
            stop = stop or Hit(meaning, run)
    return Read(stop=stop, other=other)
