"""Every channel this program knows. A new one is one module, one line here and one table of contract cases."""

from __future__ import annotations

from channels.apprise import AppriseChannel
from channels.email import EmailChannel
from channels.fcm import FcmChannel
from channels.slack import SlackChannel
from channels.sms import SmsChannel
from channels.telegram import TelegramChannel
from channels.webpush import WebPushChannel
from channels.whatsapp import WhatsAppChannel
from router.core.channel import Channel

REGISTRY: dict[str, type[Channel]] = {
    "sms": SmsChannel,
    "slack": SlackChannel,
    "email": EmailChannel,
    "fcm": FcmChannel,
    "telegram": TelegramChannel,
    "webpush": WebPushChannel,
    "whatsapp": WhatsAppChannel,
    "apprise": AppriseChannel,
}
