"""The ladder of engagement: what people can do, what counts as having done it, and what to ask of them next."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.core.data import data_folder
from router.core.errors import BadInput


class Rung(StrEnum):
    """What an ask asks for."""

    SIGN = "sign"
    SHARE = "share"
    GIVE = "give"
    CALL = "call"
    ATTEND = "attend"
    HOST = "host"
    VOLUNTEER = "volunteer"
    CUSTOM = "custom"

    @property
    def done(self) -> str:
        """The kind of action that says that somebody did it."""
        return _DONE[self]

    @property
    def words(self) -> Sequence[str]:
        """The words that answer it, beside YES and NO in all their languages."""
        return _WORDS[self]


_DONE: Mapping[Rung, str] = {
    Rung.SIGN: "signed",
    Rung.SHARE: "shared",
    Rung.GIVE: "gave",
    Rung.CALL: "called",
    Rung.ATTEND: "came",
    Rung.HOST: "hosted",
    Rung.VOLUNTEER: "volunteered",
    Rung.CUSTOM: "yes",
}

_WORDS: Mapping[Rung, Sequence[str]] = {
    Rung.SIGN: ("SIGN",),
    Rung.SHARE: ("SHARE", "DONE"),
    Rung.GIVE: ("GIVE", "TOTAL"),
    Rung.CALL: ("CALL", "DONE", "BUSY", "NO ANSWER"),
    Rung.ATTEND: ("RSVP", "HOST", "EVENTS"),
    Rung.HOST: ("HOST",),
    Rung.VOLUNTEER: ("VOLUNTEER",),
    Rung.CUSTOM: (),
}

_CLIMBED: Mapping[str, Rung] = {
    **{kind: rung for rung, kind in _DONE.items() if rung is not Rung.CUSTOM},
    "give": Rung.GIVE,
    "call": Rung.CALL,
    "host": Rung.HOST,
    "share": Rung.SHARE,
}
"""Kind of action → the rung that whoever did it stands on. A pledge, a call that was taken on, an offer to host,
a link that was asked for count as well: nobody is asked for what they are at."""


@dataclass(frozen=True, slots=True)
class Done:
    """Something that somebody did, the last time that they did it."""

    kind: str
    """As actions name it: ``signed``, ``gave``, ``came`` …"""
    at: datetime
    rating: int = 0
    """1 to 5, what they thought of it; 0 where they did not say."""


class Step(BaseModel):
    """What follows a deed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]{0,39})?$")]
    """The kind of action; "" for whoever has done nothing."""
    rated: Annotated[int, Field(ge=0, le=5, strict=True)] = 0
    """Only where they rated it so or better."""
    next: Annotated[tuple[Rung, ...], Field(min_length=1)]
    """The rungs to ask for, the best first."""


class Ladder(BaseModel):
    """``config/ladder.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rest_days: Annotated[int, Field(ge=1, le=3650, strict=True)]
    memory_days: Annotated[int, Field(ge=1, le=3650, strict=True)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """The largest deed first; the first step that fits somebody decides, a later one where it has nothing left."""

    @classmethod
    def from_toml(cls, data: Mapping[str, Any], *, file: str = "ladder.toml") -> Self:
        """Check a file's content; raises `BadInput` with file, key and sentence."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise BadInput(first["msg"], place=f"{file}: {place}") from None

    @property
    def memory(self) -> timedelta:
        """How long a deed counts."""
        return timedelta(days=self.memory_days)


@cache
def default_ladder() -> Ladder:
    """The packaged ``config/ladder.toml``, read once."""
    path = data_folder("config") / "ladder.toml"
    return Ladder.from_toml(tomllib.loads(path.read_text("utf-8")))


def next_rung(
    done: Collection[Done],
    *,
    now: datetime,
    asked: Mapping[Rung, datetime] | None = None,
    ladder: Ladder | None = None,
) -> Rung | None:
    """What to ask of somebody next, given what they did and when they were last `asked` for each rung.

    None where everything that would fit was done or asked for within `Ladder.rest_days`: then they are left in peace.
    """
    ladder = ladder or default_ladder()
    since = now - timedelta(days=ladder.rest_days)
    rests = {rung for rung, at in (asked or {}).items() if at > since}
    rests |= {_CLIMBED[one.kind] for one in done if one.kind in _CLIMBED and one.at > since}
    known = [one for one in done if one.at > now - ladder.memory]
    for step in ladder.steps:
        if step.after and not any(one.kind == step.after and one.rating >= step.rated for one in known):
            continue
        free = next((rung for rung in step.next if rung not in rests), None)
        if free is not None:
            return free
    return None
