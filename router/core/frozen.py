"""Values that are made by the thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frozen(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """A class of values, as ``dataclass(frozen=True, slots=True)``, which the type checker takes it for.

    When it runs, nothing refuses an assignment. Python sets each field of a frozen one by `object.__setattr__`: 3.2 µs
    for thirteen of them where this takes 1.2, and every message makes eight such values on its way.
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
