"""Short signed links of our own: ``/a/{token}`` leads to an ask's destination, ``/u/{token}`` unsubscribes.

A token is the delivery's name and a keyed BLAKE2b sum of it, base64url without padding. It holds no address and no
destination: what it leads to stands in the ledger, may be edited after the launch, and cannot be bent by anybody who
passes the link on. Each purpose has its own sum, so that no token of one kind passes as the other.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from router.core.model import DeliveryRef

ACTION_SUM = 6
"""Bytes. Guessing one of 2^48 over the network is hopeless, and an action link is not worth more characters of SMS."""
UNSUBSCRIBE_SUM = 12
"""Bytes. It stands in email headers, where length is free."""
LONGEST_TOKEN = 40
"""Characters; anything longer is not ours."""

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_FIRST_YEAR = 2000
_LARGEST_ID = 2**63 - 1


def action_token(key: bytes, ref: DeliveryRef) -> str:
    """The token of a member's personal link: 15 characters while ids are small. ValueError for an impossible `ref`."""
    return token_of(key, b"outreach.action", ACTION_SUM, ref)


def read_action_token(key: bytes, token: str) -> DeliveryRef | None:
    """The delivery that an action link belongs to; None for anything that we did not make."""
    return ref_of(key, b"outreach.action", ACTION_SUM, token)


def unsubscribe_token(key: bytes, ref: DeliveryRef) -> str:
    """The token of a one-click unsubscribe link. ValueError for an impossible `ref`."""
    return token_of(key, b"outreach.unsub", UNSUBSCRIBE_SUM, ref)


def read_unsubscribe_token(key: bytes, token: str) -> DeliveryRef | None:
    """The delivery that an unsubscribe link belongs to; None for anything that we did not make."""
    return ref_of(key, b"outreach.unsub", UNSUBSCRIBE_SUM, token)


@lru_cache(maxsize=16)
def _keyed(key: bytes, purpose: bytes, size: int) -> blake2b:
    if len(key) < 16:
        raise ValueError("a signing key has at least 16 bytes")
    fitting = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
    return blake2b(key=fitting, person=purpose, digest_size=size)


def token_of(key: bytes, purpose: bytes, size: int, ref: DeliveryRef) -> str:
    """A token with which this `purpose` names a delivery. ValueError for an impossible `ref`."""
    if not 0 <= ref.id <= _LARGEST_ID:
        raise ValueError("no such delivery reference")
    payload = _month(ref.month) + _varint(ref.id)
    return _spell(payload + _sum(key, purpose, size, payload))


def ref_of(key: bytes, purpose: bytes, size: int, token: str) -> DeliveryRef | None:
    """The delivery that a token of this `purpose` names; None for anything that we did not make."""
    if len(token) > LONGEST_TOKEN or not token.isascii():
        return None
    try:
        raw = binascii.a2b_base64(token.encode().translate(_FROM_URL) + b"=" * (-len(token) % 4))
    except binascii.Error:
        return None
    payload, mac = raw[:-size], raw[-size:]
    # A second spelling of the same bytes (stray characters, unused bits) is not ours either.
    if not compare_digest(mac, _sum(key, purpose, size, payload)) or _spell(raw) != token:
        return None
    month, rest = _read_varint(payload)
    number, _ = _read_varint(rest)
    return DeliveryRef((_FIRST_YEAR + month // 12) * 100 + month % 12 + 1, number)


def _sum(key: bytes, purpose: bytes, size: int, payload: bytes) -> bytes:
    mac = _keyed(key, purpose, size).copy()
    mac.update(payload)
    return mac.digest()


def _spell(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_TO_URL).decode()


@lru_cache(maxsize=64)
def _month(month: int) -> bytes:
    year, of_year = divmod(month, 100)
    if not (_FIRST_YEAR <= year <= 9999 and 1 <= of_year <= 12):
        raise ValueError("no such month")
    return _varint((year - _FIRST_YEAR) * 12 + of_year - 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(data: bytes) -> tuple[int, bytes]:
    """The number that `data` begins with and what follows it; only for bytes whose sum was right."""
    number = 0
    for index, byte in enumerate(data):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, data[index + 1 :]
    return number, b""


PREFETCH_AGENTS: Final[tuple[str, ...]] = (
    # Previews in messengers and social networks, by their makers' own pages:
    "facebookexternalhit",  # developers.facebook.com/docs/sharing/webmasters/web-crawlers (iMessage pretends to be it)
    "facebookcatalog",
    "facebot",
    "meta-external",
    "slackbot",  # api.slack.com/robots
    "slack-imgproxy",
    "whatsapp/",  # WhatsApp and Signal previews; people open links in their browser
    "telegrambot",
    "twitterbot",
    "linkedinbot",
    "discordbot",
    "skypeuripreview",  # Skype and Microsoft Teams
    "microsoftpreview",  # www.bing.com/webmasters/help/which-crawlers-does-bing-use-8c184ec0
    "bingpreview",
    "mastodon/",
    "synapse",  # Matrix
    # Mail programs and scanners of links in mail:
    "ms-office",
    "msoffice",
    "microsoft office",  # "Microsoft Office Existence Discovery" and its kind
    "microsoft-webdav",
    "safelinks",
    "googleimageproxy",
    "yahoomailproxy",
    "barracuda",
    "mimecast",
    "proofpoint",
    "forcepoint",
    "trendmicro",
    "virustotal",
    "urlscan",
    # Search engines and what calls itself a robot:
    "google-",  # developers.google.com/search/docs/crawling-indexing/overview-google-crawlers
    "googlebot",
    "googleother",
    "applebot",
    "bot/",
    "bot.htm",
    "robot",
    "crawler",
    "spider",
    "slurp",
    "preview",
    "prefetch",
    "scanner",
    "headless",
    # Programs, not people:
    "curl/",
    "wget/",
    "python-requests",
    "python-urllib",
    "python/",
    "aiohttp",
    "httpx",
    "go-http-client",
    "libwww",
    "java/",
    "okhttp/",
    "apache-httpclient",
    "node-fetch",
    "axios/",
    "postmanruntime",
    "phantomjs",
)
"""Parts of lower-case User-Agent headers of what opens a link without a person having touched it."""

_PURPOSE_HEADERS = ("purpose", "sec-purpose", "x-purpose", "x-moz")


def is_prefetch(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a link was opened by a scanner, a preview or a prefetch, so that it is no click.

    Header names may have any case. A scanner that pretends to be a person's browser cannot be told apart here.
    """
    if method.upper() not in ("GET", "POST"):
        return True
    lower = {name.lower(): value for name, value in headers.items()}
    purposes = " ".join(lower.get(name, "") for name in _PURPOSE_HEADERS).lower()
    if "prefetch" in purposes or "preview" in purposes or "prerender" in purposes:
        return True
    agent = lower.get("user-agent", "").strip().lower()
    return not agent or any(part in agent for part in PREFETCH_AGENTS)
