"""Files of rules, read with what stands beside each number."""

from __future__ import annotations

import pytest

from router.core.data import data_folder
from router.core.errors import BadInput
from router.core.toml_notes import Block, Rule, in_words, read_notes, sources

FILE = """\
# What the house
# holds to.

# About budgets.
# In two lines.
[budget.overall]
# One a day (Somebody 2018,
# https://doi.org/10.1/x; row 3).
day = 1
week = 3
# Another reason.
gap_hours = 20.5

[empty]

[channels."a.b"]
each.chat = { rate = 1, burst = [3, 4], on = true }
# Inside of what is longer than a line:
words = [
  "day = 2",
]
"""


def test_each_rule_stands_with_its_comment() -> None:
    whole, budget, channels = read_notes(FILE, file="x.toml")
    assert (whole.path, whole.note) == ((), "What the house holds to.\n\nAbout budgets. In two lines.")
    assert (budget.path, budget.title) == (("budget", "overall"), "budget › overall")
    assert budget.blocks == [
        Block("One a day (Somebody 2018, https://doi.org/10.1/x; row 3).", [Rule("day", "1"), Rule("week", "3")]),
        Block("Another reason.", [Rule("gap_hours", "20.5")]),
    ]
    assert channels.path == ("channels", "a.b")
    assert channels.blocks == [
        Block("", [Rule("each.chat", "rate 1, burst (3, 4), on yes")]),
        Block("Inside of what is longer than a line:", [Rule("words", "day = 2")]),
    ]


def test_a_file_that_is_none_is_named() -> None:
    with pytest.raises(BadInput, match=r"x\.toml"):
        read_notes("day = = 1", file="x.toml")


def test_nothing_is_said_to_be_none() -> None:
    assert [in_words(value) for value in ({}, [], False, 0)] == ["none", "none", "no", "0"]


@pytest.mark.parametrize(
    ("note", "links"),
    [
        ("(A 2015, https://doi.org/10.1/x.y; row 3)", ["https://doi.org/10.1/x.y"]),
        ("see https://a.example/b).", ["https://a.example/b"]),
        ("javascript:alert(1) http://a.example", []),
        ('https://a.example/"><script>', ["https://a.example/"]),
    ],
)
def test_sources_on_the_web_are_links(note: str, links: list[str]) -> None:
    pieces = sources(note)
    assert [text for text, is_link in pieces if is_link] == links
    assert "".join(text for text, _ in pieces) == note


@pytest.mark.parametrize("name", ["policy", "quiet_hours", "channels"])
def test_what_we_ship_is_read_whole(name: str) -> None:
    text = (data_folder("config") / f"{name}.toml").read_text("utf-8")
    sections = read_notes(text, file=name)
    keys = [line for line in text.splitlines() if " = " in line and not line.startswith(("#", " "))]
    assert sum(len(block.rules) for section in sections for block in section.blocks) == len(keys)
    assert sections[0].note
