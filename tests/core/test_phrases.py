"""Every phrase the program says is there in all its languages, with the same holes."""

from __future__ import annotations

import pytest

from router.core.phrases import LANGUAGES, holes, phrases, say


@pytest.mark.parametrize("phrase", sorted(phrases()))
def test_a_phrase_is_there_in_all_languages_with_the_same_holes(phrase: str) -> None:
    by_language = phrases()[phrase]
    assert set(by_language) == set(LANGUAGES)
    assert {holes(words) for words in by_language.values()} == {holes(by_language["en"])}


def test_a_region_falls_back_to_its_language_and_a_stranger_to_english() -> None:
    phrase = min(phrases())
    values = dict.fromkeys(holes(phrases()[phrase]["en"]), "x")
    assert say(phrase, "es-MX", **values) == say(phrase, "es", **values)
    assert say(phrase, "tlh", **values) == say(phrase, "en", **values)


def test_what_fills_a_hole_is_never_read_as_a_hole() -> None:
    phrase = next(name for name, words in phrases().items() if holes(words["en"]))
    values = dict.fromkeys(holes(phrases()[phrase]["en"]), "{secret}")
    assert "{secret}" in say(phrase, "en", **values)
