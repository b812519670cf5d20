"""What takes a phrase inside a message back: "please don't …", "… before nine"."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.core.keywords_file import Guard
from router.core.keywords_fold import Sentence, is_unspaced, words
from router.core.keywords_phrases import Phrases, spell_out

_NEAR = 20
"""Words after a phrase in which an exception to it is looked for."""


@dataclass(slots=True)
class Guards:
    """What takes back a phrase of one language (`keywords_file.Guard`)."""

    before: set[str] = field(default_factory=set)
    skip: set[str] = field(default_factory=set)
    after: Phrases[bool] = field(default_factory=Phrases)
    elsewhere: Phrases[bool] = field(default_factory=Phrases)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    """The word before a phrase and its own first word ("you don't text me" is no wish)."""
    onward: set[tuple[str, str]] = field(default_factory=set)
    run_before: list[str] = field(default_factory=list)
    run_after: list[str] = field(default_factory=list)

    def take(self, guard: Guard) -> None:
        """Add one row."""
        for written_after, phrases in ((guard.after, self.after), (guard.elsewhere, self.elsewhere)):
            for slots in (slots for written in written_after for slots in spell_out(written)):
                phrases.add(slots, True)
        folded = [words(written).joined for written in guard.before]
        self.before.update(folded)
        for listed, pairs in ((guard.before, self.pairs), (guard.onward, self.onward)):
            said = [words(written).tokens for written in listed]
            pairs.update((tokens[0], tokens[1]) for tokens in said if len(tokens) == 2)
        self.skip.update(words(written).joined for written in guard.skip)
        self.run_before += [word for word in folded if is_unspaced(word)]
        self.run_after += [word for written in guard.after if is_unspaced(word := words(written).joined)]

    def takes_back(self, sentence: Sentence, start: int, end: int) -> bool:
        """Whether the phrase from `start` to `end` is not meant ("please don't …")."""
        tokens = sentence.tokens
        first = sentence.clause_of(start)
        place = start - 1
        while place >= first and tokens[place] in self.skip and tokens[place] not in self.before:
            place -= 1
        if place >= first and tokens[place] in self.before:
            return True
        if start > first and (tokens[start - 1], tokens[start]) in self.pairs:
            return True
        if end < len(tokens) and end not in sentence.clauses and self.after.longest(tokens, end):
            return True
        if end < len(tokens) and (tokens[end - 1], tokens[end]) in self.onward:
            return True
        return any(self.elsewhere.longest(tokens, place) for place in range(end, min(end + _NEAR, len(tokens))))

    def takes_back_run(self, joined: str, start: int, end: int) -> bool:
        """The same for a phrase of a script without spaces."""
        return joined.startswith(tuple(self.run_after), end) or joined[:start].endswith(tuple(self.run_before))
