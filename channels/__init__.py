"""Every channel this program knows. A new one is one module, one line here and one table of contract cases."""

from __future__ import annotations

from channels.email import EmailChannel
from channels.sms import SmsChannel
from router.core.channel import Channel

REGISTRY: dict[str, type[Channel]] = {
    "sms": SmsChannel,
    "email": EmailChannel,
}
