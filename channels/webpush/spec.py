"""What the router knows of the webpush channel before it is set up."""

from __future__ import annotations

from channels.webpush.payload import MOST_BYTES
from router.core.channel import ChannelSpec, Idempotency, Setting
from router.core.push import push_host

SPEC = ChannelSpec(
    name="webpush",
    address_kind="webpush",
    max_length=MOST_BYTES,
    receipts=False,
    inbound=False,
    idempotency=Idempotency.COLLAPSE,
    media=True,
    buttons=2,  # Notification.maxActions of Chromium; browsers with fewer leave out the rest
    subject=True,
    strangers=True,
    bound=True,
    sealed_address=True,
    limit_key=lambda address: ("host", push_host(address)),
    settings=(
        Setting(
            name="vapid_private_key",
            help="P-256 key that browsers subscribe to, 32 bytes of base64url or PEM; never change it",
            secret=True,
        ),
        Setting(name="vapid_subject", help="How push services reach you: mailto:office@example.org or https://…"),
    ),
)
