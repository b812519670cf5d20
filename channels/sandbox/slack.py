"""Slack's Web API as far as the channel uses it, over one simulated workspace.

https://docs.slack.dev/reference/methods · errors as ``{"ok": false, "error": …}``, most of them with HTTP 200.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from channels.sandbox.httpd import Reply, Request, json_reply
from channels.sandbox.memory import Entry
from channels.sandbox.slack_link import Link
from channels.sandbox.slack_people import BOT, BOT_ID, KEPT, TEAM, Message, People, direct
from channels.sandbox.world import World

BOT_TOKEN = "sandbox-slack-bot-token"  # noqa: S105 - opens nothing but this sandbox
APP_TOKEN = "sandbox-slack-app-token"  # noqa: S105
SIGNING_SECRET = "sandbox-slack-signing-secret"  # noqa: S105
SCOPES = "chat:write,im:history,im:write,commands,app_mentions:read,channels:read,groups:read"
REFUSALS = {404: "channel_not_found", 403: "not_in_channel", 429: "ratelimited"}
"""What the knob `refuse` says by a number; any other number is ``account_inactive``."""


def error(code: str, status: int = 200, **more: Any) -> Reply:
    """A refusal in Slack's shape."""
    return json_reply({"ok": False, "error": code}, status, **more)


class Slack:
    """One workspace with one app in it. `start` it where Socket Mode is wanted, and `aclose` it."""

    prefix = "/slack/"

    def __init__(self, world: World) -> None:
        self._world = world
        self.link = Link(world, SIGNING_SECRET)
        self.people = People(world, self.link)
        self.messages: OrderedDict[tuple[str, str], Message] = OrderedDict()
        """(channel, time) → message, oldest first."""
        self._methods: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Reply]]] = {
            "chat.postMessage": (BOT_TOKEN, self._post),
            "chat.update": (BOT_TOKEN, self._update),
            "auth.test": (BOT_TOKEN, self._test),
            "conversations.open": (BOT_TOKEN, self._open),
            "apps.connections.open": (APP_TOKEN, self._connect),
        }

    async def start(self, host: str = "127.0.0.1") -> None:
        """Take websockets for Socket Mode."""
        await self.link.start(host)

    async def aclose(self) -> None:
        """Hang up all websockets."""
        await self.link.aclose()

    @property
    def webhook(self) -> str:
        """Where events, pressed buttons and commands are posted; "" posts them nowhere."""
        return self.link.webhook

    @webhook.setter
    def webhook(self, url: str) -> None:
        self.link.webhook = url

    def environment(self, http_url: str) -> dict[str, str]:
        """What points the real channel here. OUTREACH_SLACK_LISTEN=yes in addition turns to Socket Mode."""
        return {
            "OUTREACH_SLACK_BOT_TOKEN": BOT_TOKEN,
            "OUTREACH_SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "OUTREACH_SLACK_APP_TOKEN": APP_TOKEN,
            "OUTREACH_SLACK_TEAM_ID": TEAM,
            "OUTREACH_SLACK_API_URL": f"{http_url}{self.prefix}api",
        }

    def answer(self, address: str, text: str) -> None:
        """Somebody answers or presses; see `People.answer`."""
        self.people.answer(address, text)

    def press(self, channel: str, person: str, keyword: str) -> None:
        """Somebody presses a button in a channel; see `People.press`."""
        self.people.press(channel, person, keyword)

    def handle(self, request: Request) -> Reply:
        """Answer one request under ``/slack/``."""
        wanted, method = self._methods.get(request.path.removeprefix(f"{self.prefix}api/"), ("", None))
        if method is None or request.method != "POST":
            return error("unknown_method")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return error("not_authed")
        if not hmac.compare_digest(token.encode(), wanted.encode()):
            return error("not_allowed_token_type" if token in (BOT_TOKEN, APP_TOKEN) else "invalid_auth")
        try:
            plain = not request.headers.get("content-type", "").startswith("application/json")
            said = request.arguments() | (request.form() if plain else request.json())
        except ValueError:
            return error("invalid_form_data")
        return method(said)

    def _post(self, said: Mapping[str, Any]) -> Reply:
        world, channel = self._world, str(said.get("channel") or "")
        address = f"{channel}/{said['thread_ts']}" if said.get("thread_ts") else channel
        person = channel.removeprefix("D") if channel.startswith("DU") or channel.startswith("DW") else channel
        code = self._hindrance() or fault(said) or self._closed(person)
        if code:
            return self._refuse(code)
        where = direct(person) if person[:1] in "UW" else channel
        message = Message(address, where, self.people.stamp(), _delivery(said), "")
        _fill(message, said)
        self.messages[where, message.ts] = message
        if len(self.messages) > KEPT:
            self.messages.popitem(last=False)
        failing = world.knobs.fail.get(person, 0)
        number = world.memory.accepted.add(
            "slack", address, BOT, message.delivery, message.text, world.clock(), failing
        )
        self.people.arrived(message, number, failing)
        return self._accepted(message, said)

    def _update(self, said: Mapping[str, Any]) -> Reply:
        code = self._hindrance() or fault(said)
        message = self.messages.get((str(said.get("channel")), str(said.get("ts"))))
        if code or message is None:
            return self._refuse(code or "message_not_found")
        before = message.text
        message.edits.append(before)
        _fill(message, said)
        place = message.address.partition("/")[0]
        self._world.memory.note("slack", place, Entry("note", f"now reads: {message.text}", self._world.clock()))
        return self._accepted(message, said)

    def _accepted(self, message: Message, said: Mapping[str, Any]) -> Reply:
        shown = {
            "type": "message",
            "user": BOT,
            "bot_id": BOT_ID,
            "text": said.get("text", ""),
            "ts": message.ts,
            "blocks": said.get("blocks", []),
        }
        answer = {"ok": True, "channel": message.channel, "ts": message.ts, "message": shown}
        return json_reply(answer, delay=self._world.latency(), ending=self._world.ending())

    def _test(self, said: Mapping[str, Any]) -> Reply:
        me = {"team": "Sandbox Union", "user": "asks", "team_id": TEAM, "user_id": BOT, "bot_id": BOT_ID}
        return json_reply({"ok": True} | me, headers=(("X-OAuth-Scopes", SCOPES),))

    def _open(self, said: Mapping[str, Any]) -> Reply:
        person = str(said.get("users") or "")
        if person[:1] not in ("U", "W"):
            return error("user_not_found")
        return json_reply({"ok": True, "channel": {"id": direct(person)}})

    def _connect(self, said: Mapping[str, Any]) -> Reply:
        url = self.link.address()
        return json_reply({"ok": True, "url": url}) if url else error("internal_error")

    def _hindrance(self) -> str:
        """What the knobs put in the way before a message is accepted."""
        return {"error": "internal_error", "throttle": "ratelimited"}.get(self._world.refusal(), "")

    def _closed(self, place: str) -> str:
        number = self._world.knobs.refuse.get(place, 0)
        if number:
            return REFUSALS.get(number, "account_inactive")
        if place[:1] not in ("U", "W", "C", "G") or not place.isalnum():
            return "channel_not_found"
        return self.people.closed.get(place, "")

    def _refuse(self, code: str) -> Reply:
        self._world.memory.counters[f"slack_refused_{code}"] += 1
        delay = self._world.latency()
        if code == "ratelimited":
            headers = (("Retry-After", f"{self._world.knobs.retry_after:g}"),)
            return error(code, 429, headers=headers, delay=delay)
        return error(code, 500 if code == "internal_error" else 200, delay=delay)


def fault(said: Mapping[str, Any]) -> str:
    """Why Slack would not take these words: its code, or "".

    Sizes: https://docs.slack.dev/reference/block-kit/blocks and …/composition-objects/text-object
    """
    text, blocks = said.get("text"), said.get("blocks")
    if blocks is None:
        blocks = []
    if not text and not blocks:
        return "no_text"
    if not isinstance(text or "", str) or len(text or "") > 40_000:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > 50 or not all(isinstance(block, dict) for block in blocks):
        return "invalid_blocks_format"
    actions = [element for block in blocks for element in _elements(block) if "action_id" in element]
    names = [element["action_id"] for element in actions]
    sound = len(set(names)) == len(names) and all(_sound(block) for block in blocks)
    return "" if sound and all(_pressable(element) for element in actions) else "invalid_blocks"


def _sound(block: Mapping[str, Any]) -> bool:
    match block.get("type"):
        case "section":
            return 0 < len(str(_map(block.get("text")).get("text", ""))) <= 3000
        case "image":
            return 0 < len(str(block.get("alt_text", ""))) <= 2000 and 0 < len(str(block.get("image_url", ""))) <= 3000
        case "actions":
            return 0 < len(_elements(block)) <= 25
        case "rich_text":
            pieces = [piece for section in _elements(block) for piece in _elements(section)]
            return bool(pieces) and all(piece.get("text") or piece.get("url") for piece in pieces)
    return False


def _pressable(button: Mapping[str, Any]) -> bool:
    label, value = str(_map(button.get("text")).get("text", "")), str(button.get("value", ""))
    return 0 < len(label) <= 75 and len(value) <= 2000 and len(str(button.get("url", ""))) <= 3000


def _fill(message: Message, said: Mapping[str, Any]) -> None:
    """Put what people read and may press into a message."""
    lines, buttons = [], []
    for block in said.get("blocks") or ():
        match block.get("type"):
            case "rich_text":
                pieces = (piece for section in _elements(block) for piece in _elements(section))
                lines.append("".join(str(piece.get("text") or piece.get("url")) for piece in pieces))
            case "section":
                lines.append(str(_map(block.get("text")).get("text")))
            case "image":
                lines.append(f"[picture: {block.get('alt_text')}]")
            case "actions":
                labels = [(str(_map(b.get("text")).get("text")), str(b.get("value") or "")) for b in _elements(block)]
                lines.append(" ".join(f"[{label}]" for label, _ in labels))
                buttons += [(label, value) for label, value in labels if value]
    message.text = "\n".join(lines) or str(said.get("text"))
    message.buttons = tuple(buttons)


def _delivery(said: Mapping[str, Any]) -> str:
    """The delivery that the metadata names."""
    name = _map(_map(said.get("metadata")).get("event_payload")).get("delivery", "")
    return str(name)[:64].replace("\t", " ")


def _elements(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = block.get("elements")
    return [element for element in found if isinstance(element, dict)] if isinstance(found, list) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
