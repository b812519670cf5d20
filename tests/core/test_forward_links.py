"""Links to pass an ask on: as short as a member's own link, and good for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.forward_links import forward_token, read_forward_token, read_shared_token, shared_token
from router.core.links import action_token, read_action_token, read_unsubscribe_token, unsubscribe_token
from router.core.model import DeliveryRef

KEY = b"a key of the tests, long enough"
Make = Callable[[bytes, DeliveryRef], str]
Read = Callable[[bytes, str], DeliveryRef | None]
PURPOSES: dict[str, tuple[Make, Read]] = {
    "forward": (forward_token, read_forward_token),
    "shared": (shared_token, read_shared_token),
    "action": (action_token, read_action_token),
    "unsubscribe": (unsubscribe_token, read_unsubscribe_token),
}
refs = st.builds(
    DeliveryRef,
    st.builds(lambda year, month: year * 100 + month, st.integers(2000, 9999), st.integers(1, 12)),
    st.integers(0, 2**63 - 1),
)


@given(refs, st.binary(min_size=16, max_size=80))
def test_a_token_leads_back_to_the_message_with_its_own_key_only(ref: DeliveryRef, key: bytes) -> None:
    for make, read in (PURPOSES["forward"], PURPOSES["shared"]):
        token = make(key, ref)
        assert read(key, token) == ref
        assert read(key + b"?", token) is None
        assert all(c.isascii() and (c.isalnum() or c in "-_") for c in token)


@given(refs)
def test_no_token_passes_for_one_of_another_purpose(ref: DeliveryRef) -> None:
    """Whoever gets a link to pass on cannot answer, unsubscribe or look at anything in the member's name with it."""
    for made, (make, _) in PURPOSES.items():
        token = make(KEY, ref)
        assert [name for name, (_, read) in PURPOSES.items() if read(KEY, token)] == [made]


@given(refs)
def test_it_is_as_long_as_the_members_own_link(ref: DeliveryRef) -> None:
    """The check of an ask and the weighing of its texts take it for granted."""
    assert len(forward_token(KEY, ref)) == len(action_token(KEY, ref))


@pytest.mark.parametrize("token", ["", "x", "A" * 15, "../../etc", "A" * 500, "é" * 15, "wgKHrUsJ2b9fkFc"])
def test_anything_else_is_nobodys(token: str) -> None:
    assert read_forward_token(KEY, token) is None
    assert read_shared_token(KEY, token) is None
