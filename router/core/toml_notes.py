"""A file of rules with what stands beside each one: the comments that say where a number is from.

A comment belongs to the key or the table that comes next, and what stands first of all to the whole file. Comments at
the end of a line are not read.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from router.core.errors import BadInput

_TABLE = re.compile(r"\[([^\[\]]+)\]\s*(?:#.*)?")
_KEY = re.compile(r"""((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=.*""")
_PART = re.compile(r"""([\w-]+)|"([^"]*)"|'([^']*)'""")


_LINK = re.compile(r"(https://[^\s;,()<>\"]*[^\s;,()<>\".])")


class Rule(NamedTuple):
    """One value, in words."""

    name: str
    value: str


class Block(NamedTuple):
    """Rules below one comment."""

    note: str
    rules: list[Rule]


class Section(NamedTuple):
    """One table of the file."""

    path: tuple[str, ...]
    """``("budget", "channels", "sms")``; empty for what stands before the first table."""
    note: str
    """What is said of the whole table."""
    blocks: list[Block]

    @property
    def title(self) -> str:
        """The path for people: ``budget › channels › sms``."""
        return " › ".join(name.replace("_", " ") for name in self.path)


def read_notes(text: str, *, file: str) -> list[Section]:
    """The tables of a file in its order, and first what is said of all. Raises `BadInput`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(error), place=file) from None
    sections = [Section((), "", [])]
    note: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            note.append(line.lstrip("#").strip())
        elif not line:
            note += [""] if note and note[-1] else []
        elif table := _TABLE.fullmatch(line):
            if len(sections) == 1 and not sections[0].blocks:
                sections, note = [Section((), _paragraphs(note), [])], []
            sections.append(Section(_parts(table[1]), _paragraphs(note), []))
            note = []
        elif key := _KEY.fullmatch(line):
            section, names = sections[-1], _parts(key[1])
            value = _find(data, (*section.path, *names))
            if value is None:
                continue
            if note or not section.blocks:
                section.blocks.append(Block(_paragraphs(note), []))
            section.blocks[-1].rules.append(Rule(".".join(names), in_words(value)))
            note = []
    return [section for section in sections if section.blocks or not section.path]


def sources(note: str) -> list[tuple[str, bool]]:
    """A note in pieces: (text, whether it is a link)."""
    return [(text, number % 2 == 1) for number, text in enumerate(_LINK.split(note)) if text]


def in_words(value: Any) -> str:
    """A value as people write it: ``rate 1, burst 3``."""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} {_nested(below)}" for name, below in value.items()) or "none"
        case list():
            return ", ".join(map(_nested, value)) or "none"
        case _:
            return str(value)


def _nested(value: Any) -> str:
    return f"({in_words(value)})" if isinstance(value, dict | list) else in_words(value)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(next(part for part in found if part) for found in _PART.findall(path) if any(found))


def _find(data: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a path; None where there is none: the line was inside of a longer value."""
    found: Any = data
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def _paragraphs(lines: list[str]) -> str:
    """Lines of comments as text: an empty one begins a paragraph."""
    return "\n\n".join(" ".join(part.split("\n")) for part in "\n".join(lines).strip().split("\n\n"))
