"""What the router knows of the telegram channel before it is set up."""

from __future__ import annotations

from router.core.channel import ChannelSpec, Idempotency, Setting


def limit_key(address: str) -> tuple[str, str]:
    """Telegram limits private chats by the second and groups, with their topics, by the minute (FACTS.md 1.3)."""
    chat = address.partition("/")[0]
    return ("group", chat) if chat.startswith("-") else ("chat", chat)


SPEC = ChannelSpec(
    name="telegram",
    address_kind="telegram",
    max_length=4096,  # `text` of https://core.telegram.org/bots/api#sendmessage
    receipts=False,
    inbound=True,
    idempotency=Idempotency.NONE,
    groups=True,
    media=True,
    buttons=8,
    bound=True,
    limit_key=limit_key,
    settings=(
        Setting(name="token", help="The bot's token, from @BotFather", secret=True),
        Setting(
            name="webhook_secret",
            help="secret_token of setWebhook (letters, digits, _ and -); needed unless listen is yes",
            secret=True,
            required=False,
        ),
        Setting(name="listen", help="yes to fetch updates ourselves, without a webhook", required=False, default="no"),
        Setting(name="username", help="The bot's name without @: for links to it and in groups", required=False),
        Setting(name="api_url", help="Address of the API", required=False, default="https://api.telegram.org"),
    ),
)
