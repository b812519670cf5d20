"""Segments, as the phone networks count them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.sms import BASIC, EXTENSION, SegmentCount, count_segments, gsm_culprits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 0, 0)),
        ("a", ("GSM-7", 1, 1)),
        ("a" * 160, ("GSM-7", 1, 160)),
        ("a" * 161, ("GSM-7", 2, 161)),
        ("a" * 306, ("GSM-7", 2, 306)),
        ("a" * 307, ("GSM-7", 3, 307)),
        ("é" * 160, ("GSM-7", 1, 160)),
        ("é" * 161, ("GSM-7", 2, 161)),
        ("€" * 80, ("GSM-7", 1, 160)),
        ("€" * 81, ("GSM-7", 2, 162)),
        ("[" * 81, ("GSM-7", 2, 162)),
        # 153 septets hold 76 pairs and a half: the half stays empty, and 76 pairs a part make 153 pairs three parts.
        ("[" * 152, ("GSM-7", 2, 304)),
        ("[" * 153, ("GSM-7", 3, 306)),
        ("€" * 153, ("GSM-7", 3, 306)),
        # The pair that would straddle the end of the first part moves into the second.
        ("a" * 152 + "[" + "a" * 151, ("GSM-7", 2, 305)),
        ("a" * 152 + "[" + "a" * 152, ("GSM-7", 3, 306)),
        ("a" * 151 + "[" + "a" * 153, ("GSM-7", 2, 306)),
        ("ж", ("UCS-2", 1, 1)),
        ("ж" * 70, ("UCS-2", 1, 70)),
        ("ж" * 71, ("UCS-2", 2, 71)),
        ("ж" * 134, ("UCS-2", 2, 134)),
        ("ж" * 135, ("UCS-2", 3, 135)),
        ("😀", ("UCS-2", 1, 2)),
        ("😀" * 35, ("UCS-2", 1, 70)),
        ("😀" * 36, ("UCS-2", 2, 72)),
        # 67 units hold 33 pairs and a half.
        ("😀" * 66, ("UCS-2", 2, 132)),
        ("😀" * 67, ("UCS-2", 3, 134)),
        ("ж" * 66 + "😀" + "ж" * 65, ("UCS-2", 2, 133)),
        ("ж" * 66 + "😀" + "ж" * 66, ("UCS-2", 3, 134)),
        # One character outside GSM-7 makes all of it UCS-2, and extension characters cost one unit there.
        ("a" * 70 + "`", ("UCS-2", 2, 71)),
        ("[" * 69 + "`", ("UCS-2", 1, 70)),
        ("\x1b", ("UCS-2", 1, 1)),
        ("ç", ("UCS-2", 1, 1)),
        ("Ç", ("GSM-7", 1, 1)),
        ("Δ\n\r", ("GSM-7", 1, 3)),
        ("don’t", ("UCS-2", 1, 5)),
    ],
)
def test_segments(text: str, expected: tuple[str, int, int]) -> None:
    assert count_segments(text) == expected


def test_the_alphabet_is_gsm_03_38() -> None:
    assert len(BASIC) == len(set(BASIC)) == 127  # 128 less the escape
    assert len(EXTENSION) == len(set(EXTENSION)) == 10
    assert not set(BASIC) & set(EXTENSION)


def test_culprits_are_named_once_in_order() -> None:
    assert gsm_culprits("“Hi” – café [€] 😀 “") == ["“", "”", "–", "😀"]
    assert gsm_culprits(BASIC + EXTENSION) == []


_GSM = st.text(alphabet=BASIC + EXTENSION, max_size=700)
_ANY = st.text(alphabet=st.sampled_from("ab[€é\n`ж😀\u200d"), max_size=320) | st.text(max_size=320)


def _model(text: str) -> SegmentCount:
    """The definition, a character at a time."""
    gsm = all(c in BASIC + EXTENSION for c in text)
    single, part = (160, 153) if gsm else (70, 67)
    sizes = [(2 if c in EXTENSION else 1) if gsm else (2 if ord(c) > 0xFFFF else 1) for c in text]
    parts, used = 1, 0
    for size in sizes:
        if used + size > part:
            parts, used = parts + 1, 0
        used += size
    units = sum(sizes)
    return SegmentCount("GSM-7" if gsm else "UCS-2", min(units, 1) if units <= single else parts, units)


@given(_GSM | _ANY)
def test_counts_equal_the_definition(text: str) -> None:
    assert count_segments(text) == _model(text)


@given(_GSM | _ANY, _GSM | _ANY)
def test_more_text_never_costs_less(first: str, second: str) -> None:
    both = count_segments(first + second)
    assert both.segments >= max(count_segments(first).segments, count_segments(second).segments)


@given(_ANY)
def test_culprits_decide_the_encoding(text: str) -> None:
    assert (count_segments(text).encoding == "UCS-2") == bool(gsm_culprits(text))
