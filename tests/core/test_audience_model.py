"""The filter language: what it takes, and what it refuses before anything is stored."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from router.core.ask import Ask
from router.core.audience import MAX_DEPTH, MAX_IDS, MAX_NODES, Filter, check_size

FILTER: TypeAdapter[Filter] = TypeAdapter(Filter)

TAKEN: list[dict[str, Any]] = [
    {"op": "everyone"},
    {"op": "tag", "tag": "Tenant"},
    {"op": "attribute", "name": "branch"},
    {"op": "attribute", "name": 'shirt "size"', "equals": "O'Neill; DROP TABLE member"},
    {"op": "locale", "locale": "es-MX"},
    {"op": "joined", "since": "2026-01-01", "before": "2026-02-01"},
    {"op": "place", "country": "GB", "place": "São Paulo", "postcode": "SW1A 1"},
    {"op": "has_channel", "channel": "sms"},
    {"op": "in_group", "group": 42},
    {"op": "acted", "campaign": 7, "kind": "signed"},
    {"op": "received", "campaign": 7, "versions": [1, 2]},
    {"op": "members", "ids": [1, 2**63 - 1]},
    {"op": "and", "of": [{"op": "tag", "tag": "a"}, {"op": "not", "of": {"op": "acted", "campaign": 7}}]},
]


@pytest.mark.parametrize("data", TAKEN, ids=lambda data: data["op"])
def test_a_filter_survives_being_stored(data: dict[str, Any]) -> None:
    audience = FILTER.validate_python(data)
    check_size(audience)
    assert FILTER.validate_json(FILTER.dump_json(audience)) == audience


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"op": "sql", "sql": "1=1"}, "sql"),
    ({"tag": "a"}, "op"),
    ({"op": "tag", "tag": "a", "extra": 1}, "extra"),
    ({"op": "tag", "tag": ""}, "at least 1"),
    ({"op": "tag", "tag": "  "}, "words in one line"),
    ({"op": "tag", "tag": "a\x00b"}, "words in one line"),
    ({"op": "tag", "tag": "\ud800"}, "valid string"),
    ({"op": "tag", "tag": "x" * 201}, "at most 200"),
    ({"op": "tag", "tag": 5}, "valid string"),
    ({"op": "and", "of": []}, "at least 1"),
    ({"op": "or", "of": [{"op": "everyone"}] * 51}, "at most 50"),
    ({"op": "locale", "locale": "%"}, "pattern"),
    ({"op": "joined"}, "since, before or both"),
    ({"op": "joined", "since": "2026-02-01", "before": "2026-02-01"}, "must lie before"),
    ({"op": "joined", "since": "2026-02-30"}, "date"),
    ({"op": "place"}, "country, place or postcode"),
    ({"op": "place", "country": "gb"}, "pattern"),
    ({"op": "place", "postcode": " "}, "words in one line"),
    ({"op": "in_group"}, "group"),
    ({"op": "in_group", "group": "42"}, "valid integer"),
    ({"op": "acted", "campaign": "7"}, "valid integer"),
    ({"op": "acted", "campaign": 2**63}, "less than or equal"),
    ({"op": "received", "campaign": 7, "versions": []}, "at least 1"),
    ({"op": "received", "campaign": 7, "versions": [2**31]}, "less than or equal"),
    ({"op": "members", "ids": []}, "at least 1"),
    ({"op": "members", "ids": [-1]}, "greater than or equal"),
    ({"op": "members", "ids": list(range(1001))}, "at most 1000"),
]


@pytest.mark.parametrize(("data", "what"), REFUSED, ids=[str(case[0])[:40] for case in REFUSED])
def test_what_cannot_be_meant_is_refused(data: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        FILTER.validate_python(data)


def nested(levels: int) -> Filter:
    data: dict[str, Any] = {"op": "everyone"}
    for _ in range(levels - 1):
        data = {"op": "not", "of": data}
    return FILTER.validate_python(data)


def test_depth_and_size_have_their_limits() -> None:
    check_size(nested(MAX_DEPTH))
    with pytest.raises(ValueError, match=f"at most {MAX_DEPTH} deep"):
        check_size(nested(MAX_DEPTH + 1))

    def wide(count: int) -> Filter:
        full, rest = divmod(count - 1, 41)
        groups = [{"op": "or", "of": [{"op": "everyone"}] * 40}] * full + [{"op": "everyone"}] * rest
        return FILTER.validate_python({"op": "and", "of": groups})

    check_size(wide(MAX_NODES))
    with pytest.raises(ValueError, match=f"at most {MAX_NODES} parts"):
        check_size(wide(MAX_NODES + 1))


def test_members_named_one_by_one_have_their_limit_over_the_whole_filter() -> None:
    def naming(lists: int) -> Filter:
        return FILTER.validate_python({"op": "or", "of": [{"op": "members", "ids": list(range(1000))}] * lists})

    check_size(naming(MAX_IDS // 1000))
    with pytest.raises(ValueError, match="use a tag"):
        check_size(naming(MAX_IDS // 1000 + 1))


def test_an_ask_with_an_audience_too_deep_is_refused() -> None:
    texts = {"en": {"default": {"text": "a"}}}
    with pytest.raises(ValidationError, match="deep"):
        Ask.model_validate({"title": "t", "texts": texts, "audience": nested(9).model_dump()})
