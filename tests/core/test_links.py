"""Personal links: short, ours alone, and opened by people."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.links import (
    PREFETCH_AGENTS,
    _sum,
    action_token,
    is_prefetch,
    read_action_token,
    read_unsubscribe_token,
    unsubscribe_token,
)
from router.core.model import DeliveryRef

KEY = b"k" * 32
KINDS = [(action_token, read_action_token), (unsubscribe_token, read_unsubscribe_token)]
refs = st.builds(
    DeliveryRef,
    st.builds(lambda year, month: year * 100 + month, st.integers(2000, 9999), st.integers(1, 12)),
    st.one_of(st.integers(0, 3_000_000), st.integers(0, 2**63 - 1)),
)
URL_SAFE = set(string.ascii_letters + string.digits + "-_")


@given(refs, st.binary(min_size=16, max_size=100))
def test_a_token_leads_back_to_its_delivery(ref: DeliveryRef, key: bytes) -> None:
    for make, read in KINDS:
        token = make(key, ref)
        assert read(key, token) == ref
        assert set(token) <= URL_SAFE
        assert make(key, ref) == token


def test_tokens_are_short_enough_for_a_text_message() -> None:
    assert len(action_token(KEY, DeliveryRef(202611, 2_000_000))) == 15
    assert len(action_token(KEY, DeliveryRef(209912, 50_000_000_000))) <= 20


@given(refs)
def test_a_token_is_good_for_its_own_purpose_and_key_only(ref: DeliveryRef) -> None:
    assert read_unsubscribe_token(KEY, action_token(KEY, ref)) is None
    assert read_action_token(KEY, unsubscribe_token(KEY, ref)) is None
    for make, read in KINDS:
        assert read(b"x" * 32, make(KEY, ref)) is None
        assert read(KEY + b"\x00", make(KEY, ref)) is None


def test_each_purpose_signs_in_its_own_way_whatever_the_length() -> None:
    assert _sum(KEY, b"one", 6, b"x") != _sum(KEY, b"other", 6, b"x")


@given(refs, st.data())
def test_an_altered_token_is_nobodys(ref: DeliveryRef, data: st.DataObject) -> None:
    for make, read in KINDS:
        token = make(KEY, ref)
        at = data.draw(st.integers(0, len(token) - 1))
        other = data.draw(st.sampled_from(sorted(URL_SAFE | set("+/= ."))))
        changed = token[:at] + other + token[at + 1 :]
        assert read(KEY, changed) == (ref if changed == token else None)
        for spelled in (token + "=", token + "A", token[:-1], " " + token, token + "\n", token[:at] + "." + token[at:]):
            assert read(KEY, spelled) is None


@given(st.one_of(st.text(max_size=60), st.text(st.sampled_from("Aa0-_=+/"), max_size=45)))
def test_anything_else_is_nobodys_and_never_raises(token: str) -> None:
    for _, read in KINDS:
        assert read(KEY, token) is None


@pytest.mark.parametrize(
    "ref", [DeliveryRef(202613, 1), DeliveryRef(202600, 1), DeliveryRef(199912, 1), DeliveryRef(202611, -1)]
)
def test_an_impossible_delivery_has_no_token(ref: DeliveryRef) -> None:
    with pytest.raises(ValueError, match="no such"):
        action_token(KEY, ref)


def test_a_key_that_anybody_could_guess_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        action_token(b"", DeliveryRef(202611, 1))


PEOPLE = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 8.1.0; CUBOT_NOTE_S) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0 Mobile Safari",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "
    "Edg/126.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "[FBAN/FBIOS;FBAV/468.0]",
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile "
    "Safari/537.36 Telegram-Android/10.14 (Google Pixel 8)",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80 (S60; SymbOS) Presto/2.5.25 Version/10.54",
]

MACHINES = [
    "",
    "   ",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 "
    "Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "WhatsApp/2.24.11.79 A",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Microsoft Office Existence Discovery",
    "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Google-PageRenderer Google (+https://developers.google.com/+/web/snippet/)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "Go-http-client/1.1",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_person_is_a_click(agent: str) -> None:
    assert not is_prefetch("GET", {"User-Agent": agent})
    assert not is_prefetch("post", {"user-agent": agent, "Sec-Fetch-Mode": "navigate"})


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_is_no_click(agent: str) -> None:
    assert is_prefetch("GET", {"User-Agent": agent})


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("OPTIONS", {}),
        ("GET", {"Purpose": "prefetch"}),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}),
        ("GET", {"sec-purpose": "Prefetch"}),
        ("GET", {"X-Moz": "prefetch"}),
        ("GET", {"X-Purpose": "preview"}),
    ],
)
def test_a_persons_browser_that_fetches_ahead_is_no_click(method: str, headers: dict[str, str]) -> None:
    assert is_prefetch(method, {"User-Agent": PEOPLE[0], **headers})


def test_a_request_without_headers_is_no_click() -> None:
    assert is_prefetch("GET", {})


def test_the_list_is_written_as_it_is_compared() -> None:
    assert all(part == part.lower().strip() for part in PREFETCH_AGENTS)
    assert len(set(PREFETCH_AGENTS)) == len(PREFETCH_AGENTS)
