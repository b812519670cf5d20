"""A push service and the browsers behind it: it checks what RFC 8030 and RFC 8292 ask for, and really decrypts.

A browser is a name in the endpoint (``/webpush/ana``). Its keys are made from that name, so any number of them can
subscribe without the service keeping anything; a notification stands on its screen until another of its tag comes.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from functools import partial
from hmac import compare_digest
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from yarl import URL

from channels.sandbox.browsers import decode, decrypt, encode, point, private_key, public_keys
from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Entry
from channels.sandbox.world import World

SUBJECT = "mailto:office@example.org"
MOST_BODY = 4096
"""Bytes of body that every service takes (RFC 8030, 7.2)."""
HUMAN = {"User-Agent": "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile"}
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_VAPID = re.compile(r"vapid t=([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86}), ?k=([A-Za-z0-9_-]{87})")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_ERRNO = {400: 110, 401: 109, 404: 102, 410: 106, 413: 104, 429: 201, 500: 999}
"""As Mozilla's service has them: https://mozilla-services.github.io/autopush-rs/errors.html"""


class WebPush:
    """One push service; browsers are subscribed to one VAPID key, which is the sandbox's own."""

    prefix = "/webpush/"

    def __init__(self, world: World) -> None:
        self._world = world
        self._vapid = private_key("vapid")
        self.public_key = encode(point(self._vapid))
        """What browsers would subscribe to."""
        self._claims: dict[str, Mapping[str, Any]] = {}
        self._gone: set[str] = set()
        self._answered: dict[str, int] = {}
        self._screens: dict[str, dict[str, dict[str, Any]]] = {}
        """Endpoint → tag → the notification that stands there."""
        self._visits: set[asyncio.Task[None]] = set()

    def environment(self, http_url: str) -> dict[str, str]:
        """The variables that make the real channel send with the key that these browsers are subscribed to."""
        number = self._vapid.private_numbers().private_value
        return {
            "OUTREACH_WEBPUSH_VAPID_PRIVATE_KEY": encode(number.to_bytes(32)),
            "OUTREACH_WEBPUSH_VAPID_SUBJECT": SUBJECT,
        }

    def subscription(self, http_url: str, name: str) -> dict[str, Any]:
        """What the browser of this name would hand out: ``PushSubscription.toJSON()``."""
        endpoint = f"{http_url}{self.prefix}{quote(name, safe='')}"
        return {"endpoint": endpoint, "expirationTime": None, "keys": public_keys(name)}

    def address(self, http_url: str, name: str) -> str:
        """The same as the router keeps it: ``endpoint p256dh auth``."""
        keys = public_keys(name)
        return f"{http_url}{self.prefix}{quote(name, safe='')} {keys['p256dh']} {keys['auth']}"

    def screen(self, endpoint: str) -> list[dict[str, Any]]:
        """The notifications that stand on a browser's screen, oldest first."""
        return list(self._screens.get(endpoint, {}).values())

    def handle(self, request: Request) -> Reply:
        """Answer one push message."""
        world = self._world
        refusal = world.refusal()
        if refusal:
            return self._refuse(500 if refusal == "error" else 429)
        if request.method != "POST":
            return self._refuse(404)
        endpoint = f"http://{request.headers.get('host', '')}{request.path}"
        status = self._fault(request, endpoint)
        if status:
            return self._refuse(status)
        try:
            payload = json.loads(decrypt(request.body, unquote(request.path.removeprefix(self.prefix))))
        except (ValueError, InvalidTag):
            payload = None
        # A real service cannot look inside; this one is the browser too, and tells at once that nothing would be shown.
        if not isinstance(payload, dict) or not isinstance(payload.get("title"), str):
            return self._refuse(400)
        return self._accept(endpoint, request.headers.get("topic", ""), payload)

    def answer(self, address: str, text: str) -> None:
        """Its owner presses the button of that keyword on the newest notification that has one; STOP unsubscribes.

        `address` is the endpoint. Raises ValueError where there is nothing to press.
        """
        if text.strip().upper() == "STOP":
            self._leave(address)
            return
        for shown in reversed(self.screen(address)):
            if any(action.get("action", "").partition("|")[0] == text for action in shown.get("actions", ())):
                self._press(address, shown, text)
                return
        raise ValueError(f"text: no notification there has a button for {text[:20]!r}")

    async def idle(self) -> None:
        """Return once no page is being opened."""
        while self._visits:
            await asyncio.wait(self._visits)

    async def aclose(self) -> None:
        """Open no more pages."""
        for visit in list(self._visits):
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    # ── the service ───────────────────────────────────────────────────────────────────────────────────────────────

    def _fault(self, request: Request, endpoint: str) -> int:
        """The status of a message that a push service would not take, or 0."""
        headers = request.headers
        ttl, topic = headers.get("ttl", ""), headers.get("topic")
        if not (ttl.isascii() and ttl.isdigit()) or headers.get("urgency", "normal") not in _URGENCIES:
            return 400
        if (topic is not None and not _TOPIC.fullmatch(topic)) or headers.get("content-encoding") != "aes128gcm":
            return 400
        if not self._knows(headers.get("authorization", ""), endpoint):
            return 401
        if endpoint in self._gone:
            return 410
        return self._world.knobs.refuse.get(endpoint, 0) or (413 if len(request.body) > MOST_BODY else 0)

    def _knows(self, authorization: str, endpoint: str) -> bool:
        """Whether this is the token of whoever these browsers are subscribed to (RFC 8292, 2, 3 and 4.2)."""
        claims = self._claims.get(authorization)
        if claims is None:
            claims = self._claims[authorization] = self._verified(authorization)
        origin = endpoint[: endpoint.index("/", len("http://"))]
        expires = claims.get("exp")
        in_time = isinstance(expires, int) and 0 < expires - self._world.clock() <= 86_400
        return claims.get("aud") == origin and in_time and bool(claims.get("sub"))

    def _verified(self, authorization: str) -> Mapping[str, Any]:
        """What a token says; nothing where it is not signed by our key. Remembered, because it serves for hours."""
        found = _VAPID.fullmatch(authorization)
        if found is None or not compare_digest(found[4], self.public_key):
            return {}
        signature = decode(found[3])
        der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        try:
            self._vapid.public_key().verify(der, f"{found[1]}.{found[2]}".encode(), ec.ECDSA(hashes.SHA256()))
            claims = json.loads(decode(found[2]))
        except (InvalidSignature, ValueError):
            return {}
        return claims if isinstance(claims, dict) else {}

    def _refuse(self, status: int) -> Reply:
        self._world.memory.counters[f"refused_webpush_{status}"] += 1
        headers = (("Retry-After", f"{self._world.knobs.retry_after:g}"),) if status == 429 else ()
        body = {"code": status, "errno": _ERRNO.get(status, 999), "error": "refused"}
        return json_reply(body, status, headers=headers, delay=self._world.latency())

    def _accept(self, endpoint: str, topic: str, payload: Mapping[str, Any]) -> Reply:
        world = self._world
        delivery = str(payload.get("delivery", "")).replace("\t", " ")
        code = world.knobs.fail.get(endpoint, 0)
        words = str(payload.get("body", ""))
        number = world.memory.accepted.add("webpush", endpoint, topic, delivery, words, world.clock(), code)
        self._show(endpoint, dict(payload), number, code)
        location = f"{endpoint}/{world.memory.accepted.sid(number, 'WP')}"
        headers = (("Location", location), ("TTL", "0"))
        return Reply(201, b"", headers=headers, delay=world.latency(), ending=world.ending())

    # ── the browser and its owner ─────────────────────────────────────────────────────────────────────────────────

    def _show(self, endpoint: str, payload: dict[str, Any], number: int, code: int) -> None:
        world, now = self._world, self._world.clock()
        text = "\n".join(str(payload[name]) for name in ("title", "body", "url") if payload.get(name))
        world.memory.note("webpush", endpoint, Entry("arrived", text, now, number), "web push")
        if code:
            world.memory.note("webpush", endpoint, Entry("note", f"did not arrive ({code})", now))
            return
        screen = self._screens.setdefault(endpoint, {})
        tag = str(payload.get("tag") or number)
        if screen.pop(tag, None) is not None:
            world.memory.note("webpush", endpoint, Entry("note", "took the place of an earlier one", now))
        screen[tag] = payload
        self._by_itself(endpoint, payload)

    def _by_itself(self, endpoint: str, payload: Mapping[str, Any]) -> None:
        """Let the owner do what the knobs say: press YES or HELP where there is such a button, or leave."""
        knobs = self._world.knobs
        if self._answered.get(endpoint, 0) >= knobs.max_replies:
            return
        lot = self._world.lot("reply", endpoint)
        if lot >= knobs.p_yes + knobs.p_stop + knobs.p_help:
            return
        self._answered[endpoint] = self._answered.get(endpoint, 0) + 1
        word = "YES" if lot < knobs.p_yes else "STOP" if lot < knobs.p_yes + knobs.p_stop else "HELP"
        act = partial(self._leave, endpoint) if word == "STOP" else partial(self._press, endpoint, payload, word)
        self._world.callbacks.schedule(knobs.reply_delay, act)

    def _leave(self, endpoint: str) -> None:
        """The owner takes the permission back: the endpoint is gone (RFC 8030, 7.3)."""
        self._gone.add(endpoint)
        self._screens.pop(endpoint, None)
        self._world.memory.note("webpush", endpoint, Entry("written", "STOP", self._world.clock()))
        self._world.memory.counters["replies"] += 1

    def _press(self, endpoint: str, payload: Mapping[str, Any], word: str) -> None:
        """A button opens the notification's page with the answer in its address, as our service worker does."""
        words = [str(action.get("action", "")).partition("|")[0] for action in payload.get("actions", ())]
        if word not in words or not payload.get("url"):
            return
        self._screens.get(endpoint, {}).pop(str(payload.get("tag")), None)
        self._world.memory.note("webpush", endpoint, Entry("written", word, self._world.clock()))
        self._world.memory.counters["replies"] += 1
        visit = asyncio.get_running_loop().create_task(self._open(str(URL(str(payload["url"])) % {"answer": word})))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _open(self, url: str) -> None:
        status = 0
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15), headers=HUMAN) as session,
                session.get(URL(url, encoded=True), allow_redirects=False) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self._world.memory.counters["visits_failed"] += 1
            return
        self._world.memory.counters[f"visits_answered_{status}"] += 1
