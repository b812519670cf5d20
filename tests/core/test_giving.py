"""Amounts in replies, sums in words, the bar, and the link to a donation page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.content import find_problems
from router.core.giving import LONGEST_SUM, draw_total, read_amount, say_sum, share_of, with_ref
from router.core.goals import Progress
from router.core.phrases import LANGUAGES
from router.core.sms import count_segments
from tests.support.words import SPECS


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        ("25.00 EUR", "EUR", (2500, "EUR")),
        ("25.00 EUR", "", (2500, "EUR")),
        ("25", "EUR", (2500, "EUR")),
        ("25.50", "GBP", (2550, "GBP")),
        ("25.00 $", "USD", (2500, "USD")),
        ("25.00 $", "CAD", (2500, "CAD")),
        ("200.00 kr", "SEK", (20_000, "SEK")),
        ("500", "JPY", (500, "JPY")),
        ("10.00 GBP", "EUR", (1000, "GBP")),
        ("25.00 $", "EUR", None),
        ("25.00 $", "", None),
        ("25", "", None),
        ("0", "EUR", None),
        ("", "EUR", None),
        ("99999999999999", "EUR", None),
        ("--01", "EUR", None),
    ],
)
def test_an_amount(value: str, currency: str, expected: tuple[int, str] | None) -> None:
    assert read_amount(value, currency) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://give.example.org/now", "https://give.example.org/now?ref=T"),
        ("https://give.example.org/now?amount=20", "https://give.example.org/now?amount=20&ref=T"),
        ("https://give.example.org/now?", "https://give.example.org/now?ref=T"),
        ("https://give.example.org/?a=1&", "https://give.example.org/?a=1&ref=T"),
        ("https://give.example.org/#form", "https://give.example.org/?ref=T#form"),
        ("https://give.example.org/?a=%C3%A9#f?x", "https://give.example.org/?a=%C3%A9&ref=T#f?x"),
    ],
)
def test_a_donation_page_is_told_who_comes(link: str, expected: str) -> None:
    assert with_ref(link, "T") == expected


@given(st.text("ab?=&#/%", max_size=30), st.from_regex(r"[A-Za-z0-9_-]{15}", fullmatch=True))
def test_a_ref_changes_nothing_else(rest: str, ref: str) -> None:
    before, after = urlsplit(f"https://example.org/{rest}"), urlsplit(with_ref(f"https://example.org/{rest}", ref))
    assert (after.netloc, after.path, after.fragment) == (before.netloc, before.path, before.fragment)
    assert parse_qsl(after.query, keep_blank_values=True)[-1] == ("ref", ref)
    assert after.query.startswith(before.query)


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "12,345 EUR"), ("de-AT", "12.345 EUR"), ("fr", "12 345 EUR"), ("ar", "12,345 EUR"), ("tlh", "12,345 EUR")],
)
def test_a_sum_in_words(locale: str, said: str) -> None:
    assert say_sum(12_345, "EUR", locale) == said
    assert count_segments(said).encoding == "GSM-7"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_the_longest_sum(locale: str) -> None:
    assert len(say_sum(10**12, "EUR", locale)) <= LONGEST_SUM


@pytest.mark.parametrize(("reached", "share"), [(0, 0.0), (250, 0.25), (1000, 1.0), (4000, 1.0)])
def test_the_bar_shows_the_share(reached: int, share: float) -> None:
    progress = Progress(reached, 1000, {})
    assert share_of(progress) == share
    drawn = ElementTree.fromstring(draw_total("How far <we> are", "So far & so on", progress, locale="en"))
    of = {child.tag.rpartition("}")[2]: child for child in drawn}
    assert (of["title"].text, of["desc"].text, of["text"].text) == (
        "How far <we> are",
        "So far & so on",
        "So far & so on",
    )
    assert [rect.get("width") for rect in of["g"]] == ["600", str(round(600 * share))]
    assert (drawn.get("role"), drawn.get("aria-labelledby")) == ("img", "title desc")


def test_the_bar_grows_from_the_right_where_people_read_so() -> None:
    drawn = ElementTree.fromstring(draw_total("t", "s", Progress(250, 1000, {}), locale="ar"))
    [filled] = [rect for rect in drawn.iter() if rect.get("x") and rect.tag.endswith("rect")]
    assert (filled.get("x"), filled.get("width")) == ("450", "150")


def test_a_total_needs_a_goal() -> None:
    ask = {"title": "Gifts", "texts": {"en": {"default": {"text": "So far {{ total }}"}}}}
    [problem] = find_problems(Ask.model_validate(ask), SPECS)
    assert "the ask has no goal" in str(problem)
    goal = {"measure": "gave", "target": 100, "currency": "EUR"}
    assert find_problems(Ask.model_validate(ask | {"goal": goal}), SPECS) == []
