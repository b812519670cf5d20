"""Phrases by their words: what is the longest one that begins here?

A phrase may leave a choice: ``stop (texting|calling) me (again|)``. Choices of one word are sets on an edge of the
tree, so that a rule with many choices stays small.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from sys import intern
from typing import Generic, TypeVar

from router.core.keywords_fold import words

_CHOICE = re.compile(r"\(([^()]{0,2000})\)")

Slot = frozenset[str]
"""The folded words that may stand in one place."""


Meaning = TypeVar("Meaning")


class Phrases(Generic[Meaning]):
    """A tree of phrases, each with its meaning."""

    __slots__ = ("_begins", "_root")

    def __init__(self) -> None:
        self._root: _Node[Meaning] = _Node()
        self._begins: dict[str, list[_Node[Meaning]]] = {}
        """First word → where it leads. Many phrases begin with a choice, which would be searched for every word."""

    def add(
        self, slots: Sequence[Slot], meaning: Meaning, join: Callable[[Meaning, Meaning], Meaning] | None = None
    ) -> None:
        """Put a phrase in. What stands there already stays, or becomes what `join` makes of it and `meaning`."""
        node = self._root
        for depth, slot in enumerate(slots):
            node = node.towards(slot)
            if depth == 0:
                self._note_begin(slot, node)
        if node.meaning is None:
            node.meaning = meaning
        elif join is not None:
            node.meaning = join(node.meaning, meaning)

    def longest(self, tokens: Sequence[str], start: int = 0) -> tuple[int, Meaning] | None:
        """Where the longest phrase that begins at `start` ends, and what it means."""
        longest = None
        for found in self.all(tokens, start):
            longest = found
        return longest

    def all(self, tokens: Sequence[str], start: int = 0) -> Iterator[tuple[int, Meaning]]:
        """Every phrase that begins at `start`, the shorter first."""
        if start >= len(tokens):
            return
        nodes = self._begins.get(tokens[start], [])
        place = start + 1
        while nodes:
            for node in nodes:
                if node.meaning is not None:
                    yield place, node.meaning
            if place >= len(tokens):
                return
            nodes = [further for node in nodes for further in node.after(tokens[place])]
            place += 1

    def _note_begin(self, slot: Slot, node: _Node[Meaning]) -> None:
        for token in slot:
            known = self._begins.setdefault(token, [])
            if node not in known:
                known.append(node)


class _Node(Generic[Meaning]):
    __slots__ = ("choices", "literal", "meaning")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[Meaning]] | None = None
        self.choices: dict[Slot, _Node[Meaning]] | None = None
        """Both None where nothing follows, as for most nodes: a table for each would be most of the tree."""
        self.meaning: Meaning | None = None

    def towards(self, slot: Slot) -> _Node[Meaning]:
        if len(slot) == 1:
            (token,) = slot
            if self.literal is None:
                self.literal = {}
            node = self.literal.get(token)
            if node is None:
                node = self.literal[intern(token)] = _Node()
            return node
        if self.choices is None:
            self.choices = {}
        node = self.choices.get(slot)
        if node is None:
            node = self.choices[slot] = _Node()
        return node

    def after(self, token: str) -> Iterator[_Node[Meaning]]:
        if self.literal is not None and token in self.literal:
            yield self.literal[token]
        if self.choices is not None:
            for slot, node in self.choices.items():
                if token in slot:
                    yield node


def spell_out(written: str) -> Iterator[tuple[Slot, ...]]:
    """The phrases that `written` stands for, as slots. Choices that are empty or of several words are taken apart."""
    if "(" not in written:
        yield tuple(frozenset({token}) for token in words(written).tokens)
        return
    ways: list[list[tuple[Slot, ...]]] = []
    for place, part in enumerate(_CHOICE.split(written)):
        if place % 2:
            ways.append(_choices(part))
        elif tokens := words(part).tokens:
            ways.append([tuple(frozenset({token}) for token in tokens)])
    for way in product(*ways):
        yield tuple(slot for slots in way for slot in slots)


def is_choice(written: str) -> bool:
    """Whether a phrase leaves a choice."""
    return _CHOICE.search(written) is not None


def _choices(part: str) -> list[tuple[Slot, ...]]:
    options = [words(option).tokens for option in part.split("|")]
    single = frozenset(option[0] for option in options if len(option) == 1)
    apart = [tuple(frozenset({token}) for token in option) for option in options if len(option) != 1]
    return [*([(single,)] if single else []), *dict.fromkeys(apart)]
