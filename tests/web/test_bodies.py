"""What is JSON to us: the strict reading that every body goes through before its model sees it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import BadInput
from router.web.bodies import check_json
from router.web.problems import ProblemError

REFUSED: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "cut off": (b'{"title": "Come', 400),
    "two documents": (b"{} {}", 400),
    "a comma too many": (b'{"a": 1,}', 400),
    "NaN": (b'{"a": NaN}', 400),
    "Infinity": (b'{"a": -Infinity}', 400),
    "a name twice": (b'{"a": 1, "a": 2}', 400),
    "a name twice, deep": (b'[{"x": {"a": 1, "b": 0, "a": 1}}]', 400),
    "10,000 deep lists": (b"[" * 10_000 + b"]" * 10_000, 400),
    "10,000 deep objects": (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), 400),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', 400),
    "half a surrogate pair": (rb'{"a": "\ud83d"}', 400),
    "half a surrogate pair as a name": (rb'{"\udc00": 1}', 400),
    "a number of 5,000 digits": (b"1" * 5000, 400),
    "NUL": (rb'{"a": {"b": ["\u0000"]}}', 422),
    "NUL in a name": (rb'{"a\u0000": 1}', 422),
    "a number beyond 64 bits": (b'{"a": [9223372036854775808]}', 422),
    "a number that is infinite once read": (b'{"a": 1e999}', 422),
}


@pytest.mark.parametrize("raw", REFUSED)
def test_what_is_refused(raw: str) -> None:
    body, status = REFUSED[raw]
    with pytest.raises(ProblemError if status == 400 else BadInput):
        check_json(body)


@pytest.mark.parametrize(
    ("raw", "place"),
    [(rb'{"a": {"b": ["\u0000"]}}', "a.b.0"), (b'{"texts": [1, 1e999]}', "texts.1"), (b"9223372036854775808", "")],
)
def test_a_value_that_cannot_be_kept_is_named_by_its_place(raw: bytes, place: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_json(raw)
    assert caught.value.place == place


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(-1e18, 1e18)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(anything)
def test_every_ordinary_document_is_let_in(document: Any) -> None:
    check_json(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_in_another_way(raw: bytes) -> None:
    with contextlib.suppress(ProblemError, BadInput):
        check_json(raw)
