"""What is drawn by lot: the same for the same person, fair over many, and independent where it should be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.lot import draw, is_held_out, variant_of

MANY = 20_000
keys = st.binary(min_size=16, max_size=32)


def off(share: float) -> float:
    """Five standard deviations of a share of `MANY`: passed by chance less than once in a million draws."""
    return 5 * (share * (1 - share) / MANY) ** 0.5


@given(keys, st.lists(st.one_of(st.integers(), st.text()), max_size=4))
def test_a_draw_is_a_share_and_stays(key: bytes, what: list[int | str]) -> None:
    assert 0 <= draw(key, *what) < 1
    assert draw(key, *what) == draw(key, *what)


@given(keys, st.integers(0, 10**12), st.integers(2020, 2100), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_held_out_of_a_small_part_is_held_out_of_a_larger(
    key: bytes, member: int, year: int, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    assert is_held_out(key, member, year, large) or not is_held_out(key, member, year, small)
    assert not is_held_out(key, member, year, 0)
    assert is_held_out(key, member, year, 1)


def test_a_hold_out_has_its_share_and_is_redrawn_yearly() -> None:
    key, share = b"a key of the tests", 0.05
    years = [{n for n in range(MANY) if is_held_out(key, n, year, share)} for year in (2026, 2027)]
    for held_out in years:
        assert abs(len(held_out) / MANY - share) < off(share)
    both = len(years[0] & years[1]) / MANY
    assert abs(both - share**2) < off(share**2), "one year says nothing about the next"
    assert years[0] != {n for n in range(MANY) if is_held_out(b"another key", n, 2026, share)}


def test_half_read_the_second_text_and_another_half_the_next_time() -> None:
    key = b"a key of the tests"
    asks = [[variant_of(key, campaign, member) for member in range(MANY)] for campaign in (1, 2)]
    for variants in asks:
        assert set(variants) == {0, 1}
        assert abs(sum(variants) / MANY - 0.5) < off(0.5)
    both = sum(first and second for first, second in zip(*asks, strict=True)) / MANY
    assert abs(both - 0.25) < off(0.25)
