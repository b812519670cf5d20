"""SendGrid's signed event webhook, for mail that came by SMTP.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event ·
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.sandbox.callbacks import Build, Post
from channels.sandbox.world import World

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


class EventWebhook:
    """Makes and signs events with a key pair of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key = b64encode(
            self._key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).decode()
        """As SendGrid shows it: SubjectPublicKeyInfo in DER and base64."""

    def event(self, kind: str, email: str, message_id: str, sid: str, unique: dict[str, Any], **more: Any) -> Build:
        """One event, ready to be called. The same `Build` called again is the same event (same ``sg_event_id``).

        `sid` is our name for the mail, the same in all its events; `message_id` is what its sender called it.
        """
        body = {
            **unique,
            "email": email,
            "event": kind,
            "timestamp": int(self._world.clock()),
            "smtp-id": message_id,
            "sg_event_id": secrets.token_urlsafe(18),
            "sg_message_id": sid,
            **more,
        }
        return partial(self._sign, json.dumps([body]).encode())

    def _sign(self, body: bytes) -> Post | None:
        if not self._world.email_webhook:
            return None
        timestamp = str(int(self._world.clock()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return Post(
            url=self._world.email_webhook,
            body=body,
            headers={
                "Content-Type": "application/json;charset=utf-8",
                SIGNATURE: b64encode(signature).decode(),
                TIMESTAMP: timestamp,
                "User-Agent": "SendGrid Event API",
            },
            until_taken=True,
        )
