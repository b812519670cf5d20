"""Web Push subscriptions as addresses: what a browser hands out (W3C Push API), in one line of text.

``endpoint p256dh auth``: the address at the browser's push service, the browser's public key and its secret, both in
base64url. Browsers of strangers bring these, so nothing of them is believed.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable
from urllib.parse import urlsplit

from router.core.errors import BadAddress

P256DH = 65
"""Bytes of an uncompressed point on P-256 (RFC 8291, 3.1); the first of them is 4."""
AUTH = 16
"""Bytes of the authentication secret (RFC 8291, 3.2)."""
LONGEST_ENDPOINT = 1_300
"""Characters. Those of Google and Mozilla have about 200, those of Windows up to 600. With its keys and sealed this
makes 1,931, and the ledger has room for 2,000."""

_PRINTABLE = re.compile(r"[!-~]+")


class Subscription(NamedTuple):
    """Where a browser is reached, and the keys that only it can decrypt with."""

    endpoint: str
    p256dh: bytes
    auth: bytes


@runtime_checkable
class Subscribing(Protocol):
    """A channel that browsers subscribe to."""

    public_key: str
    """The ``applicationServerKey`` of the Push API, in base64url: a subscription belongs to it (RFC 8292, 4)."""


def parse_subscription(text: str) -> Subscription:
    """Read an address that `subscription_value` wrote. Raises `BadAddress` where it is none."""
    parts = text.split(" ")
    if len(parts) != 3:
        raise BadAddress("this is no push subscription")
    endpoint, p256dh, auth = parts
    return Subscription(_endpoint(endpoint), _point(p256dh), _key(auth, AUTH, "auth"))


def subscription_value(subscription: Mapping[str, object]) -> str:
    """The address of a browser, from what its ``PushSubscription.toJSON()`` gives.

    Raises `BadAddress`, which never repeats the endpoint: whoever knows it can annoy its owner.
    """
    keys = subscription.get("keys")
    if not isinstance(keys, Mapping):
        raise BadAddress("this push subscription has no keys", place="keys")
    endpoint = _endpoint(_text(subscription, "endpoint"))
    p256dh = _point(_text(keys, "p256dh"))
    auth = _key(_text(keys, "auth"), AUTH, "auth")
    return f"{endpoint} {_spell(p256dh)} {_spell(auth)}"


def push_host(value: str) -> str:
    """The push service that an address belongs to, as it stands in the endpoint: lower case, without port."""
    try:
        return urlsplit(value.partition(" ")[0]).hostname or ""
    except ValueError:
        return ""


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise BadAddress(f"this push subscription has no {name}", place=name)
    return value


def _endpoint(url: str) -> str:
    """A checked endpoint: encrypted on the way (RFC 8030, 8), but for a push service on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadAddress("the endpoint of this push subscription is no web address", place="endpoint") from None
    if not _PRINTABLE.fullmatch(url) or len(url) > LONGEST_ENDPOINT or not host or "@" in parts.netloc or port == 0:
        raise BadAddress("the endpoint of this push subscription is no web address", place="endpoint")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise BadAddress("the endpoint of a push subscription begins with https://", place="endpoint")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _point(text: str) -> bytes:
    point = _key(text, P256DH, "p256dh")
    if point[0] != 4:
        raise BadAddress("the key p256dh of this push subscription is no uncompressed point", place="p256dh")
    return point


def _key(text: str, length: int, name: str) -> bytes:
    """Bytes of a key in base64url, with padding or without."""
    bare = text.rstrip("=")
    try:
        raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != length or _spell(raw) != bare:
        raise BadAddress(f"the key {name} of this push subscription is not {length} bytes of base64url", place=name)
    return raw


def _spell(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
