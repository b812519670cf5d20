"""What has the shape of an address or a secret is not shown, and what only resembles one is."""

from __future__ import annotations

import time

import pytest

from router.core.masking import exactly, is_secret, mask, mask_value

HIDDEN = [
    ("call +12025550100 now", "call (phone) now"),
    ("(202) 555-0100", "(phone)"),
    ("from 12025550100", "from (phone)"),
    ("0044 20 7946 0958", "(phone)"),
    ("sms/main/+12025550100 rests", "sms/main/(phone) rests"),
    ("to ana.b+x@mail.example.org, please", "to (email), please"),
    ("<ü@bücher.example>", "<(email)>"),
    ("postgresql://u:p4ss/w@db.example.org/x", "postgresql://(secret)@db.example.org/x"),
    ("redis://:pw@cache:6379", "redis://(secret)@cache:6379"),
    ("GET https://api.example.org/x?a=1&phone=1", "GET https://api.example.org/x?(secret)"),
    ("https://x.example/m/AbCdEfGh1234/why", "https://x.example/m/(token)/why"),
    ("POST /u/AAAAbbbbcccc", "POST /u/(token)"),
    ("/e/12/AAAAbbbbcccc.ics", "/e/12/(token)"),
    ("Authorization: Bearer ort_abcdef012345", "Authorization: Bearer (token)"),
    ("basic dXNlcjpwYXNz", "basic (token)"),
    ("auth_token=hunter22 next", "auth_token=(secret) next"),
    ("{'password': 'hunter2', 'n': 1}", "{'password': '(secret)', 'n': 1}"),
    ("token eyJhbGciOi.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", "token (token)"),
    ("bot 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "bot (token)"),
    ("key AC" + "0" * 32, "key (token)"),
    ("drawn qWeRtYuIoPaSdFgHjKlZxCvB", "drawn (token)"),
]

SHOWN = [
    "campaign 1234 is paused: 5 of 50,000 asked for silence",
    "last seen 2026-11-22 18:30 UTC",
    "cannot connect to 192.168.100.200:5432",
    "DeliveryRef(month=202611, id=12345678)",
    "AsyncAdaptedQueuePool limit of outreach_group_commit_events",
    "the token bucket is empty; no secret here",
    "a range of 1000 took 12.5 ms",
]


@pytest.mark.parametrize(("text", "masked"), HIDDEN)
def test_addresses_and_secrets_become_one_word(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize("text", SHOWN)
def test_what_operators_need_stays(text: str) -> None:
    assert mask(text) == text


def test_values_are_masked_by_name_and_by_shape() -> None:
    deep = {"auth_token": "short", "to": ["+12025550100", 12025550100, 7, None, True], "x": {"Cookie": "a"}}
    assert mask_value("event", deep) == {
        "auth_token": "(secret)",
        "to": ["(phone)", "(phone)", 7, None, True],
        "x": {"Cookie": "(secret)"},
    }
    assert mask_value("error", ValueError("ana@example.org")) == "(email)"
    assert [is_secret(name) for name in ("X-Api-Key", "secret_key", "channel", "secretary")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_secret_that_is_known_goes_wherever_it_stands() -> None:
    known = exactly(["correct horse", "short", "correct horse battery"])
    assert mask("x correct horse battery y correct horses short", known) == "x (secret) y (secret)s short"
    assert exactly(["short"]) is None


def test_no_text_takes_long() -> None:
    """Aim: a tenth of a second for the longest message; no shape may go back and forth over all of it."""
    for hostile in ("+1", "a@", "a.", "1 ", "token", "a-", "://", "/m/", "'\"="):
        text = hostile * (8_000 // len(hostile))
        began = time.process_time()
        mask(text)
        assert time.process_time() - began < 0.5, hostile
