"""What a reply means.

The words are data (``config/keywords.toml``), each row with its public source; those without one lie apart. There are
two tiers. *Certain*: the whole message is a word or phrase of the table, however it is written, or it holds an opt-out
in normal language. *Ambiguous*: a word is there, but it may mean something else ("stop line 3"); then the kind is
``none`` with a suggestion for a person, and nobody is opted in or out.

In this order: the exact keyword of the open ask (which never is a published stop word), a wish to stop, an answer to
the ask ("yes 4", a postcode), a command (PAUSE 2 WEEKS), the other words of the table, a slip of the thumb. What the
provider itself understood (Twilio ``OptOutType``) outranks all of this; that is for the caller. The work is linear in
the length of the message, of which `keywords_fold.LONGEST` characters are read.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Self

from router.core.data import data_folder
from router.core.keywords_answers import Offer, find_answer, find_slip, find_value, is_slip_of_stop
from router.core.keywords_commands import find_command
from router.core.keywords_file import read_file
from router.core.keywords_fold import Words, fold, words
from router.core.keywords_intent import CHANNEL, NO, NONE, NUMBER, STOP, YES, Intent
from router.core.keywords_lexicon import Lexicon
from router.core.keywords_optout import Hit, read

__all__ = ["NONE", "STOP", "Intent", "KeywordTable", "classify", "default_table", "fold"]

_NOTHING = Intent(NONE, certain=False)

_SIGNS: Mapping[str, str] = {"🛑": STOP, "👍": YES, "✅": YES, "👎": NO}
"""What a message without a word may mean. It acts on nothing by itself."""


class KeywordTable:
    """Words and what they mean, by language."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    @classmethod
    def from_toml(cls, data: Mapping[str, Any], *, file: str = "keywords.toml") -> Self:
        """Check a keyword file's content; raises `BadInput` with file, key and sentence."""
        return cls(_lexicon(json.dumps(data, default=str), file))

    def classify(self, text: str, locale: str | None = None, *, offered: Sequence[str] = ()) -> Intent:
        """What `text` means to a member whose language is `locale` (``es-MX``), who was last asked for `offered`.

        A word that is a stop in any language is a stop; for other words on which two languages disagree, `locale`
        decides, and without it they mean nothing. Raises nothing, whatever the text.
        """
        lexicon = self._lexicon
        language = (locale or "").partition("-")[0].lower()
        own = lexicon.cuts.own_words(text)
        said = words(own)
        offer = Offer(offered, lexicon, language)
        if not said.joined:
            return _sign(own, offer)
        if answer := offer.exact(said.joined):
            return answer
        found = read(said, lexicon, language)
        if found.stop is not None:
            return _stop(found.stop, found.other)
        return (
            find_answer(own, said, offer, lexicon, language)
            or find_command(own, said, lexicon, language)
            or (_intent(found.other) if found.other else None)
            or find_slip(said.tokens, offer, lexicon)
            or self._suggest(own, said, offer, language)
        )

    def _suggest(self, own: str, said: Words, offer: Offer, language: str) -> Intent:
        """No meaning that is certain, but what a person might see in it."""
        tokens = said.tokens
        if self._lexicon.hints_at_stop(tokens, said.joined, said.unspaced, language):
            return replace(_NOTHING, suggestion=STOP)
        for place in range(len(tokens)):
            if found := offer.phrases.longest(tokens, place):
                return replace(_NOTHING, suggestion=found[1])
        if offer and is_slip_of_stop(tokens, self._lexicon):
            return replace(_NOTHING, suggestion=STOP)
        if figure := find_value(own, language):
            number = int(figure.value) if figure.kind == NUMBER and figure.value.isdigit() else None
            return replace(_NOTHING, suggestion=figure.kind, value=figure.value, guests=number)
        return _NOTHING


def classify(
    text: str,
    locale: str | None = None,
    *,
    table: KeywordTable | None = None,
    offered: Sequence[str] = (),
) -> Intent:
    """What a reply means, by `table` or the packaged one. See `KeywordTable.classify`."""
    return (table or default_table()).classify(text, locale, offered=offered)


@cache
def default_table() -> KeywordTable:
    """The packaged ``config/keywords.toml``, read once."""
    path = data_folder("config") / "keywords.toml"
    return KeywordTable.from_toml(tomllib.loads(path.read_text("utf-8")))


@lru_cache(maxsize=4)
def _lexicon(content: str, file: str) -> Lexicon:
    """The words of a file's `content`, worked out once for all who read the same file."""
    return Lexicon(read_file(json.loads(content), file), file)


def _intent(hit: Hit) -> Intent:
    return Intent(hit.meaning.kind, hit.meaning.locale, hit.word, value=hit.meaning.row.value)


def _stop(hit: Hit, wish: Hit | None) -> Intent:
    """A stop. Where another channel is wished for in the same breath, that is left to a person."""
    stop = _intent(hit)
    if wish is None or wish.meaning.kind != CHANNEL:
        return stop
    return replace(stop, suggestion=CHANNEL, value=wish.meaning.row.value)


def _sign(own: str, offer: Offer) -> Intent:
    for sign, kind in _SIGNS.items():
        if sign in own and (kind == STOP or kind in offer.kinds.values()):
            return replace(_NOTHING, suggestion=kind)
    return _NOTHING
