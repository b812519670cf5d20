"""Which groups an ask names: all of them, those with a tag, or one by its number (``group:42``)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

ALL_GROUPS = "all"
"""Every group there is."""

ONE_GROUP = "group:"
"""What comes before the number of a single group."""

_ONE = re.compile(rf"{ONE_GROUP}([0-9]{{1,18}})", re.ASCII)


class GroupNames(NamedTuple):
    """What an ask's `groups` name."""

    all: bool
    numbers: tuple[int, ...]
    tags: tuple[str, ...]
    """In lower case, as tags are kept."""


def read_group_names(names: Iterable[str]) -> GroupNames:
    """Read an ask's `groups`. Capitals and spaces around a name make no difference."""
    words = [name.strip().lower() for name in names]
    ones = [_ONE.fullmatch(word) for word in words]
    return GroupNames(
        all=ALL_GROUPS in words,
        numbers=tuple(int(one[1]) for one in ones if one),
        tags=tuple(word for word, one in zip(words, ones, strict=True) if not one and word != ALL_GROUPS),
    )
