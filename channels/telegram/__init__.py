"""Telegram over its Bot API: private chats, groups and their topics, channels.

    adapter   the channel: settings, sending, editing, listening
    request   calls of the Bot API: python-telegram-bot's reading of answers over our wire
    codes     what Telegram's refusals mean
    updates   webhooks and fetched updates to events
    fields    careful reading of untrusted JSON

Documentation: https://core.telegram.org/bots/api
"""

from __future__ import annotations

from channels.telegram.adapter import SPEC, TelegramChannel

__all__ = ["SPEC", "TelegramChannel"]
