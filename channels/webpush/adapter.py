"""Notifications in browsers, by the Web Push protocol (RFC 8030) and the services of their makers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from channels.http import failure_of
from channels.webpush.codes import STATUSES, evidence
from channels.webpush.encryption import CURVE, encrypt, padded
from channels.webpush.payload import build_payload
from channels.webpush.spec import SPEC
from channels.webpush.vapid import Vapid
from router.core.channel import (
    Health,
    HttpReply,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadAddress, BadWebhook, FailureClass, NotSent, OutcomeUnknown, Refused
from router.core.push import parse_subscription

LONGEST_HOLD = 86_400
"""Seconds for which a push service may hold a message for a browser that is off (FACTS.md 4.6) …"""
LONGEST_URGENT_HOLD = 14_400
"""… and an urgent one."""
LONGEST_NAME = 128
"""Characters of a message's name that the ledger keeps."""


class WebPushChannel:
    """One VAPID key pair, and the browsers that subscribed to it."""

    spec = SPEC
    senders = ("",)

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        self._wire = wire
        self._organization = settings["organization"]
        self._subject = settings["vapid_subject"].strip()
        self._vapid = Vapid(settings["vapid_private_key"], self._subject)
        self.public_key = self._vapid.public_key

    async def send(self, message: OutboundMessage) -> Sent:
        """Hand the message to the browser's push service; see `core.channel.Channel.send`.

        Every message has a topic, so that a second copy takes the place of the first at the service (RFC 8030, 5.4)
        and on the screen (the notification's tag): where the outcome is not known it may be sent again.
        """
        try:
            endpoint, p256dh, auth = parse_subscription(message.to)
        except BadAddress:
            raise Refused(FailureClass.ADDRESS_DEAD, "subscription") from None
        topic = message.topic or str(message.delivery)
        plaintext = padded(build_payload(message, topic=topic, organization=self._organization))
        try:
            key, salt = ec.generate_private_key(CURVE), os.urandom(16)
            body = encrypt(plaintext, p256dh=p256dh, auth=auth, key=key, salt=salt)
        except ValueError:  # 65 bytes, but no point on the curve
            raise Refused(FailureClass.ADDRESS_DEAD, "p256dh") from None
        longest = LONGEST_URGENT_HOLD if message.urgent else LONGEST_HOLD
        headers = {
            "TTL": str(max(0, min(message.valid_seconds, longest))),
            "Urgency": "high" if message.urgent else "normal",
            "Topic": topic,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": self._vapid.authorization(endpoint, message.now),
        }
        try:
            reply = await self._wire.request("POST", endpoint, headers=headers, body=body)
        except OutcomeUnknown as error:
            raise NotSent(FailureClass.TRANSPORT, error.code, error.detail) from None
        if _is_taken(reply):
            return Sent(_message_name(reply, endpoint))
        raise failure_of(reply, STATUSES.get(reply.status), evidence(reply), message.now, idempotent=True)

    def verify(self, request: HttpRequest) -> None:
        """Push services never call us."""
        raise BadWebhook("push services have no webhooks")

    def receive(self, request: HttpRequest) -> Received:
        """Nothing: see `verify`."""
        return Received()

    async def check(self, now: datetime) -> Health:
        """Who we say we are. No push service has a call that would only prove it."""
        return Health(who=self._subject)

    async def aclose(self) -> None:
        """Nothing of its own: the connections are the wire's."""


def _is_taken(reply: HttpReply) -> bool:
    """201 is what RFC 8030 has services answer, 202 where receipts were asked for; some say a bare 200."""
    return reply.status in (201, 202) or (reply.status == 200 and not reply.body)


def _message_name(reply: HttpReply, endpoint: str) -> str:
    """The address of the message at the service; "" where it is of no use to anybody because it is too long.

    Where it begins with the browser's own, which is sealed in the ledger, what follows that.
    """
    location = reply.headers.get("location", "").removeprefix(endpoint)
    return location if len(location) <= LONGEST_NAME and location.isascii() and location.isprintable() else ""
