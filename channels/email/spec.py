"""What the router knows of the email channel before it is set up."""

from __future__ import annotations

from router.core.channel import ChannelSpec, Idempotency, Setting

SPEC = ChannelSpec(
    name="email",
    address_kind="email",
    max_length=200_000,
    receipts=True,
    inbound=False,
    idempotency=Idempotency.NONE,
    subject=True,
    html=True,
    settings=(
        Setting(name="host", help="Name of the SMTP server"),
        Setting(name="port", help="Its port; by default 465, 587 or 25, as `security` says", required=False),
        Setting(name="security", help="tls, starttls or plain", required=False, default="starttls"),
        Setting(name="username", help="Login at the SMTP server", required=False),
        Setting(name="password", help="Its password", secret=True, required=False),
        Setting(name="connections", help="How many connections to keep open", required=False, default="4"),
        Setting(name="from_address", help="Mailbox in the From line"),
        Setting(name="from_name", help="Name in the From line; the organization's by default", required=False),
        Setting(name="reply_to", help="Mailbox that answers go to", required=False),
        Setting(name="unsubscribe_mailto", help="Mailbox that takes unsubscribe mails too", required=False),
        Setting(
            name="dkim_key",
            help="RSA private key in PEM form; without it nothing is signed",
            secret=True,
            required=False,
        ),
        Setting(name="dkim_domain", help="Domain that signs; that of from_address by default", required=False),
        Setting(name="dkim_selector", help="Selector of the key in the DNS", required=False),
        Setting(name="provider", help="sendgrid where the server is SendGrid's, else empty", required=False),
        Setting(
            name="webhook_public_key",
            help="SendGrid's verification key; without it every webhook is refused",
            required=False,
        ),
    ),
)
