"""The language of an ask's words is Jinja's, as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from router.core.content_syntax import VARIABLES, fill, read_template, sandbox
from tests.support.words import slot


class Attributes:
    """What Jinja sees as ``attribute``: every name, nothing but names."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, "")


def as_jinja(source: str, values: Mapping[str, str]) -> str:
    own = {name.removeprefix("attribute."): value for name, value in values.items() if name.startswith("attribute.")}
    return sandbox().from_string(source).render({**values, "attribute": Attributes(own)})


prose = st.text(st.sampled_from("ab {}%#-'\"|.,\r\n\\äßİΐ👋🏽ع"), max_size=12)
values_for = st.fixed_dictionaries(
    {name: st.text(max_size=30) for name in (*VARIABLES, "attribute.branch", "attribute.t_shirt")}
)


@given(st.lists(st.one_of(prose, slot), max_size=6).map("".join), values_for)
def test_our_rendering_is_jinjas_own(source: str, values: dict[str, str]) -> None:
    pieces, found = read_template(source, "x")
    if not found:
        assert fill(pieces, values) == as_jinja(source, values)


@given(st.text(st.sampled_from("{}%#|()[]'\"ab.,_~-+*/ \n\r\\0x"), max_size=40), values_for)
def test_any_text_is_read_or_refused_and_never_crashes(source: str, values: dict[str, str]) -> None:
    pieces, found = read_template(source, "x")
    assert all(problem.place.startswith("x") for problem in found)
    if not found:
        assert fill(pieces, values) == as_jinja(source, values)
