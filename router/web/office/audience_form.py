"""An audience as rows of conditions, and back; what no rows can say stays JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from router.core.audience import And, Everyone, Filter, Members, Not, Or, Received, check_size
from router.core.errors import BadInput
from router.web.office.form_values import as_sentence, read_whole

MOST_ROWS = 40
JSON = "json"
"""The box in which an audience stands as the API takes it."""


class Box(NamedTuple):
    """One box of a condition's row."""

    name: str
    """As the filter names it."""
    label: str
    kind: str = "text"
    """Of the box in the browser; ``number`` for numbers, ``date`` for days."""
    several: bool = False
    """Whether it takes several numbers, with spaces between."""


CONDITIONS: Final[Mapping[str, tuple[str, tuple[Box, ...]]]] = {
    "tag": ("have a tag", (Box("tag", "Tag"),)),
    "place": (
        "live somewhere",
        (Box("place", "Town"), Box("postcode", "Postcode begins with"), Box("country", "Country (two letters)")),
    ),
    "locale": ("speak a language", (Box("locale", "Language, as in es or pt-BR"),)),
    "joined": ("joined at some time", (Box("since", "On or after", "date"), Box("before", "Before", "date"))),
    "acted": (
        "acted on an ask",
        (Box("campaign", "Number of the ask", "number"), Box("kind", "What they did (yes, signed, gave; empty: any)")),
    ),
    "received": ("were sent an ask", (Box("campaign", "Number of the ask", "number"),)),
    "has_channel": ("can be reached on a channel", (Box("channel", "Channel"),)),
    "in_group": ("are in a group's chat", (Box("group", "Number of the group", "number"),)),
    "attribute": (
        "have something else noted",
        (Box("name", "What is noted"), Box("equals", "Its value (empty: any)")),
    ),
    "members": ("are these members", (Box("ids", "Their numbers, with spaces between", several=True),)),
}
"""What a row can say: op → its words after "who", and its boxes."""


class Row(NamedTuple):
    """One condition as it stands in the form."""

    op: str
    is_not: bool
    values: dict[str, str]


class AudienceFields(NamedTuple):
    """What stands in the form."""

    rows: list[Row]
    any: bool
    """One condition is enough; otherwise all must hold."""
    json: str
    use_json: bool
    """Whether the JSON counts, and not the rows."""


_SAID: Final[Mapping[str, str]] = {
    "missing": "write something here",
    "too_short": "write something here",
    "string_pattern_mismatch": "this cannot be written so; see what stands above it",
}
_ROW = re.compile(r"row\.([0-9]{1,3})\.(op|not|[a-z]{2,10})")
_filter: TypeAdapter[Filter] = TypeAdapter(Filter)


class WrongAudience(Exception):
    """An audience that cannot be read: box (``row.0.tag``, `JSON`) → what to do."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(wrong))
        self.wrong = dict(wrong)


def fields_of(audience: Filter) -> AudienceFields:
    """An audience as it stands in its form."""
    rows = _rows(audience)
    document = _filter.dump_json(audience, indent=2, exclude_none=True).decode()
    return AudienceFields(rows or [], isinstance(audience, Or), document, rows is None)


def fields_in(form: Mapping[str, list[str]]) -> AudienceFields:
    """The boxes of a form that came in, its rows in their order."""
    rows: dict[int, dict[str, str]] = {}
    for name, given in form.items():
        if found := _ROW.fullmatch(name):
            rows.setdefault(int(found[1]), {})[found[2]] = given[0].replace("\0", "").strip()
    kept = [
        Row(row["op"], bool(row.get("not")), {box.name: row.get(box.name, "") for box in CONDITIONS[row["op"]][1]})
        for _, row in sorted(rows.items())
        if row.get("op") in CONDITIONS
    ]
    first = {name: given[0] for name, given in form.items() if given}
    return AudienceFields(
        kept[:MOST_ROWS], first.get("match") == "any", first.get(JSON, "").replace("\0", ""),
        bool(first.get("use_json")),
    )  # fmt: skip


def audience_of(fields: AudienceFields) -> Filter:
    """The audience that a form's fields make; everybody without a row. Raises `WrongAudience`."""
    if fields.use_json:
        return _read(JSON, lambda: _filter.validate_json(fields.json))
    wrong: dict[str, str] = {}
    parts: list[Filter] = []
    for place, row in enumerate(fields.rows):
        try:
            parts.append(_part(f"row.{place}", row))
        except WrongAudience as error:
            wrong |= error.wrong
    if wrong:
        raise WrongAudience(wrong)
    if len(parts) < 2:
        return parts[0] if parts else Everyone()
    both: Filter = Or(op="or", of=parts) if fields.any else And(op="and", of=parts)
    return both


def _part(place: str, row: Row) -> Filter:
    document: dict[str, Any] = {"op": row.op}
    for box in CONDITIONS[row.op][1]:
        value = row.values.get(box.name, "")
        try:
            if box.several:
                document[box.name] = [read_whole(one) for one in value.replace(",", " ").split()]
            elif value:
                document[box.name] = read_whole(value) if box.kind == "number" else value
        except BadInput as error:
            raise WrongAudience({f"{place}.{box.name}": as_sentence(error.sentence)}) from None
    found = _read(place, lambda: _filter.validate_python(document))
    return Not(op="not", of=found) if row.is_not else found


def _read(place: str, read: Callable[[], Filter]) -> Filter:
    try:
        found = read()
        check_size(found)
    except ValidationError as error:
        one = error.errors(include_url=False, include_input=False)[0]
        # The first part of a place is the kind of filter, which the row says already.
        name = ".".join([place, *[str(part) for part in one["loc"][1:]][:1]]) if place != JSON else JSON
        where = "" if place != JSON else ".".join(map(str, one["loc"]))
        said = _SAID.get(one["type"]) or str(one["msg"]).removeprefix("Value error, ")
        raise WrongAudience({name: as_sentence(f"{where}: {said}" if where else said)}) from None
    except (ValueError, RecursionError) as error:
        raise WrongAudience({place: as_sentence(str(error))}) from None
    return found


def _rows(audience: Filter) -> list[Row] | None:
    """The rows that say the same; None where rows cannot."""
    if isinstance(audience, Everyone):
        return []
    parts = audience.of if isinstance(audience, And | Or) and len(audience.of) > 1 else [audience]
    found: list[Row] = []
    for part in parts:
        is_not, inner = (True, part.of) if isinstance(part, Not) else (False, part)
        is_fine = isinstance(inner, Received) and (inner.versions is not None or inner.variant is not None)
        if isinstance(inner, And | Or | Not | Everyone) or is_fine:
            return None
        document = inner.model_dump(mode="json", exclude_none=True)
        if isinstance(inner, Members):
            document["ids"] = " ".join(map(str, inner.ids))
        boxes = CONDITIONS[inner.op][1]
        found.append(Row(inner.op, is_not, {box.name: str(document.get(box.name, "")) for box in boxes}))
    return found if len(found) <= MOST_ROWS else None
