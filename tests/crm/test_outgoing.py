"""How what other systems are told is signed, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from router.core.outgoing import LONGEST_REST, WAITS, headers_of, new_secret, next_try, rest_after, sign

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    made = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_headers_name_date_and_sign_an_event() -> None:
    secret = new_secret(bytes(24))
    made = headers_of(secret, 27, NOW, b"{}")
    assert made["webhook-id"] == "evt_27"
    assert made["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert made["webhook-signature"] == sign(secret, "evt_27", int(NOW.timestamp()), b"{}")


def test_a_changed_body_time_or_name_changes_the_signature() -> None:
    secret = new_secret(bytes(24))
    first = headers_of(secret, 1, NOW, b"{}")["webhook-signature"]
    others = [
        headers_of(secret, 2, NOW, b"{}"),
        headers_of(secret, 1, NOW + timedelta(seconds=1), b"{}"),
        headers_of(secret, 1, NOW, b"{ }"),
        headers_of(new_secret(bytes([1]) * 24), 1, NOW, b"{}"),
    ]
    assert first not in [other["webhook-signature"] for other in others]


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        headers_of("whsec_not base64!", 1, NOW, b"{}")


def test_each_try_waits_longer_and_the_last_is_the_last() -> None:
    tries = [next_try(attempts, NOW) for attempts in range(1, len(WAITS) + 2)]
    assert tries[-1] is None
    moments = [at for at in tries if at is not None]
    assert len(moments) == len(WAITS)
    assert all(sooner < later for sooner, later in pairwise(moments))
    assert moments[0] == NOW + timedelta(seconds=5)


def test_whoever_asks_for_time_gets_it() -> None:
    assert next_try(1, NOW, 90) == NOW + timedelta(seconds=90)
    assert next_try(2, NOW, 90) == NOW + timedelta(minutes=5)
    assert rest_after(1, NOW, 3_600) == NOW + timedelta(hours=1)


def test_an_address_that_is_down_rests_twice_as_long_each_time() -> None:
    rests = [rest_after(failures, NOW) - NOW for failures in range(1, 20)]
    assert rests[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert max(rests) == LONGEST_REST
