"""What the router knows of the apprise channel before it is set up."""

from __future__ import annotations

from router.core.channel import ChannelSpec, Idempotency, Setting

SPEC = ChannelSpec(
    name="apprise",
    address_kind="apprise",
    max_length=2000,
    receipts=False,
    inbound=False,
    idempotency=Idempotency.NONE,
    people=False,
    groups=True,
    subject=True,
    settings=(
        Setting(
            name="targets",
            help="Group chats as NAME=APPRISE-ADDRESS, one a line or separated by semicolons; posts only: "
            "nobody can answer there, and whether a post arrived is not told",
            secret=True,
        ),
    ),
)
"""`max_length` is Discord's, the narrowest of the common ones: https://discord.com/developers/docs/resources/webhook"""
