"""A bot on Telegram.

Texts go out without a parse mode, so that nothing of them is interpreted. A picture is shown as the preview of a link,
above the text: so it stays one message, however long the text (a photo's caption ends at 1,024 characters).
https://core.telegram.org/bots/api#sendmessage · #linkpreviewoptions
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from channels.http import json_object
from channels.telegram.codes import UNCHANGED
from channels.telegram.fields import Fields, inner, items, number
from channels.telegram.health import health
from channels.telegram.request import Answer, BotApi
from channels.telegram.spec import SPEC
from channels.telegram.updates import WANTED, Bot, callback_id, read_update
from router.core.channel import (
    Health,
    HttpReply,
    HttpRequest,
    OutboundMessage,
    Received,
    Sent,
    Wire,
)
from router.core.errors import BadInput, BadWebhook, FailureClass, OutcomeUnknown, Refused, SendError

POLL_SECONDS = 25
"""How long Telegram holds a request for updates open where there are none."""
POLL_LIMIT = 35.0
"""Seconds that we wait for its answer."""

_ADDRESS = re.compile(r"(-?[1-9]\d{0,18})(?:/([1-9]\d{0,9}))?", re.ASCII)
_MESSAGE = re.compile(r"(-?[1-9]\d{0,18}):([1-9]\d{0,18})", re.ASCII)
_TOKEN = re.compile(r"([1-9]\d{0,18}):[A-Za-z0-9_-]+", re.ASCII)
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)


class TelegramChannel:
    """One bot."""

    spec = SPEC
    senders = ("",)

    def __init__(self, settings: Mapping[str, str], wire: Wire) -> None:
        token = _TOKEN.fullmatch(settings["token"].strip())
        if token is None:
            raise BadInput("is a token such as @BotFather gives", place="OUTREACH_TELEGRAM_TOKEN")
        self._api = BotApi(wire, settings.get("api_url", "https://api.telegram.org"), token.group())
        self._bot = Bot(int(token[1]), settings.get("username", "").strip().removeprefix("@"))
        self.listens = settings.get("listen", "no").strip().lower() in {"yes", "true", "1"}
        self._secret = settings.get("webhook_secret", "").strip()
        if not (_SECRET.fullmatch(self._secret) or (self.listens and not self._secret)):
            raise BadInput("is 1 to 256 letters, digits, _ and -", place="OUTREACH_TELEGRAM_WEBHOOK_SECRET")
        self._webhook_url = settings["webhook_url"]

    async def send(self, message: OutboundMessage) -> Sent:
        """Send one text; see `core.channel.Channel.send`."""
        answer = await self._api.call("sendMessage", _destination(message.to) | _content(message))
        sent = answer.result if isinstance(answer.result, dict) else {}
        chat, found = number(inner(sent, "chat"), "id"), number(sent, "message_id")
        if not (chat and found):
            raise OutcomeUnknown("200", "an answer without a message")
        return Sent(f"{chat}:{found}")

    async def edit(self, provider_id: str, message: OutboundMessage) -> None:
        """Put another text and other buttons in the place of a message; see `core.channel.Editing`."""
        found = _MESSAGE.fullmatch(provider_id)
        if found is None:
            raise Refused(FailureClass.EXPIRED, "provider id")
        which = {"chat_id": int(found[1]), "message_id": int(found[2])}
        try:
            await self._api.call("editMessageText", which | _content(message))
        except Refused as error:
            if UNCHANGED not in error.code:
                raise

    def verify(self, request: HttpRequest) -> None:
        """Check the secret that Telegram was given with the webhook: https://core.telegram.org/bots/api#setwebhook"""
        shown = request.headers.get("x-telegram-bot-api-secret-token", "").encode("utf-8", "replace")
        if request.method != "POST" or not self._secret or not hmac.compare_digest(shown, self._secret.encode()):
            raise BadWebhook("the secret token is missing or wrong")

    def receive(self, request: HttpRequest) -> Received:
        """Read an update. The press of a button is answered in our answer, which ends its button's waiting."""
        update = json_object(request.body)
        query = callback_id(update)
        reply = _answering(query) if query else HttpReply()
        return Received(events=read_update(update, self._bot, request.received_at), reply=reply)

    async def listen(self) -> AsyncIterator[Received]:
        """Fetch updates by long polling: https://core.telegram.org/bots/api#getupdates"""
        offset = 0
        while True:
            asked = {"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": WANTED}
            answer = await self._api.call("getUpdates", asked, timeout=POLL_LIMIT)
            if not isinstance(answer.result, list):
                raise OutcomeUnknown("200", "an answer without updates")
            updates = items({"result": answer.result}, "result")
            at = _date(answer)
            events = [event for update in updates for event in read_update(update, self._bot, at)]
            if events:
                yield Received(events=tuple(events))
            offset = max([offset, *(number(update, "update_id") + 1 for update in updates)])
            await asyncio.gather(*map(self._answer_press, updates))

    async def check(self, now: datetime) -> Health:
        """Ask who we are and what webhook Telegram has: https://core.telegram.org/bots/api#getwebhookinfo"""
        me = (await self._api.call("getMe", {})).result
        webhook = (await self._api.call("getWebhookInfo", {})).result
        if not (isinstance(me, dict) and isinstance(webhook, dict)):
            raise OutcomeUnknown("200", "an answer without a bot")
        expected = "" if self.listens else self._webhook_url
        return health(me, webhook, username=self._bot.username, expected=expected, now=now)

    async def aclose(self) -> None:
        """Nothing of its own: the connections are the wire's."""

    async def _answer_press(self, update: Fields) -> None:
        if query := callback_id(update):
            # A press too old to be answered is no matter, and of an outage the next poll will tell.
            with contextlib.suppress(SendError):
                await self._api.call("answerCallbackQuery", {"callback_query_id": query})


def _destination(address: str) -> dict[str, object]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise Refused(FailureClass.ADDRESS_DEAD, "address")
    chat: dict[str, object] = {"chat_id": int(found[1])}
    return chat | {"message_thread_id": int(found[2])} if found[2] else chat


def _content(message: OutboundMessage) -> dict[str, object]:
    # Without a picture no link is looked at: Telegram's robot must not open a member's own link.
    preview: dict[str, object] = {"is_disabled": True}
    if message.picture:
        preview = {"url": message.picture.url, "prefer_large_media": True, "show_above_text": True}
    content: dict[str, object] = {"text": message.text, "link_preview_options": preview}
    if message.buttons:
        content["reply_markup"] = {"inline_keyboard": _keyboard(message)}
    return content


def _keyboard(message: OutboundMessage) -> list[list[dict[str, str]]]:
    """Two buttons side by side; those that answer carry keyword and delivery, within Telegram's 64 bytes."""
    buttons = [
        {"text": button.label, "url": button.url}
        if button.url
        else {"text": button.label, "callback_data": f"{button.reply}|{message.delivery}"}
        for button in message.buttons
    ]
    return [buttons[start : start + 2] for start in range(0, len(buttons), 2)]


def _answering(query: str) -> HttpReply:
    """https://core.telegram.org/bots/api#making-requests-when-getting-updates"""
    body = json.dumps({"method": "answerCallbackQuery", "callback_query_id": query}).encode()
    return HttpReply(body=body, content_type="application/json")


def _date(answer: Answer) -> datetime | None:
    """When Telegram answered; None where its server does not say (a local one)."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
