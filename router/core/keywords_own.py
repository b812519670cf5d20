"""What somebody wrote themselves: without the message they answer, their mail program's signature and reactions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.core.keywords_fold import is_unspaced, words
from router.core.keywords_phrases import Phrases, spell_out

_READ = 8_000
"""The own words of a longer text lie in its first so many characters."""

_LINES = 100
_RULE = re.compile(r"[-_=*—]{5,200}|--|—|–")
_STAMPED = re.compile(r"\[?\d{1,4}[./-]\d{1,2}[./-]\d{1,4},?\s\d{1,2}[:.]\d{2}")
"""How WhatsApp writes a message that is copied or exported: ``[12/01/2026, 18:05] Name: text``."""
_HEADER = re.compile(r"\*{0,2}([^\W\d_][^\W\d_ ]{0,11}) ?:")
_QUOTE_SIGNS = (">", "＞")
_OPENING_QUOTES = ("“", "«", "„", "「", '"', "”")
_INTRODUCTION = 200
"""The line that introduces a quoted mail is no longer than so many characters."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where somebody's own words end."""

    signatures: Phrases[bool]
    """How the line begins that a mail program adds ("Sent from my iPhone")."""
    signature_runs: tuple[str, ...]
    """What stands in such a line of a script without spaces."""
    introductions: frozenset[str]
    """A word of the line above a quoted mail ("wrote")."""
    headers: frozenset[str]
    """The names of a forwarded mail's first header ("From")."""
    reactions: Phrases[bool]
    """How a reaction begins that is sent as text (Liked “…”)."""

    @classmethod
    def of(cls, listed: Mapping[str, Sequence[str]]) -> Cuts:
        """`listed`: ``signature``, ``introduction``, ``header``, ``reaction`` → their words."""
        return cls(
            signatures=_phrases(listed.get("signature", ())),
            signature_runs=tuple(run for w in listed.get("signature", ()) if is_unspaced(run := words(w).joined)),
            introductions=frozenset(token for word in listed.get("introduction", ()) for token in words(word).tokens),
            headers=frozenset(token for word in listed.get("header", ()) for token in words(word).tokens),
            reactions=_phrases(listed.get("reaction", ())),
        )

    def own_words(self, text: str) -> str:
        """`text` without quoted lines, quoted mails, signatures and reactions."""
        text = text[:_READ].strip()
        if self._is_reaction(text):
            return ""
        if "\n" not in text and not text.startswith(_QUOTE_SIGNS) and not _STAMPED.match(text):
            return text
        kept: list[str] = []
        lines = text.splitlines()[:_LINES]
        for place, line in enumerate(lines):
            line = line.strip("\u200e\u200f\u202a\u202c \t")
            if line.startswith(_QUOTE_SIGNS) or _STAMPED.match(line):
                continue
            if self._is_header(line, lines[place + 1 : place + 2]):
                break
            if _RULE.fullmatch(line) or self._introduces(line, kept) or self._is_signature(line):
                if any(kept):
                    break
                continue
            kept.append(line)
        return "\n".join(kept).strip()

    def _is_reaction(self, text: str) -> bool:
        begin = min((place for quote in _OPENING_QUOTES if (place := text.find(quote)) > 0), default=0)
        if not 0 < begin <= 60:
            return False
        tokens = words(text[:begin]).tokens
        return any(end == len(tokens) for end, _ in self.reactions.all(tokens))

    def _is_signature(self, line: str) -> bool:
        if len(line) > _INTRODUCTION:
            return False
        said = words(line)
        if self.signatures.longest(said.tokens) is not None:
            return True
        return said.unspaced and any(run in said.joined for run in self.signature_runs)

    def _introduces(self, line: str, kept: list[str]) -> bool:
        """Whether a quoted mail follows; takes the first half of a broken introduction out of `kept`."""
        if len(line) > _INTRODUCTION or not (line.endswith((":", "：")) or line.startswith("--")):
            return False
        if self.introductions.isdisjoint(words(line).tokens):
            return False
        if kept and not any(c.isdigit() for c in line) and any(c.isdigit() for c in kept[-1]):
            kept.pop()
        return True

    def _is_header(self, line: str, following: list[str]) -> bool:
        found = _HEADER.match(line)
        if found is None or words(found[1]).joined not in self.headers:
            return False
        return bool(following and _HEADER.match(following[0].strip()))


def _phrases(listed: Sequence[str]) -> Phrases[bool]:
    phrases: Phrases[bool] = Phrases()
    for written in listed:
        for slots in spell_out(written):
            phrases.add(slots, True)
    return phrases
