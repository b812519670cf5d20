"""Words of members in messages of ours: taken literally, whatever stands in them."""

from __future__ import annotations

from collections.abc import Mapping

from router.core.ask import AskButton, Text
from router.core.content_render import clean
from router.core.phrases import LANGUAGES, say

_TITLE = 60
"""Characters of an idea that its campaign's title shows."""


def literal(words: str) -> str:
    """A message text that shows exactly these words: no brace of theirs begins anything."""
    return words.replace("{", '{{ "{" }}').strip()


def title_of(number: int, words: str) -> str:
    """What organizers call the campaign of an idea."""
    shown = clean(words, 1_000)
    if len(shown) > _TITLE:
        shown = f"{shown[:_TITLE].rpartition(' ')[0] or shown[:_TITLE]} …"
    return f"Idea {number}: {shown}"


def texts_of(phrase: str, values: Mapping[str, object]) -> dict[str, dict[str, Text]]:
    """The ask of an idea: the words as they were written, in a frame in each member's own language."""
    return {
        language: {
            "default": Text(
                text=literal(say(phrase, language, **values)),
                buttons=(
                    AskButton(label=say("ideas.button_yes", language), reply="YES"),
                    AskButton(label=say("ideas.button_no", language), reply="NO"),
                ),
            )
        }
        for language in LANGUAGES
    }
