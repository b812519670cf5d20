"""What a message in the inbox was probably meant as, and a ready answer to it in the member's language.

Nothing acts on a suggestion by itself. The answers are phrases of ``templates/messages/inbox.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from router.core.keywords_intent import CHANNEL, NONE, NUMBER, STOP, Intent
from router.core.phrases import phrases, say

EMPTY = "empty"
"""A message without words: a picture, or nothing at all."""

_MEANT: Mapping[str, str] = {
    EMPTY: "They sent no words: a picture, or nothing at all.",
    STOP: "They may want no more messages.",
    "yes": "They probably say yes.",
    "no": "They probably say no.",
    NUMBER: "They probably give a number: {value}.",
    "postcode": "They probably give their postcode: {value}.",
    "amount": "They probably give an amount: {value}.",
    CHANNEL: "They probably want to be written to by {value}.",
    "less": "They probably want to hear from us less often.",
    "more": "They probably want to hear from us more often.",
    "pause": "They probably want a break from our messages.",
    "host": "They probably want to host.",
    "call": "They probably want to make a call.",
    "give": "They probably want to give money.",
    "done": "They probably did what they were asked to.",
    "help": "They probably need help.",
}

_ANYTHING = "They probably mean {value}."
_UNKNOWN = "No rule understands it."


class Suggestion(BaseModel):
    """What somebody probably meant, and what might be answered."""

    model_config = ConfigDict(frozen=True)

    kind: str
    """``stop``, ``yes``, ``postcode`` …; ``empty`` for a message without words, "" where nobody knows."""
    value: str
    """What was given along: a postcode, a number."""
    meaning: str
    """A sentence for the organizer."""
    answer: str
    """A ready answer, in the member's language."""


def suggested(intent: Intent, text: str) -> tuple[str, str]:
    """What is kept of an intent on which no rule acted: the kind and the value, "" where there is none."""
    if not text.strip():
        return EMPTY, ""
    kind = intent.suggestion or (intent.kind if intent.kind != NONE else "")
    value = intent.value or ("" if intent.guests is None else str(intent.guests))
    return kind[:20], value[:200] if kind else ""


def suggest(kind: str, value: str, *, locale: str, organization: str, title: str) -> Suggestion:
    """The suggestion for what is kept of a message; `title` is that of the ask it is about, "" where unknown."""
    told = value or kind.upper()
    meaning = _MEANT.get(kind, _ANYTHING if kind else _UNKNOWN).format(value=told)
    phrase = f"inbox.{kind or 'unknown'}"
    if phrase not in phrases():
        phrase = "inbox.anything"
    answer = say(phrase, locale, organization=organization, title=title or organization, value=told)
    return Suggestion(kind=kind, value=value, meaning=meaning, answer=answer)
