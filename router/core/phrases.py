"""What the program itself says to people, in their language: ``templates/messages/*.toml``, one file a subject.

    [seat_confirmed]
    en = "You have {seats} at {title} on {when}: {address}."
    es = "…"

English stands in for a language that is missing. The name of a phrase is ``subject.name`` (``events.seat_confirmed``).
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from functools import cache

from router.core.data import data_folder

LANGUAGES = ("en", "es", "fr", "de", "pt", "ar")
"""Every phrase is there in each of these."""

_APART = frozenset({"footer"})
"""Files of the folder that have another form."""


def say(phrase: str, locale: str, /, **values: object) -> str:
    """A phrase in the language of `locale`, its holes filled. Raises KeyError where there is none of that name."""
    by_language = phrases()[phrase]
    words = by_language.get(locale.partition("-")[0].lower()) or by_language["en"]
    return words.format_map({name: str(value) for name, value in values.items()})


@cache
def phrases() -> Mapping[str, Mapping[str, str]]:
    """All phrases: ``subject.name`` → language → words."""
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted((data_folder("templates") / "messages").glob("*.toml")):
        if path.stem in _APART:
            continue
        for name, by_language in tomllib.loads(path.read_text("utf-8")).items():
            found[f"{path.stem}.{name}"] = by_language
    return found


def holes(words: str) -> frozenset[str]:
    """The names of the holes in a phrase."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(words) if name)
