"""Members and rows as the book sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from router.records.ready import NONE, Claim

Place = tuple[str, str]
"""(channel, address hash)."""


class Outcome(StrEnum):
    """What became of a row."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    MERGED = "merged_in_file"
    """It met a member that an earlier row of the same file made or changed."""
    NO_ADDRESS = "no_address"
    AMBIGUOUS = "ambiguous"


@dataclass(slots=True)
class Known:
    """One address of one member, as the book sees it."""

    id: int
    value: str
    consent: str = NONE
    rank: int = 0
    account: str = ""
    fresh: bool = False
    changed: bool = False


@dataclass(slots=True, kw_only=True)
class Person:
    """One member, as the book sees them. Moments are milliseconds."""

    id: int
    first_name: str = ""
    last_name: str = ""
    name_key: str = ""
    locale: str = ""
    zone: str = ""
    zone_source: str = ""
    country: str = ""
    postcode: str = ""
    place: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    household_id: int | None = None
    external_id: str | None = None
    joined_at: int = 0
    created_at: int = 0
    updated_at: int = 0
    addresses: dict[Place, Known] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    evidence: dict[Place, list[Claim]] = field(default_factory=dict)
    fresh: bool = False
    changed: bool = False
    moved: bool = False
    """Whether only their household changed."""
    new_tags: list[str] = field(default_factory=list)
    new_evidence: list[tuple[Place, Claim]] = field(default_factory=list)


@dataclass(slots=True)
class Told:
    """What a row came to: the outcome, the member, and what was kept silent."""

    outcome: Outcome
    person: Person | None = None
    may_write: bool = False
    """Whether at least one address of the row may be written to."""
    silenced: int = 0
    """Addresses whose owner had said no, or that are suppressed: the row did not overturn that."""
    own_word: int = 0
    """US numbers that still need their owner's own word."""
