"""Words of members stay words: nothing that they write is read as a template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.content_syntax import fill, read_template
from router.core.phrases import LANGUAGES
from router.core.proposal_words import literal, texts_of, title_of

HOSTILE = [
    "{{ link }} {{ 7 * 7 }} {% endraw %}{% if true %}yes{% endif %}",
    "{# not a comment #} {{ '{{' }} }} %} }}}} {{{{ {%- raw -%}",
    "{{ first_name }} {{ organization.__class__ }} {organization} %s %(x)s ${x} {0}",
    '"}} {{ "{" }} quotes " and \\ and {{ "{{" | upper }}',
]


def shown(words: str) -> str:
    pieces, problems = read_template(literal(words), "text")
    assert problems == []
    return fill(pieces, {})


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_shown_as_they_are(words: str) -> None:
    assert shown(words) == words


@given(st.text(st.sampled_from("{}%#-+ '\"\\ax_|.\n"), max_size=80) | st.text(max_size=80))
def test_law_any_words_are_shown_as_they_are(words: str) -> None:
    lines = words.replace("\r\n", "\n").replace("\r", "\n")
    assert shown(lines) == lines.strip()


@pytest.mark.parametrize("words", HOSTILE)
def test_the_frame_of_every_language_holds_them(words: str) -> None:
    values = {
        "organization": "Ours {{ x }}",
        "text": words,
        "place": "{% y",
        "number": 7,
        "link": "https://a.example/7",
    }
    texts = texts_of("ideas.ask_place", values)
    assert set(texts) == set(LANGUAGES)
    for by_channel in texts.values():
        pieces, problems = read_template(by_channel["default"].text, "text")
        assert problems == []
        assert all(part in fill(pieces, {}) for part in (words, "Ours {{ x }}", "{% y"))
        assert [button.reply for button in by_channel["default"].buttons] == ["YES", "NO"]


def test_a_title_is_one_line_of_the_first_words() -> None:
    assert title_of(7, "A free bus") == "Idea 7: A free bus"
    assert title_of(7, "A free bus\nfor all") == "Idea 7: A free bus for all"
    assert title_of(7, f"{'word ' * 30}") == f"Idea 7: {('word ' * 12).strip()} …"
    assert len(title_of(10**9, "x" * 500)) < 200
