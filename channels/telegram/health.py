"""What Telegram says of a bot and its webhook, and what is to be mended about it."""

from __future__ import annotations

from datetime import datetime

from channels.telegram.fields import Fields, number, text
from channels.telegram.updates import WANTED
from router.core.channel import Health

RECENT_SECONDS = 3_600
"""A failure of the webhook that is older than this says nothing of now."""


def health(me: Fields, webhook: Fields, *, username: str, expected: str, now: datetime) -> Health:
    """From getMe and getWebhookInfo. `expected` is the address that the webhook should have, "" where we listen."""
    name, url = text(me, "username"), text(webhook, "url")
    mend = [*_of_name(name, username), *_of_webhook(webhook, url, expected, now), *_of_groups(me)]
    return Health(who=f"@{name}", webhook=url, mend=tuple(mend))


def _of_name(name: str, username: str) -> list[str]:
    if name.lower() == username.lower():
        return []
    return [f"set OUTREACH_TELEGRAM_USERNAME={name}, so that links to the bot and words to it in groups are known"]


def _of_webhook(webhook: Fields, url: str, expected: str, now: datetime) -> list[str]:
    if not expected:
        return ["a webhook is set, so that Telegram lets nobody fetch updates: call deleteWebhook"] if url else []
    if url != expected:
        return [f"Telegram does not call {expected}: call setWebhook with it and the webhook secret"]
    mend = []
    allowed = webhook.get("allowed_updates")
    missing = [kind for kind in WANTED if isinstance(allowed, list) and kind not in allowed]
    if missing:
        mend.append(f"the webhook leaves out {', '.join(missing)}: call setWebhook with allowed_updates")
    if 0 <= now.timestamp() - number(webhook, "last_error_date") < RECENT_SECONDS:
        mend.append(f"Telegram could not reach the webhook lately: {text(webhook, 'last_error_message')[:200]}")
    return mend


def _of_groups(me: Fields) -> list[str]:
    mend = []
    if me.get("can_join_groups") is False:
        mend.append("the bot cannot be added to groups: /setjoingroups at @BotFather")
    if me.get("can_read_all_group_messages") is True:
        mend.append("Telegram shows the bot every word of its groups: turn privacy mode on with /setprivacy")
    return mend
