"""The tally's line: numbers in the group's language, never more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.phrases import LANGUAGES
from router.core.tallying import MOST_NAMED, tally_line, with_lines

LONGEST_SHOWN = 400
"""`group_post.shown`."""


@pytest.mark.parametrize(
    ("counts", "locale", "line"),
    [
        ({}, "en", ""),
        ({"yes": 0, "no": 0}, "en", ""),
        ({"yes": 12, "no": 3}, "en", "In this group so far: 12 yes, 3 no."),
        ({"no": 1}, "en-GB", "In this group so far: 1 no."),
        ({"no": 3, "yes": 12}, "de", "In dieser Gruppe bisher: 12 Ja, 3 Nein."),
        ({"yes": 1}, "tlh", "In this group so far: 1 yes."),
        ({"yes": 200_000}, "fr", "Dans ce groupe jusqu'ici : 200000 oui."),
        ({"yes": 2, "no": 1}, "ar", "في هذه المجموعة حتى الآن: 2 نعم، 1 لا."),
        ({"host": 2, "yes": 1, "bring_food": 5}, "en", "In this group so far: 1 yes, 5 BRING FOOD, 2 HOST."),
        ({"postcode": 2, "number": 1, "yes": 4}, "en", "In this group so far: 4 yes, other answers: 3."),
        ({"amount": 1}, "es", "En este grupo hasta ahora: otras respuestas: 1."),
    ],
)
def test_a_line_says_how_many_gave_which_answer(counts: dict[str, int], locale: str, line: str) -> None:
    assert tally_line(counts, locale) == line


kinds = st.sampled_from(["yes", "no", "number", "postcode"]) | st.text("abcdefghij_0123456789", min_size=1, max_size=20)


@given(st.dictionaries(kinds, st.integers(0, 10**9), max_size=30), st.sampled_from(LANGUAGES))
def test_every_answer_is_counted_and_the_line_has_its_room(counts: dict[str, int], locale: str) -> None:
    line = tally_line(counts, locale)
    assert bool(line) == any(counts.values())
    assert len(line) <= LONGEST_SHOWN
    assert all(str(counts[kind]) in line for kind in ("yes", "no") if counts.get(kind))


def test_the_rarest_words_are_counted_together() -> None:
    line = tally_line({f"word{place:02}": 100 - place for place in range(MOST_NAMED + 2)}, "en")
    assert "93 WORD07" in line
    assert "WORD08" not in line
    assert f"other answers: {92 + 91}" in line


def test_lines_stand_under_the_text_where_there_is_room() -> None:
    assert with_lines("Dinner?", "12 yes.", "It is over.", most=100) == "Dinner?\n\n12 yes.\n\nIt is over."
    assert with_lines("Dinner?", "", most=100) == "Dinner?"
    assert with_lines("D" * 95, "12 yes.", most=100) == "D" * 95
