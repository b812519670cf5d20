"""What the router knows of the fcm channel before it is set up."""

from __future__ import annotations

from router.core.channel import ChannelSpec, Idempotency, Setting

SPEC = ChannelSpec(
    name="fcm",
    address_kind="fcm",
    max_length=3500,
    receipts=False,
    inbound=False,
    idempotency=Idempotency.COLLAPSE,
    media=True,
    subject=True,
    bound=True,
    sealed_address=True,
    settings=(
        Setting(
            name="service_account",
            help="JSON key of a Firebase service account, or base64 of it",
            secret=True,
        ),
        Setting(name="api_url", help="Address of the API", required=False, default="https://fcm.googleapis.com"),
    ),
)
