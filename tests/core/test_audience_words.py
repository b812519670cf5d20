"""An audience in words: every part has some, and what belongs together stays together."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from router.core.audience import Filter
from router.core.audience_words import say_audience

TAG, PLACE = {"op": "tag", "tag": "tenant"}, {"op": "place", "country": "US", "place": "Berkeley", "postcode": "947"}
CASES: list[tuple[dict[str, Any], str]] = [
    ({"op": "everyone"}, "all members"),
    (TAG, "members who have the tag tenant"),
    ({"op": "attribute", "name": "union"}, "members of whom we know union"),
    ({"op": "attribute", "name": "union", "equals": "IWW"}, "members whose union is IWW"),
    ({"op": "locale", "locale": "es"}, "members who read es"),
    ({"op": "joined", "since": "2026-01-01"}, "members who joined on or after 2026-01-01"),
    ({"op": "joined", "before": "2026-02-01"}, "members who joined before 2026-02-01"),
    (
        {"op": "joined", "since": "2026-01-01", "before": "2026-02-01"},
        "members who joined on or after 2026-01-01 and before 2026-02-01",
    ),
    (PLACE, "members who live in Berkeley, US, postcode 947…"),
    ({"op": "has_channel", "channel": "sms"}, "members whom we may write to by sms"),
    ({"op": "in_group", "group": 42}, "members who are in the chat of group 42"),
    ({"op": "acted", "campaign": 7}, "members who acted on ask 7"),
    ({"op": "acted", "campaign": 7, "kind": "yes"}, "members who acted on ask 7 (yes)"),
    ({"op": "received", "campaign": 7}, "members who got ask 7"),
    (
        {"op": "received", "campaign": 7, "variant": 1, "versions": [1, 2]},
        "members who got ask 7 with the second text in version 1, 2",
    ),
    ({"op": "members", "ids": [1, 2]}, "members with the numbers 1, 2"),
    ({"op": "members", "ids": list(range(1, 1001))}, "members with the numbers 1, 2, 3, 4, 5 and 995 more"),
    ({"op": "not", "of": TAG}, "members other than those who have the tag tenant"),
    (
        {"op": "and", "of": [TAG, {"op": "not", "of": {"op": "acted", "campaign": 7}}]},
        "members who have the tag tenant and other than those who acted on ask 7",
    ),
    (
        {"op": "or", "of": [TAG, {"op": "and", "of": [{"op": "locale", "locale": "es"}, PLACE]}]},
        "members who have the tag tenant or (who read es and who live in Berkeley, US, postcode 947…)",
    ),
]

_filter: TypeAdapter[Filter] = TypeAdapter(Filter)


@pytest.mark.parametrize(("audience", "words"), CASES, ids=[words for _, words in CASES])
def test_an_audience_in_words(audience: dict[str, Any], words: str) -> None:
    assert say_audience(_filter.validate_python(audience)) == words


def test_every_part_has_words() -> None:
    union, _ = get_args(Filter)
    assert {part.model_fields["op"].annotation.__args__[0] for part in get_args(union)} == {
        audience["op"] for audience, _ in CASES
    }
