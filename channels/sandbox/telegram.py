"""Telegram's Bot API as far as the channel uses it, for one simulated bot.

https://core.telegram.org/bots/api · errors as ``{"ok": false, "error_code": …, "description": …}``.
"""

from __future__ import annotations

import hmac
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Entry
from channels.sandbox.telegram_people import BOT, BOT_ID, Message, People, bot
from channels.sandbox.telegram_rules import (
    MAX_CAPTION,
    MAX_TEXT,
    Given,
    RefusedError,
    keyboard,
    mapping,
    number,
    read,
    words,
)
from channels.sandbox.telegram_updates import WEBHOOK_SECRET, Updates
from channels.sandbox.world import World

TOKEN = f"{BOT_ID}:sandbox-telegram-token"
KEPT = 20_000
"""Messages that can still be edited and pressed."""
PATIENCE = 0.05
"""Seconds for which a request for updates is held open where there are none: the server cannot wake a reply."""


class Telegram:
    """One bot."""

    prefix = "/telegram/"

    def __init__(self, world: World) -> None:
        self._world = world
        self.updates = Updates(world)
        self.people = People(world, self.updates)
        self.messages: OrderedDict[tuple[int, int], Message] = OrderedDict()
        """(chat, number) → message, oldest first."""
        self.commands: list[Any] = []
        """What setMyCommands set."""
        self._methods: Mapping[str, Callable[[Given], Any]] = {
            "getMe": self._get_me,
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "editMessageText": self._edit,
            "answerCallbackQuery": self._answer_press,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
            "setMyCommands": self._set_commands,
        }

    @property
    def webhook(self) -> str:
        """Where updates are posted; "" keeps them for getUpdates."""
        return self.updates.webhook

    @webhook.setter
    def webhook(self, url: str) -> None:
        self.updates.webhook = url

    def environment(self, http_url: str) -> dict[str, str]:
        """What points the real channel here. OUTREACH_TELEGRAM_LISTEN=yes in addition turns to long polling."""
        return {
            "OUTREACH_TELEGRAM_TOKEN": TOKEN,
            "OUTREACH_TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "OUTREACH_TELEGRAM_USERNAME": BOT,
            "OUTREACH_TELEGRAM_API_URL": f"{http_url}{self.prefix.rstrip('/')}",
        }

    def answer(self, address: str, text: str) -> None:
        """Somebody answers in private; see `People.answer`."""
        self.people.answer(address, text)

    def press(self, chat: str, user: str, keyword: str) -> None:
        """Somebody presses a button in a chat; see `People.press`."""
        self.people.press(chat, user, keyword)

    def handle(self, request: Request) -> Reply:
        """Answer one request under ``/telegram/bot<token>/``."""
        token, _, method = request.path.removeprefix(f"{self.prefix}bot").partition("/")
        try:
            if not hmac.compare_digest(token.encode(), TOKEN.encode()):
                raise RefusedError(401, "Unauthorized")
            if method == "getUpdates":
                return self._get_updates(read(request))
            called = self._methods.get(method)
            if called is None:
                raise RefusedError(404, "Not Found")
            return self._answered(called(read(request)), sends=method.startswith("send"))
        except RefusedError as error:
            return self._refused(error)

    def _answered(self, result: Any, *, sends: bool) -> Reply:
        world = self._world
        ending = world.ending() if sends else ""
        return json_reply({"ok": True, "result": result}, delay=world.latency(), ending=ending)

    def _refused(self, error: RefusedError) -> Reply:
        self._world.memory.counters[f"telegram_refused_{error.status}"] += 1
        body = {"ok": False, "error_code": error.status, "description": error.description}
        if error.parameters:
            body["parameters"] = error.parameters
        return json_reply(body, error.status, delay=self._world.latency())

    # ── methods ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _get_me(self, given: Given) -> dict[str, Any]:
        return bot() | {"can_join_groups": True, "can_read_all_group_messages": False}

    def _send_message(self, given: Given) -> dict[str, Any]:
        text = words(given, "text", MAX_TEXT)
        if not text:
            raise RefusedError(400, "Bad Request: message text is empty")
        preview = mapping(given.get("link_preview_options"))
        return self._send(given, text, "" if preview.get("is_disabled") else str(preview.get("url", "")))

    def _send_photo(self, given: Given) -> dict[str, Any]:
        return self._send(given, words(given, "caption", MAX_CAPTION), str(given.get("photo", "")))

    def _send(self, given: Given, text: str, picture: str) -> dict[str, Any]:
        world = self._world
        self._hindered()
        place = self._open(given)
        buttons = keyboard(given)
        now = world.clock()
        thread = number(given, "message_thread_id")
        message = Message(place, self.people.number(), int(now), thread, text, picture, buttons)
        self.messages[place, message.id] = message
        if len(self.messages) > KEPT:
            self.messages.popitem(last=False)
        code = world.knobs.fail.get(message.address, 0)
        accepted = world.memory.accepted.add("telegram", message.address, BOT, message.delivery, text, now, code)
        self.people.arrived(message, accepted, code)
        return message.plain()

    def _edit(self, given: Given) -> dict[str, Any]:
        self._hindered()
        place = self._open(given)
        message = self.messages.get((place, number(given, "message_id")))
        if message is None:
            raise RefusedError(400, "Bad Request: message to edit not found")
        text, buttons = words(given, "text", MAX_TEXT), keyboard(given)
        if (text, buttons) == (message.text, message.buttons):
            raise RefusedError(400, "Bad Request: message is not modified: specified new message content is the same")
        message.edits.append(message.text)
        message.text, message.buttons = text, buttons
        self._world.memory.counters["telegram_edits"] += 1
        note = Entry("note", f"now reads: {message.shown()}", self._world.clock())
        self._world.memory.note("telegram", message.address, note)
        return message.plain()

    def _answer_press(self, given: Given) -> bool:
        if not self.updates.answer_press(str(given.get("callback_query_id", ""))):
            raise RefusedError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        return True

    def _get_updates(self, given: Given) -> Reply:
        if self.webhook:
            raise RefusedError(409, "Conflict: can't use getUpdates method while webhook is active")
        found = self.updates.fetch(number(given, "offset"), number(given, "limit") or 100)
        delay = 0.0 if found else min(PATIENCE, number(given, "timeout"))
        return json_reply({"ok": True, "result": found}, delay=delay)

    def _set_webhook(self, given: Given) -> bool:
        allowed = given.get("allowed_updates")
        self.updates.webhook = str(given.get("url", ""))
        self.updates.secret = str(given.get("secret_token", ""))
        self.updates.allowed = [str(kind) for kind in allowed] if isinstance(allowed, list) else []
        return True

    def _delete_webhook(self, given: Given) -> bool:
        self.updates.webhook = ""
        return True

    def _webhook_info(self, given: Given) -> dict[str, Any]:
        updates = self.updates
        info: dict[str, Any] = {"url": updates.webhook, "has_custom_certificate": False}
        info["pending_update_count"] = len(updates.waiting)
        if updates.allowed:
            info["allowed_updates"] = updates.allowed
        if updates.error:
            info |= {"last_error_date": int(updates.failed_at), "last_error_message": updates.error}
        return info

    def _set_commands(self, given: Given) -> bool:
        commands = given.get("commands")
        self.commands = list(commands) if isinstance(commands, list) else []
        return True

    # ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hindered(self) -> None:
        """Raise what the knobs put in the way before a message is accepted."""
        match self._world.refusal():
            case "error":
                raise RefusedError(500, "Internal Server Error")
            case "throttle":
                seconds = math.ceil(self._world.knobs.retry_after)
                raise RefusedError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)

    def _open(self, given: Given) -> int:
        """The chat that is written to; raises where the bot may not."""
        place, people = number(given, "chat_id"), self.people
        code = self._world.knobs.refuse.get(str(place), 0)
        if code == 400 or not place:
            raise RefusedError(400, "Bad Request: chat not found")
        if code == 403 or place in people.blocked or place in people.closed:
            who = "was blocked by the user" if place > 0 else "was kicked from the supergroup chat"
            raise RefusedError(403, f"Forbidden: bot {who}")
        if code:
            raise RefusedError(400, "Bad Request: refused by the sandbox")
        if place in people.moved:
            raise RefusedError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=people.moved[place],
            )
        return place
