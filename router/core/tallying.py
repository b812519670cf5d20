"""The tally under a post in a group: how many gave which answer, never who."""

from __future__ import annotations

from collections.abc import Mapping

from router.core.phrases import say

PLAIN = ("yes", "no")
"""Kinds of answers that every language has a word for, in this order."""

UNNAMED = frozenset({"number", "postcode", "amount"})
"""Kinds of answers that say something of the person: only how many there are is shown."""

MOST_NAMED = 8
"""So many of an ask's own keywords are named, those with the most answers first; an ask has no more buttons."""


def tally_line(counts: Mapping[str, int], locale: str) -> str:
    """``In this group so far: 12 yes, 3 no, 2 HOST.`` in the language of `locale`; "" where nobody answered."""
    given = {kind: count for kind, count in counts.items() if count > 0}
    own = sorted(given.keys() - UNNAMED - set(PLAIN), key=lambda kind: (-given[kind], kind))
    parts = [say(f"groups.{kind}", locale, count=given[kind]) for kind in PLAIN if kind in given]
    parts += [f"{given[kind]} {kind.replace('_', ' ').upper()}" for kind in own[:MOST_NAMED]]
    if rest := sum(given[kind] for kind in (*own[MOST_NAMED:], *(UNNAMED & given.keys()))):
        parts.append(say("groups.others", locale, count=rest))
    return say("groups.tally", locale, counts=say("groups.comma", locale).join(parts)) if parts else ""


def with_lines(text: str, *lines: str, most: int) -> str:
    """A post's text with these lines under it; the text alone where both are longer than `most` characters."""
    whole = "\n\n".join(filter(None, (text, *lines)))
    return whole if len(whole) <= most else text
