"""Sealed text opens where it was sealed, by a key that is there, and nowhere else."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from router.core.sealing import CannotOpen, KeyRing, Place, key_ring

FIRST = b"the first secret of the tests, nobody else's"
SECOND = b"the second secret of the tests, nobody else's"
NONCE = bytes(range(12))
HERE = Place("hook", "secret", (7,))

places = st.builds(
    Place,
    st.sampled_from(["hook", "idempotency"]),
    st.sampled_from(["url", "secret", "body"]),
    st.tuples(st.integers(0, 12), st.text("0123456789:hok", max_size=4)) | st.tuples(st.integers(0, 2**62)),
)


def test_the_form_is_the_one_that_is_promised() -> None:
    """HKDF and the whole form by the letter of RFC 5869, since what is stored today must open in ten years."""

    def hkdf(purpose: bytes) -> bytes:
        drawn = hmac.new(bytes(32), FIRST, hashlib.sha256).digest()
        return hmac.new(drawn, purpose + b"\x01", hashlib.sha256).digest()

    sealed = KeyRing(FIRST).seal("whsec_planted", HERE, NONCE)
    version, key_id, data = sealed.split(".")
    raw = urlsafe_b64decode(data + "=" * (-len(data) % 4))
    assert (version, key_id, raw[:12]) == ("v1", hkdf(b"outreach seal v1 id")[:4].hex(), NONCE)
    opened = AESGCM(hkdf(b"outreach seal v1")).decrypt(NONCE, raw[12:], b"4:hook6:secret1:7")
    assert opened == b"whsec_planted"


@given(plain=st.text(), nonce=st.binary(min_size=12, max_size=12), place=places, other=places)
def test_it_opens_in_its_own_place_only(plain: str, nonce: bytes, place: Place, other: Place) -> None:
    sealed = KeyRing(FIRST).seal(plain, place, nonce)
    assert KeyRing(SECOND, [FIRST]).open(sealed, place) == plain
    if other != place:
        with pytest.raises(CannotOpen, match="belongs to another row"):
            KeyRing(FIRST).open(sealed, other)


def test_what_was_changed_is_refused_and_not_repeated() -> None:
    sealed = KeyRing(FIRST).seal("whsec_planted", HERE, NONCE)
    head = len("v1.00000000.")
    for at in range(head, len(sealed) - 1):  # the last sign has bits that count for nothing
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        with pytest.raises(CannotOpen) as refused:
            KeyRing(FIRST).open(changed, HERE)
        assert "hook 7, secret" in str(refused.value)
        assert changed[head:] not in str(refused.value)
    for cut in (head + 1, head + 4, head + 16, len(sealed) - 4):
        with pytest.raises(CannotOpen):
            KeyRing(FIRST).open(sealed[:cut], HERE)


def test_a_key_that_is_not_there_is_named_with_the_setting_that_brings_it() -> None:
    sealed = KeyRing(FIRST).seal("whsec_planted", HERE, NONCE)
    with pytest.raises(CannotOpen, match=f"key {KeyRing(FIRST).newest}.*OUTREACH_OLD_SECRET_KEYS"):
        KeyRing(SECOND).open(sealed, HERE)


def test_the_newest_key_seals_older_ones_only_open_and_plain_text_is_plain() -> None:
    ring = KeyRing(SECOND, [FIRST])
    assert ring.newest == KeyRing(SECOND).newest != KeyRing(FIRST).newest
    assert ring.seal("a", HERE, NONCE).startswith(ring.prefix)
    assert ring.seal("a", HERE, NONCE) == KeyRing(SECOND).seal("a", HERE, NONCE)
    for plain in ("whsec_bm90IHNlYWxlZA==", "https://example.org/v1.html", '{"id":1}', "v1.", "v1.short.x", ""):
        assert ring.open(plain, HERE) == plain
    assert key_ring((SECOND, FIRST)) is key_ring((SECOND, FIRST))
    assert "secret of the tests" not in repr(ring)
