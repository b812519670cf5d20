"""What proposing, seconding and reporting take and give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Who(NamedTuple):
    """The member who proposes, seconds or reports."""

    member_id: int
    address_hash: str
    """The keyed hash of the address that it came from: one phone counts once."""
    channel: str = ""
    """Where they are told what came of it; "" for a page."""
    address_id: int | None = None
    group_id: int = 0
    """The group in which they said it; 0 for none."""
    locale: str = ""


class Said(NamedTuple):
    """What to answer."""

    phrase: str
    """Its name for `core.phrases.say`; "" where silence is right."""
    values: Mapping[str, object] = {}
    """What fills it, but for ``{organization}``."""
    number: int = 0
    """The proposal that it is about, 0 for none."""
