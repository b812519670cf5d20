"""Telegram over its Bot API: private chats, groups and their topics, channels.

    spec      what the router knows of the channel
    adapter   the channel: sending, editing, listening
    request   calls of the Bot API: python-telegram-bot's reading of answers over our wire
    codes     what Telegram's refusals mean
    updates   webhooks and fetched updates to events
    fields    careful reading of untrusted JSON

Documentation: https://core.telegram.org/bots/api
"""
