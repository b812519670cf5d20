"""Does somebody ask us to stop? The first question to every message, in any language.

47 CFR 64.1200(a)(10): any reasonable means; per se the words stop, quit, end, revoke, opt out, cancel, unsubscribe, and
whatever a reasonable person would understand as a wish to stop. CTIA Messaging Principles and Best Practices 5.1.3:
normal language counts. A message that only contains such a word ("which bus stop?") asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.core.keywords_fold import Words
from router.core.keywords_intent import STOP
from router.core.keywords_lexicon import Lexicon, Meaning
from router.core.keywords_slips import one_slip


@dataclass(frozen=True, slots=True)
class OptOut:
    """`meaning` where it is certain, else None; `taken_back` where the words are there but not meant so."""

    meaning: Meaning | None = None
    taken_back: bool = False


def find_opt_out(said: Words, lexicon: Lexicon, locale: str) -> OptOut:
    """Whether `said` is, or holds, a wish to get no more messages."""
    tokens = said.tokens
    meaning = lexicon.meaning(said.joined, locale)
    if meaning is not None and meaning.kind == STOP:
        return OptOut(meaning)
    meaning = lexicon.meaning_of(tokens, locale)
    if meaning is not None and meaning.kind == STOP:
        return OptOut(meaning)
    meaning = _sentence(said, lexicon, locale) or _slip(tokens, lexicon, locale)
    return OptOut(meaning) if meaning is not None else _inside(said, lexicon, locale)


def _sentence(said: Words, lexicon: Lexicon, locale: str) -> Meaning | None:
    """A first or last sentence that says nothing else ("STOP. I never signed up")."""
    if len(said.sentences) < 2:
        return None
    ends = [said.sentences[-1]] if said.sentences[0].asks else [said.sentences[0], said.sentences[-1]]
    for sentence in ends:
        meaning = lexicon.meaning_of(sentence.tokens, locale)
        if meaning is not None and meaning.kind == STOP and meaning.row.where != "message":
            return meaning
    return None


def _slip(tokens: tuple[str, ...], lexicon: Lexicon, locale: str) -> Meaning | None:
    """A long word with one wrong letter in it, alone but for fillers."""
    own = [token for token in tokens if lexicon.filled((token,), 0) == 0]
    if len(own) != 1 or own[0] in lexicon.whole:
        return None
    return next((meaning for word, meaning in lexicon.slips if one_slip(own[0], word)), None)


def _inside(said: Words, lexicon: Lexicon, locale: str) -> OptOut:
    """Normal language inside a longer message ("we moved, please take me off your list")."""
    taken_back = False
    for sentence in said.sentences:
        for start, end, meaning in lexicon.anywhere(sentence, locale):
            if meaning.kind != STOP:
                continue
            if not lexicon.guards[meaning.locale].takes_back(sentence, start, end):
                return OptOut(meaning)
            taken_back = True
    if said.unspaced:
        for run, meaning in lexicon.runs:
            start = said.joined.find(run)
            if start < 0 or meaning.kind != STOP:
                continue
            if not lexicon.guards[meaning.locale].takes_back_run(said.joined, start, start + len(run)):
                return OptOut(meaning)
            taken_back = True
    return OptOut(taken_back=taken_back)
