"""The chain over the audit, by its laws: whatever is done to it without the key, it no longer fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.audit_chain import FIRST, Entry, Head, Sealed, chain_key, check_chain, read_head, seal
from router.core.errors import BadInput

KEY = chain_key(b"k" * 32)
START = Head(0, FIRST)


def chain_of(count: int) -> list[Sealed]:
    chain, before = [], FIRST
    for place in range(1, count + 1):
        entry = Entry(
            id=100 + place, at=place * 1000, who="ana", what="campaign.launch", subject=str(place), detail={"n": place}
        )
        before = seal(KEY, place, entry, before)
        chain.append(Sealed(place, entry, before))
    return chain


def places(chain: list[Sealed]) -> list[int]:
    return [fault.place for fault in check_chain(KEY, chain, START)]


@given(st.integers(0, 12), st.integers(0, 12))
def test_what_was_sealed_fits_in_pieces_as_in_whole(count: int, cut: int) -> None:
    chain = chain_of(count)
    first, second = chain[:cut], chain[cut:]
    assert places(chain) == []
    assert list(check_chain(KEY, first, START)) == []
    after = Head(first[-1].place, first[-1].seal) if first else START
    assert list(check_chain(KEY, second, after)) == []


@given(
    st.integers(1, 9),
    st.sampled_from(
        [{"id": 9}, {"at": 1}, {"who": "eve"}, {"what": "campaign.pause"}, {"subject": "x"}, {"detail": {"n": "1"}}]
    ),
)
def test_an_altered_entry_is_named_and_it_alone(place: int, change: dict[str, Any]) -> None:
    chain = chain_of(9)
    one = chain[place - 1]
    chain[place - 1] = one._replace(entry=replace(one.entry, **change))
    assert places(chain) == [place]


@given(st.integers(1, 8))
def test_a_removed_entry_is_missed(place: int) -> None:
    chain = chain_of(9)
    del chain[place - 1]
    assert places(chain) == [place]
    renumbered = [one._replace(place=number) for number, one in enumerate(chain, 1)]
    assert place in places(renumbered), "moving up what stood behind it does not hide it"


@given(st.integers(1, 8))
def test_two_entries_that_changed_places_are_seen(place: int) -> None:
    chain = chain_of(9)
    one, other = chain[place - 1], chain[place]
    chain[place - 1], chain[place] = one._replace(entry=other.entry), other._replace(entry=one.entry)
    assert places(chain) == [place, place + 1]
    chain[place - 1], chain[place] = other._replace(place=one.place), one._replace(place=other.place)
    assert set(places(chain)) >= {place, place + 1}


@given(st.integers(1, 9))
def test_nothing_is_put_in_without_the_key(place: int) -> None:
    chain = chain_of(9)
    before = chain[place - 2].seal if place > 1 else FIRST
    forged = Entry(id=1, at=1, who="eve", what="member.erase", subject="7", detail={})
    mine = Sealed(place, forged, seal(chain_key(b"e" * 32), place, forged, before))
    moved = [one._replace(place=one.place + 1) for one in chain[place - 1 :]]
    assert place in places([*chain[: place - 1], mine, *moved])


@pytest.mark.parametrize("text", ["", "7", "7:", ":x", f"7:{'a' * 42}", f"-7:{'a' * 43}", f"seven:{'a' * 43}"])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="as `outreach audit verify` printed it"):
        read_head(text)


def test_a_head_is_read_as_it_was_printed() -> None:
    one = chain_of(3)[-1]
    assert read_head(f" {Head(one.place, one.seal)}\n") == Head(3, one.seal)
