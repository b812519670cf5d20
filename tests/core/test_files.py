"""The files of rules: what is wrong in them is refused when they are loaded, with file, key and sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from router.core.ask import Ask
from router.core.errors import BadInput
from router.core.policy import read_policy
from router.core.rates import read_channel_rules
from router.settings import load_settings, load_toml

POLICY = load_toml("policy", load_settings())


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    data = copy.deepcopy(POLICY)
    change(data)
    return data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (changed(lambda d: d["budget"].update(asks=0)), "policy.toml: budget.asks"),
        (changed(lambda d: d["budget"].update(days=31)), "policy.toml: budget.days"),
        (changed(lambda d: d["budget"].update(asks="3")), "policy.toml: budget.asks"),
        (changed(lambda d: d["budget"].update(weeks=1)), "policy.toml: budget.weeks"),
        (changed(lambda d: d.pop("retry")), "policy.toml: retry"),
        (changed(lambda d: d["retry"].update(recipient_minutes=[])), "policy.toml: retry.recipient_minutes"),
        (changed(lambda d: d["launch"].update(undo_seconds=-1)), "policy.toml: launch.undo_seconds"),
    ],
)
def test_a_policy_that_cannot_be_meant(data: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_policy(data)
    assert refused.value.place == place
    assert refused.value.sentence


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"rate": -1, "concurrency": 1}, "channels.toml: sms.rate"),
        ({"rate": 1}, "channels.toml: sms.concurrency"),
        ({"rate": 1, "concurrency": 0}, "channels.toml: sms.concurrency"),
        ({"rate": 1, "concurrency": 1, "speed": 9}, "channels.toml: sms.speed"),
    ],
)
def test_channel_rules_that_cannot_be_meant(section: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_channel_rules({"sms": section})
    assert refused.value.place == place


TEXTS = {"en": {"default": {"text": "Come"}}}


@pytest.mark.parametrize(
    "wrong",
    [
        {"texts": {}},
        {"texts": {"es": {"default": {"text": "Ven"}}}},
        {"texts": {"en": {"sms": {"text": "Come"}}}},
        {"texts": {"en": {"default": {"text": ""}}}},
        {"texts": {"EN-": {"default": {"text": "Come"}}}},
        {"title": ""},
        {"link": "javascript:alert(1)"},
        {"link": "https://example.org/a b"},
        {"kind": "moved"},
        {"kind": "nonsense"},
        {"about_versions": [1]},
        {"deadline": "2026-12-01T18:00:00"},
        {"starts_at": "2026-12-01T18:00:00Z", "starts_at_local": "2026-12-01T18:00:00"},
        {"starts_at": "2026-12-02T18:00:00Z", "deadline": "2026-12-01T18:00:00Z"},
        {"surprise": 1},
        {"urgent": "yes"},
    ],
)
def test_an_ask_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Ask.model_validate({"title": "Dinner", "texts": TEXTS, **wrong})


@pytest.mark.parametrize(
    ("locale", "channel", "expected"),
    [
        ("es", "sms", ("es", "corto")),
        ("es-MX", "sms", ("es", "corto")),
        ("es", "email", ("es", "largo")),
        ("pt", "email", ("en", "long")),
        ("", "sms", ("en", "long")),
    ],
)
def test_the_nearest_words_are_found(locale: str, channel: str, expected: tuple[str, str]) -> None:
    texts = {
        "en": {"default": {"text": "long"}},
        "es": {"default": {"text": "largo"}, "sms": {"text": "corto"}},
    }
    found = Ask.model_validate({"title": "x", "texts": texts}).words(locale, channel)
    assert found is not None
    assert (found[0], found[1].text) == expected
