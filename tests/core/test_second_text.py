"""A second text of an ask: who reads it, and that it is checked and judged like the first."""

from __future__ import annotations

from typing import Any

import pytest

from router.core.ask import Ask
from router.core.content import Renderer, check_ask, find_problems, sample_member
from router.core.errors import BadInput
from router.core.model import Member
from router.core.tone import ToneKind, find_tone
from router.core.tone_table import ToneTable
from router.messages import load_message_templates
from router.settings import load_settings, load_toml
from tests.support.words import SMS, SPECS

TONE = ToneTable.from_toml(load_toml("tone", load_settings()))


def texts(**by_locale: dict[str, str]) -> dict[str, Any]:
    """locale → channel → words, in short."""
    return {
        locale.replace("_", "-"): {channel: {"text": words} for channel, words in by_channel.items()}
        for locale, by_channel in by_locale.items()
    }


def ask(second: dict[str, Any], **more: Any) -> Ask:
    first = texts(en={"default": "one", "sms": "one sms"}, fr={"default": "un"})
    return Ask.model_validate({"title": "Rents", "texts": first, "second": second} | more)


@pytest.mark.parametrize(
    ("locale", "channel", "second", "read"),
    [
        ("en", "sms", texts(en={"sms": "two sms"}), "two sms"),
        ("en", "email", texts(en={"sms": "two sms"}), "one"),
        ("en", "email", texts(en={"default": "two"}), "two"),
        ("en", "sms", texts(en={"default": "two"}), "one sms"),  # only the first for all is compared
        ("en-GB", "sms", texts(en={"sms": "two sms"}), "two sms"),
        ("fr", "sms", texts(en={"sms": "two sms"}), "un"),
        ("fr", "email", texts(fr={"email": "deux"}), "deux"),
        ("fr", "sms", texts(fr={"default": "deux"}), "deux"),
        ("pl", "email", texts(en={"default": "two"}), "two"),
    ],
)
def test_the_second_text_is_read_in_place_of_the_first(
    locale: str, channel: str, second: dict[str, Any], read: str
) -> None:
    found, plain = ask(second), ask({})
    words = found.words(locale, channel, 1)
    assert words is not None
    assert words[1].text == read
    assert found.words(locale, channel) == plain.words(locale, channel) == plain.words(locale, channel, 1)


def test_a_member_reads_the_text_and_the_buttons_of_their_lot() -> None:
    second = texts(en={"sms": "two, {{ first_name }}"})
    second["en"]["sms"]["buttons"] = [{"label": "Yes", "reply": "YES"}]
    made = ask(second)
    renderer = Renderer(made, organization="", postal_address="", templates=load_message_templates())
    member = Member(id=1, first_name="Ana", locale="en", zone="UTC")
    spec = SMS.__class__(**{name: getattr(SMS, name) for name in SMS.__dataclass_fields__} | {"buttons": 3})
    said = [
        renderer.render(member, "sms", spec, link="", unsubscribe_url="", variant=variant).text for variant in (0, 1, 0)
    ]
    assert said == ["one sms", "two, Ana", "one sms"]
    assert [len(renderer.buttons(member, "sms", spec, variant)) for variant in (0, 1)] == [0, 1]


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (texts(en={"sms": "{{ nobody }}"}), "second.en.sms.text, line 1 column 4"),
        (texts(en={"sms": "{{ link }}"}), "second.en.sms.text: uses {{ link }}, but the ask has no link"),
        (texts(en={"sms": "see bit.ly/x"}), "second.en.sms.text: bit.ly is a public link shortener"),
        (texts(en={"fax": "two"}), "second.en.fax: there is no channel 'fax'"),
        (texts(en={}), "second.en: has no text; add second.en.default or take it out"),
        (texts(fr={"default": "x" * 2_000}), "second.fr.default.text: can come to 2,000 characters, but sms carries"),
        (texts(fr={"default": "x" * 2_000}), "give second.fr.sms words of its own"),
        (
            {"en": {"sms": {"text": "two", "buttons": [{"label": "Go", "link": True}]}}},
            "second.en.sms.buttons: a button opens the ask's link",
        ),
    ],
)
def test_the_second_text_is_checked_like_the_first(second: dict[str, Any], problem: str) -> None:
    assert any(problem in str(one) for one in find_problems(ask(second), SPECS))


def test_a_second_text_for_all_is_measured_only_where_it_goes() -> None:
    check_ask(ask(texts(en={"default": "x" * 2_000})), SPECS)


def test_a_second_text_needs_a_first_one() -> None:
    first = texts(en={"default": "one"}, fr={"sms": "un"})
    with pytest.raises(BadInput, match=r"second\.fr\.email: has no first text to be compared with; add texts\.fr\.em"):
        check_ask(ask(texts(fr={"email": "deux"}), texts=first), SPECS)


def test_what_it_says_of_members_is_shown() -> None:
    assert sample_member(ask(texts(en={"sms": "{{ attribute.branch }}"}))).attributes == {"branch": "(branch)"}


def test_its_tone_is_judged_too() -> None:
    made = ask(texts(en={"sms": "FINAL NOTICE! Tenants United"}))
    found = find_tone(made, TONE, SPECS, organization="Tenants United")
    assert {one.place for one in found if one.kind is not ToneKind.NO_SENDER} == {"second.en.sms.text"}
    missing = {one.place for one in found if one.kind is ToneKind.NO_SENDER}
    assert missing == {"texts.en.sms.text", "texts.fr.default.text"}
