"""What the columns of a file mean: header synonyms, profiles of other tools, and words in cells (``import.toml``)."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from router.core.data import data_folder
from router.core.errors import BadInput
from router.records.record import MAX_ATTRIBUTES, OWN_CHANNELS

IGNORE = "ignore"
ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to recognise another tool's export, and what its columns mean."""

    name: str
    all: frozenset[str]
    any: frozenset[str]
    columns: Mapping[str, str]
    defaults: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRules:
    """``import.toml``, ready for use; all keys are folded by `fold`."""

    fields: Mapping[str, tuple[str, ...]]
    """field → headers, the best first."""
    words: Mapping[str, str]
    """word → ``yes``, ``no`` or ``unsaid``."""
    countries: Mapping[str, str]
    languages: Mapping[str, str]
    suppress: Mapping[str, tuple[str, ...]]
    """``phone`` and ``email`` → the channels that a suppressed one silences."""
    profiles: tuple[Profile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which cells of a row make which field."""

    fields: Mapping[str, tuple[int, ...]]
    """field → places of its columns, the best first."""
    attributes: tuple[tuple[int, str], ...]
    """(place, name) of the columns that become free attributes."""
    headers: tuple[str, ...]
    profile: str
    defaults: Mapping[str, str]
    notes: tuple[str, ...]
    """Sentences about columns for the report."""

    def header(self, field: str) -> str:
        """How the file itself calls a field."""
        places = self.fields.get(field)
        return self.headers[places[0]] if places else field

    def meanings(self) -> dict[str, str]:
        """header → what it is taken for."""
        found = {self.headers[place]: field for field, places in self.fields.items() for place in places}
        return found | {self.headers[place]: f"attribute {name}" for place, name in self.attributes}


@lru_cache(maxsize=10_000)
def fold(text: str) -> str:
    """A header or word without case, accents, spaces and punctuation: ``E-Mail`` is ``email``."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in folded if c.isalnum())


@lru_cache(maxsize=1)
def packaged_rules() -> ColumnRules:
    """The rules that travel with the program."""
    return column_rules(tomllib.loads((Path(data_folder("config")) / "import.toml").read_text("utf-8")))


def column_rules(document: Mapping[str, Any]) -> ColumnRules:
    """Read ``import.toml``; raises `BadInput` naming the place."""
    try:
        return _rules(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"a table or list is missing or has the wrong shape ({error})", place="import.toml") from None


def _rules(document: Mapping[str, Any]) -> ColumnRules:
    fields = {name: tuple(dict.fromkeys(map(fold, headers))) for name, headers in document["fields"].items()}
    owner: dict[str, str] = {}
    for name, headers in fields.items():
        for header in headers:
            if owner.setdefault(header, name) != name:
                raise BadInput(f"{header} stands for both {owner[header]} and {name}", place="import.toml [fields]")
    return ColumnRules(
        fields=fields,
        words={_word(word): said for said, words in document["words"].items() for word in words},
        countries={fold(name): code for code, names in document["countries"].items() for name in names},
        languages={fold(name): code for code, names in document["languages"].items() for name in names},
        suppress={kind: tuple(channels) for kind, channels in document["suppress"].items()},
        profiles=tuple(
            Profile(
                name=name,
                all=frozenset(map(fold, profile["all"])),
                any=frozenset(map(fold, profile["any"])),
                columns={fold(header): field for header, field in profile["columns"].items()},
                defaults=profile.get("defaults", {}),
            )
            for name, profile in document["profiles"].items()
        ),
    )


def _word(text: str) -> str:
    """Words keep their signs (``?``, ``✓``) where they have no letters."""
    return fold(text) or text.strip()


def said(rules: ColumnRules, text: str) -> str | None:
    """``yes``, ``no`` or ``unsaid``; None for a word that nobody told us of."""
    return rules.words.get(_word(text))


def plan_columns(
    rules: ColumnRules, header: Sequence[str], *, profile: str = "", mapping: Mapping[str, str] | None = None
) -> Plan:
    """Decide what each column means. Raises `BadInput` without a header row or anything to reach people by."""
    folded = [fold(name) for name in header]
    chosen = _profile(rules, set(folded), profile)
    known = {*rules.fields, IGNORE, ATTRIBUTE}
    own = _mapping(mapping or {}, folded, known)
    fields: dict[str, list[tuple[int, int]]] = {}
    attributes: list[tuple[int, str]] = []
    ranks = {name: (field, rank) for field, names in rules.fields.items() for rank, name in enumerate(names)}
    for place, name in enumerate(folded):
        by_profile = chosen.columns.get(name) if chosen else None
        field, rank = ranks.get(name, (ATTRIBUTE, 0))
        if name in own:
            field, rank = own[name], -2
        elif by_profile is not None:
            field, rank = by_profile, -1
        if field == ATTRIBUTE:
            attributes.append((place, (header[place].strip() or f"column {place + 1}")[:200]))
        elif field != IGNORE:
            fields.setdefault(field, []).append((rank, place))
    plan_fields = {field: tuple(place for _, place in sorted(places)) for field, places in fields.items()}
    if not plan_fields.keys() & {"phone", "email", "external_id", "whatsapp", *OWN_CHANNELS}:
        raise _no_address(header)
    return Plan(
        fields=plan_fields,
        attributes=tuple(attributes[:MAX_ATTRIBUTES]),
        headers=tuple(name.strip() or f"column {place + 1}" for place, name in enumerate(header)),
        profile=chosen.name if chosen else "",
        defaults=chosen.defaults if chosen else {},
        notes=_notes(attributes),
    )


def _notes(attributes: list[tuple[int, str]]) -> tuple[str, ...]:
    left = [name for _, name in attributes[MAX_ATTRIBUTES:]]
    if not left:
        return ()
    names = ", ".join(left[:10]) + (" …" if len(left) > 10 else "")
    return (
        f"A member has at most {MAX_ATTRIBUTES} free attributes; {len(left)} further columns were left out: {names}."
        " Map the ones you do not need to ignore.",
    )


def _profile(rules: ColumnRules, headers: set[str], wanted: str) -> Profile | None:
    if wanted == "none":
        return None
    if wanted:
        for profile in rules.profiles:
            if profile.name == wanted:
                return profile
        names = ", ".join(profile.name for profile in rules.profiles)
        raise BadInput(f"there is no profile {wanted[:40]!r}; there are {names} and none", place="profile")
    return next((p for p in rules.profiles if p.all <= headers and p.any & headers), None)


def _mapping(mapping: Mapping[str, str], headers: Sequence[str], known: set[str]) -> dict[str, str]:
    own = {}
    for name, field in mapping.items():
        if field not in known:
            raise BadInput(f"there is no field {field[:40]!r}; there are {', '.join(sorted(known))}", place="mapping")
        if fold(name) not in headers:
            raise BadInput(f"the file has no column {name[:80]!r}", place="mapping")
        own[fold(name)] = field
    return own


def _no_address(header: Sequence[str]) -> BadInput:
    if any("@" in cell or re.fullmatch(r"[+(]?\d[\d ()./-]{6,}", cell.strip()) for cell in header):
        return BadInput(
            "the file has no header row; its first row must name the columns, such as name, phone, email",
            place="line 1",
        )
    names = ", ".join(name[:40] for name in header[:12])
    return BadInput(
        f"no column holds a phone number or mailbox; the columns are {names}. Name one of them phone or email,"
        " or map it",
        place="line 1",
    )
