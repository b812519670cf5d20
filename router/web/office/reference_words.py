"""The OpenAPI document, as people read it: operations by subject, and each schema as a list of fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

_BOUNDS = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {}"),
    ("maxItems", "at most {}"),
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "up to {}"),
    ("pattern", "pattern {}"),
    ("format", "{}"),
)
"""What limits a value, and how it is said."""

_LARGEST = 2**53
"""Limits beyond are those of the ledger's numbers and tell nobody anything."""

Json = Mapping[str, Any]


class Word(NamedTuple):
    """A part of what a value is."""

    text: str
    schema: str = ""
    """The schema of this name, which stands elsewhere on the page."""


class Field(NamedTuple):
    """One field of a schema, or one parameter."""

    name: str
    words: list[Word]
    is_needed: bool
    note: str


class Operation(NamedTuple):
    """One method at one address."""

    key: str
    """Names it on the page."""
    method: str
    path: str
    summary: str
    scopes: list[str]
    """A token needs one of these; none: no token is asked for."""
    parameters: list[Field]
    body: list[Word]
    replies: list[tuple[str, list[Word]]]
    """(status, what comes back)."""


class Schema(NamedTuple):
    """A document, or a part of one."""

    key: str
    """Names it on the page."""
    name: str
    note: str
    words: list[Word]
    """What it is where it has no fields."""
    fields: list[Field]


class Reference(NamedTuple):
    """The whole page."""

    subjects: dict[str, list[Operation]]
    schemas: list[Schema]
    problem: list[Word]
    """What comes back where something goes wrong."""


def read_reference(document: Json) -> Reference:
    """What programs call. Addresses that answer with pages for people are left out."""
    subjects: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            if not _is_page(found):
                subjects.setdefault(found["tags"][0], []).append(_operation(method, path, found))
    schemas = document["components"]["schemas"]
    return Reference(
        dict(sorted(subjects.items())),
        [_schema(name, schemas[name]) for name in sorted(schemas, key=_short)],
        type_words(document["components"]["responses"]["Problem"]["content"]["application/problem+json"]["schema"]),
    )


def type_words(schema: Json) -> list[Word]:
    """What a value may be."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return [Word(_short(name), name)]
    if "const" in schema:
        return [Word(json.dumps(schema["const"], ensure_ascii=False))]
    if "enum" in schema:
        return [Word(" or ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"]))]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return list(_between(" or ", map(type_words, schema[several])))
    kind = schema.get("type", "anything")
    if kind == "array":
        items = schema.get("items")
        return [Word("list of "), *(type_words(items) if items else [Word("anything")]), *_bounds(schema)]
    below = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    if kind == "object" and isinstance(below, Mapping):
        return [Word("object: each name → "), *type_words(below), *_bounds(schema)]
    return [Word("text" if kind == "string" else "nothing" if kind == "null" else str(kind)), *_bounds(schema)]


def _short(name: str) -> str:
    """A schema's name without its module, which stands there where two have the same."""
    return name.rpartition("__")[2]


def _bounds(schema: Json) -> Iterator[Word]:
    said = [
        words.format(schema[name])
        for name, words in _BOUNDS
        if name in schema and not (isinstance(schema[name], int) and abs(schema[name]) > _LARGEST)
    ]
    if said:
        yield Word(f" ({', '.join(said)})")


def _between(text: str, parts: Iterable[list[Word]]) -> Iterator[Word]:
    for number, part in enumerate(parts):
        if number:
            yield Word(text)
        yield from part


def _is_page(operation: Json) -> bool:
    kinds = {kind for reply in operation["responses"].values() for kind in reply.get("content", {})}
    return not operation["security"] and (not kinds or bool(kinds & {"text/html", "text/css", "text/javascript"}))


def _operation(method: str, path: str, found: Json) -> Operation:
    return Operation(
        key=found["operationId"],
        method=method.upper(),
        path=path,
        summary=found["summary"],
        scopes=[scope for need in found["security"] for scope in need["bearer"]],
        parameters=[
            Field(
                one["name"],
                [Word(f"{one['in']}: "), *type_words(one["schema"])],
                one["required"],
                one.get("description") or one["schema"].get("description", ""),
            )
            for one in found.get("parameters", [])
        ],
        body=_content(found.get("requestBody", {})),
        replies=[(status, _content(reply)) for status, reply in found["responses"].items() if status != "default"],
    )


def _content(holder: Json) -> list[Word]:
    kinds = [
        type_words(what["schema"]) if kind == "application/json" else [Word(kind)]
        for kind, what in holder.get("content", {}).items()
    ]
    return list(_between(" or ", kinds))


def _schema(name: str, schema: Json) -> Schema:
    needed = schema.get("required", [])
    fields = [
        Field(field, [*type_words(what), *_default(what)], field in needed, what.get("description", ""))
        for field, what in schema.get("properties", {}).items()
    ]
    return Schema(name, _short(name), schema.get("description", ""), [] if fields else type_words(schema), fields)


def _default(schema: Json) -> Iterator[Word]:
    default = schema.get("default")
    if default not in (None, "", [], {}):
        yield Word(f", else {json.dumps(default, ensure_ascii=False)}")
