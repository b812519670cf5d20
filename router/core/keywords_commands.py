"""Words that take something along: PAUSE 2 WEEKS, JOIN <code>, PROPOSE <text>."""

from __future__ import annotations

import re
from collections.abc import Sequence

from router.core.keywords_fold import Words
from router.core.keywords_intent import Intent
from router.core.keywords_lexicon import Lexicon, Meaning, settle
from router.core.keywords_values import LONGEST_PAUSE

_CODE = re.compile(r"[^\W_][\w-]{0,31}")
_AROUND = " \t\n.,:;!?\"'“”‘’«»()[]<>*#"
_LONGEST_TEXT = 1_001
"""One character more than any text that a command takes (`ProposalPolicy.longest`): what is too long is seen to be."""


def find_command(own: str, said: Words, lexicon: Lexicon, locale: str) -> Intent | None:
    """The command that a message begins with and what it takes along, None where there is none.

    Where it may as well be an everyday sentence ("second thoughts …"), it is not certain.
    """
    if said.unspaced:
        for run, paused in lexicon.run_pauses:
            if said.joined.startswith(run):
                intent = Intent(paused.kind, paused.locale, run)
                return _pause(intent, [said.joined[len(run) :]], lexicon, locale or paused.locale)
    end, meaning = _command(said.tokens, lexicon, locale)
    if meaning is None:
        return None
    intent = Intent(meaning.kind, meaning.locale, "".join(said.tokens[:end]))
    if meaning.row.takes == "days":
        return _pause(intent, said.tokens[end:], lexicon, locale or meaning.locale)
    rest = own.split(None, end)[end:]
    if meaning.row.takes == "text":
        return _with_text(intent, own, rest)
    return _with_code(intent, rest, lexicon)


def _command(tokens: Sequence[str], lexicon: Lexicon, locale: str) -> tuple[int, Meaning | None]:
    place = lexicon.filled(tokens, 0)
    found = [
        (end, meaning)
        for end, meanings in lexicon.phrases.all(tokens, place)
        if (meaning := settle(meanings, locale)) is not None and meaning.row.takes
    ]
    return max(found, key=lambda pair: pair[0], default=(0, None))


def _pause(intent: Intent, tokens: Sequence[str], lexicon: Lexicon, locale: str) -> Intent | None:
    calendar = lexicon.calendar(locale)
    rest: list[str] = []
    until = False
    place = 0
    while place < len(tokens):
        further = lexicon.filled(tokens, place, ("", "pause", "until"))
        if further == place or calendar.knows(tokens[place]):
            rest.append(tokens[place])
        else:
            until = until or lexicon.filled(tokens, place, ("until",)) == further
        place = max(further, place + 1)
    value = calendar.pause([token for token in rest if token], until=until)
    if value is None:
        return None
    certain = not value.isdigit() or 1 <= int(value) <= LONGEST_PAUSE
    return Intent(intent.kind, intent.locale, intent.word, value=value, certain=certain)


def _with_text(intent: Intent, own: str, rest: Sequence[str]) -> Intent:
    value = rest[0].strip(_AROUND)[:_LONGEST_TEXT] if rest else ""
    first = own.split(None, 1)[0]
    return Intent(intent.kind, intent.locale, intent.word, value=value, certain=_stands_out(first) or not value)


def _with_code(intent: Intent, rest: Sequence[str], lexicon: Lexicon) -> Intent | None:
    code = rest[0].strip(_AROUND) if rest else ""
    if not code:
        return intent
    if _CODE.fullmatch(code) is None or lexicon.filled((code.casefold(),), 0, ("", "offer", "code")):
        return None
    certain = code.isupper() or any(c.isdecimal() for c in code)
    return Intent(intent.kind, intent.locale, intent.word, value=code.upper(), certain=certain)


def _stands_out(word: str) -> bool:
    """Written as a command: ``REPORT`` or ``report:``."""
    return word.isupper() or word.endswith((":", "："))
