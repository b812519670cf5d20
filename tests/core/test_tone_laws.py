"""Laws of the tone guard, over any words."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.core.content_syntax import read_template
from router.core.tone_reading import OPAQUE, read_text
from tests.core.test_tone import FILE, judge

PHRASES = [words.replace("#", "24") for row in (*FILE["published"], *FILE["ours"]) for words in row["words"]]
SLOTS = ["{{ first_name }}", '{{ place|default("FINAL NOTICE ACT NOW!!!") }}', "{{- title -}}", "{# LAST CHANCE!! #}"]
pieces = st.one_of(
    st.sampled_from(PHRASES),
    st.sampled_from(PHRASES).map(str.upper),
    st.sampled_from(
        [*SLOTS, "!!", "?!", "🔥🔥🔥🔥", "https://t.co/x", "Re:", "\r\n", "\n\n", " ", ". ", "{", "}}", "{%"]
    ),
    st.text(max_size=12),
)
texts = st.lists(pieces, max_size=12).map(" ".join) | st.lists(pieces, max_size=12).map("".join)
harmless = st.lists(
    st.sampled_from(["bread", "garden", "soup", "tuesday", "neighbours", "brød", "суп", "خبز"]), min_size=1
)


@given(texts, st.booleans())
@example("e\u0301\u0301 ACT\u200d NOW!!\u0301", True)
@example("\r\n{{ a }}\r\nFINAL\r\nNOTICE {{- b }}", False)
def test_spans_lie_inside_the_text_and_quote_it(text: str, is_subject: bool) -> None:
    findings = judge(text, is_subject=is_subject)
    assert findings == judge(text, is_subject=is_subject)
    for found in findings:
        assert 0 <= found.start < found.end <= len(text)
        assert found.words == text[found.start : found.end]
        assert found.words.strip() == found.words
        assert OPAQUE in text or OPAQUE not in found.words


@given(texts, harmless, st.sampled_from([" ", "\n", ". "]), st.booleans())
def test_harmless_words_add_no_finding(text: str, words: list[str], between: str, is_subject: bool) -> None:
    alone = Counter((found.kind, found.words) for found in judge(text, is_subject=is_subject))
    for longer in (text + between + " ".join(words), " ".join(words) + between + text):
        assert Counter((found.kind, found.words) for found in judge(longer, is_subject=is_subject)) <= alone, longer


plain = st.text(max_size=20).map(lambda text: text.replace("{", "(").replace("}", ")")) | st.sampled_from(PHRASES)


@given(st.lists(plain | st.sampled_from(SLOTS[:2]).map(lambda slot: (slot,)), max_size=8))
def test_variables_are_never_judged(parts: list[str | tuple[str]]) -> None:
    """Whatever stands in a slot: no finding touches it, and none depends on what it says."""
    text = "".join(part if isinstance(part, str) else part[0] for part in parts)
    findings = judge(text)
    reading = read_text(text)
    assert [text[start:end] for start, end in _merged(parts)] == [text[start:end] for start, end in reading.slots]
    for start, end in reading.slots:
        assert all(found.end <= start or found.start >= end for found in findings)
    other = "".join(part if isinstance(part, str) else "{{ organization|upper }}" for part in parts)
    assert Counter((f.kind, f.words) for f in findings) == Counter((f.kind, f.words) for f in judge(other))


def _merged(parts: list[str | tuple[str]]) -> list[tuple[int, int]]:
    """Where the slots stand, neighbours as one."""
    spans: list[tuple[int, int]] = []
    at = 0
    for part in parts:
        size = len(part if isinstance(part, str) else part[0])
        if not isinstance(part, str):
            spans.append((spans.pop()[0] if spans and spans[-1][1] == at else at, at + size))
        at += size
    return spans


@given(texts)
@example("\r\n")
@example("FINAL {% raw %}NOTICE{% endraw %}")
def test_what_is_judged_is_what_the_template_says(text: str) -> None:
    """The guard's own reading of a template agrees with the one that renders it."""
    said, problems = read_template(text, "")
    reading = read_text(text)
    assert len(reading.text) == len(text)
    if problems:
        return
    ends = [0, *(at for slot in reading.slots for at in slot), len(text)]
    judged = [re.sub("\r\n?", "\n", text[start:end]) for start, end in zip(ends[::2], ends[1::2], strict=True)]
    judged[-1] = judged[-1].removesuffix("\n")  # the template drops the last line break
    assert "".join(piece for piece in said if isinstance(piece, str)) == "".join(judged)


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("a {{ b }}{{ c }} d", ["{{ b }}{{ c }}"]),
        ("a\r\n {{- b -}} \r\nc", ["\r\n {{- b -}} \r\n"]),
        ("a {# }} #} b", ["{# }} #}"]),
        ('{{ b|default("}} FINAL NOTICE") }}', ['{{ b|default("}} FINAL NOTICE") }}']),
        ("{% raw %}FINAL NOTICE {{ x }}{% endraw %}", ["{% raw %}", "{% endraw %}"]),
        ("{% if a %}FINAL NOTICE{% endif %}", ["{% if a %}FINAL NOTICE{% endif %}"]),
        ("FINAL NOTICE {{ {} }}", ["FINAL NOTICE {{ {} }}"]),
        ("FINAL NOTICE {# ", ["FINAL NOTICE {# "]),
        ("{ not a slot }", []),
    ],
)
def test_where_the_slots_of_a_text_stand(text: str, slots: list[str]) -> None:
    assert [text[start:end] for start, end in read_text(text).slots] == slots


LONG = 20_000
ADVERSARIES = {
    "capitals": "A" * LONG,
    "phrases": "act now " * (LONG // 8),
    "half phrases": "this is your final " * (LONG // 19),
    "phrases that say when": "act now {{deadline}}9\n" * (LONG // 22),
    "marks": "!?" * (LONG // 2),
    "emoji": "🔥" * LONG,
    "families": "👨\u200d" * (LONG // 2),
    "slots": "{{a}}" * (LONG // 5),
    "braces": "{{" * (LONG // 2),
    "blocks": "{%" * (LONG // 2),
    "raw": "{% raw %}" * (LONG // 9),
    "comments": "{#" * (LONG // 2),
    "a slot that never ends": "{{" + " " * LONG,
    "spaces before slots": (" " * 90 + "{{- a }}") * (LONG // 98),
    "schemes": "https://" * (LONG // 8),
    "hosts": "a." * (LONG // 2),
    "numbers": "6%" * (LONG // 2),
    "spaces": " " * LONG,
    "lines": "\r\n" * (LONG // 2),
    "accents": "a" + "\u0301" * (LONG - 1),
    "everything": "".join(chr(point) for point in range(0xA0, 0xA0 + LONG) if not 0xD800 <= point < 0xE000),
    "ligatures": "ﷺ" * LONG,
    "numerals": "MDCLXVI" * (LONG // 7),
    "a prefix": "Re" + "[" * LONG + ":",
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_no_text_takes_long(name: str) -> None:
    """Time of this process only, the best of three; the aim is 0.1 s, asserted at five times that."""
    text = ADVERSARIES[name]
    spent = []
    for _ in range(3):
        started = time.process_time()
        judge(text, is_subject=True)
        spent.append(time.process_time() - started)
    assert min(spent) < 0.5
