"""Whom an ask is for: a small filter language, validated here, compiled to SQL in ``store/audience.py``.

    {"op": "and", "of": [{"op": "tag", "tag": "tenant"}, {"op": "not", "of": {"op": "acted", "campaign": 7}}]}

There is no way to put SQL into it, and it cannot nest deeper than `MAX_DEPTH` or grow past `MAX_NODES`.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from router.core.moments import Day

MAX_DEPTH = 8
MAX_NODES = 200

MAX_IDS = 10_000
"""Members named one by one in a whole filter: a statement carries about 32,000 parameters on either database."""


def _one_line(text: str) -> str:
    """Refuse blanks and control characters: no row has them, and PostgreSQL cannot even be asked for NUL."""
    if not text.strip() or any(unicodedata.category(c) == "Cc" for c in text):
        raise ValueError("must be words in one line")
    return text


ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""An id of the ledger."""


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Everyone(_Filter):
    """Every member who is not erased."""

    op: Literal["everyone"] = "everyone"


class And(_Filter):
    """Members that every part lets in."""

    op: Literal["and"]
    of: Annotated[list[Filter], Field(min_length=1, max_length=50)]


class Or(_Filter):
    """Members that at least one part lets in."""

    op: Literal["or"]
    of: Annotated[list[Filter], Field(min_length=1, max_length=50)]


class Not(_Filter):
    """Members that the part leaves out."""

    op: Literal["not"]
    of: Filter


class Tagged(_Filter):
    """Members with this tag (case does not matter)."""

    op: Literal["tag"]
    tag: ShortText


class HasAttribute(_Filter):
    """Members whose free attribute has this value; any value where `equals` is left out."""

    op: Literal["attribute"]
    name: ShortText
    equals: ShortText | None = None


class Speaks(_Filter):
    """Members whose locale is this language or begins with it (``es`` covers ``es-MX``)."""

    op: Literal["locale"]
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Joined(_Filter):
    """Members who joined on or after `since` and before `before` (dates in UTC)."""

    op: Literal["joined"]
    since: Day | None = None
    before: Day | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Joined:
        if self.since is None and self.before is None:
            raise ValueError("give since, before or both")
        if self.since and self.before and self.since >= self.before:
            raise ValueError("since must lie before before")
        return self


class InPlace(_Filter):
    """Members in a country, town, or postcode that begins so; all that are given must fit."""

    op: Literal["place"]
    country: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$")] = None
    place: ShortText | None = None
    postcode: ShortText | None = None

    @model_validator(mode="after")
    def _some_part(self) -> InPlace:
        if not (self.country or self.place or self.postcode):
            raise ValueError("give country, place or postcode")
        return self


class HasChannel(_Filter):
    """Members with a living, consented address on this channel."""

    op: Literal["has_channel"]
    channel: ShortText


class InGroup(_Filter):
    """Members of whom we know that they are in the chat of this group, by its number."""

    op: Literal["in_group"]
    group: Number


class Acted(_Filter):
    """Members with an action on this campaign, of this kind where `kind` is given, else of any but ``click``."""

    op: Literal["acted"]
    campaign: Number
    kind: ShortText | None = None


class Received(_Filter):
    """Members to whom this campaign's message went out, with one of these text versions where given."""

    op: Literal["received"]
    campaign: Number
    versions: Annotated[list[Annotated[int, Field(ge=0, le=2**31 - 1)]] | None, Field(min_length=1, max_length=100)] = (
        None
    )
    variant: Annotated[int, Field(ge=0, le=1)] | None = None
    """Only who read the first (0) or the second (1) of two texts."""


class Members(_Filter):
    """These members, by number: at most 1,000; use tags for more."""

    op: Literal["members"]
    ids: Annotated[list[Number], Field(min_length=1, max_length=1000)]


Filter = Annotated[
    Everyone
    | And
    | Or
    | Not
    | Tagged
    | HasAttribute
    | Speaks
    | Joined
    | InPlace
    | HasChannel
    | InGroup
    | Acted
    | Received
    | Members,
    Field(discriminator="op"),
]

And.model_rebuild()
Or.model_rebuild()
Not.model_rebuild()


def check_size(audience: Filter) -> None:
    """Raise ValueError where a filter nests too deep or has too many parts to be meant."""
    nodes = named = 0
    layer: list[Filter] = [audience]
    depth = 0
    while layer:
        depth += 1
        nodes += len(layer)
        if depth > MAX_DEPTH:
            raise ValueError(f"an audience may nest at most {MAX_DEPTH} deep")
        if nodes > MAX_NODES:
            raise ValueError(f"an audience may have at most {MAX_NODES} parts")
        below: list[Filter] = []
        for part in layer:
            if isinstance(part, And | Or):
                below += part.of
            elif isinstance(part, Not):
                below.append(part.of)
            elif isinstance(part, Members):
                named += len(part.ids)
        if named > MAX_IDS:
            raise ValueError(f"an audience may name at most {MAX_IDS:,} members one by one; use a tag")
        layer = below
