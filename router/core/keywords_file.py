"""The form of ``config/keywords.toml``: rows of words with what they mean and who says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from router.core.errors import BadInput

_Locale = Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")]
_Words = Annotated[list[Annotated[str, Field(min_length=1, max_length=400)]], Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Row(_Model):
    """Words that mean something. A word may leave choices: ``stop (texting|calling) me (again|)``."""

    intent: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,19}$")]
    locale: _Locale = ""
    words: _Words
    where: Literal["message", "sentence", "anywhere"] = "message"
    """Whether the words must be the whole message, may be its first or last sentence, or may stand inside others."""
    bound: bool = False
    """Ordinary words of other languages, too: they hold only for members of this one."""
    slips: bool = False
    """One wrong letter does not matter; only for long words that are near no other."""
    value: str = ""
    """What `Intent.value` says where the words themselves say it (``email``)."""
    takes: Literal["", "code", "text", "days"] = ""
    """What may follow the words."""


class PublishedRow(Row):
    """A row whose words somebody else published; `source` is where."""

    source: Annotated[str, Field(min_length=1)]


class OwnRow(Row):
    """A row of ours, with the reason that its words are there."""

    reason: Annotated[str, Field(min_length=1)]


class _Sourced(_Model):
    locale: _Locale = ""
    source: str = ""
    reason: str = ""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if bool(self.source) == bool(self.reason):
            raise ValueError("a row has a source, or a reason where nobody published it")
        return self


class Filler(_Sourced):
    """Words that change nothing about the words they stand beside."""

    words: _Words
    beside: Literal["", "yes", "no", "number", "others", "place", "offer", "code", "pause", "until"] = ""
    """"" beside anything; else only beside a yes, a no, a number of people, a number of others than themselves, a
    postcode or an amount, or a keyword of the ask. "code" are words that follow JOIN or SECOND and are no code, "pause"
    and "until" those that stand between PAUSE and how long or a month."""


class Guard(_Sourced):
    """Words that take a phrase inside a message back: "don't" before it, "before noon" after it."""

    before: list[str] = []
    skip: list[str] = []
    """Words between `before` and the phrase that do not matter."""
    after: list[str] = []
    onward: list[str] = []
    """The last word of a phrase and the next one, which make it mean something else ("opt out of the contract")."""
    elsewhere: list[str] = []
    """An exception further on in the sentence ("but keep …")."""


class Series(_Sourced):
    """The words for one, two, three … or January, February …, in order."""

    of: Literal["number", "month"]
    words: _Words


class Unit(_Sourced):
    """Words for a unit of time."""

    days: Annotated[int, Field(ge=1, le=366)]
    words: _Words


class Cut(_Sourced):
    """Where somebody's own words end."""

    words: _Words
    at: Literal["signature", "introduction", "header", "reaction"]


class File(_Model):
    """All of the file."""

    published: Annotated[list[PublishedRow], Field(min_length=1)]
    ours: list[OwnRow] = []
    filler: list[Filler] = []
    guard: list[Guard] = []
    series: list[Series] = []
    unit: list[Unit] = []
    cut: list[Cut] = []


def read_file(data: Mapping[str, Any], name: str) -> File:
    """Check a keyword file's content; raises `BadInput` with file, key and sentence."""
    try:
        return File.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(first["msg"], place=f"{name}: {'.'.join(str(part) for part in first['loc'])}") from None
