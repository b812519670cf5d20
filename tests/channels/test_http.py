"""What the adapters have in common of HTTP."""

from __future__ import annotations

from urllib.parse import quote_plus

from hypothesis import given
from hypothesis import strategies as st

from channels.http import form_value


@given(st.text(st.characters(exclude_categories=())))
def test_a_form_value_is_what_quote_plus_makes(text: str) -> None:
    assert form_value(text) == quote_plus(text, errors="replace")
