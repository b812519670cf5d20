"""The people of a simulated Slack workspace: they read, press buttons, write, come and go.

https://docs.slack.dev/reference/events · https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from channels.sandbox.memory import Entry
from channels.sandbox.slack_link import BUTTONS, COMMANDS, EVENTS, Link
from channels.sandbox.world import World

TEAM, APP, BOT, BOT_ID = "T0SANDBOX1", "A0SANDBOX1", "U0SANDBOX1", "B0SANDBOX1"
KEPT = 20_000
"""Messages that can still be edited and pressed."""


@dataclass(slots=True)
class Message:
    """One message of the app's, as it stands."""

    address: str
    """As it was asked for: a person, a channel, or a thread (``C123/1690000000.000100``)."""
    channel: str
    """Where it stands: a channel, or the conversation with a person (``D…``)."""
    ts: str
    delivery: str
    text: str
    """What people read."""
    buttons: tuple[tuple[str, str], ...] = ()
    """(label, value) of what can be pressed."""
    edits: list[str] = field(default_factory=list)
    """What it said before, oldest first."""

    def value(self, keyword: str) -> str:
        """The value of the button that stands for a keyword, "" where there is none."""
        wanted = keyword.strip().upper()
        return next((value for _, value in self.buttons if value.partition("|")[0].upper() == wanted), "")


def direct(person: str) -> str:
    """The conversation between a person and our bot."""
    return f"D{person}"


class People:
    """Everybody in the workspace. Nobody needs an account: whoever is written to exists."""

    def __init__(self, world: World, link: Link) -> None:
        self._world = world
        self._link = link
        self._replies: Counter[str] = Counter()
        self._latest: OrderedDict[str, Message] = OrderedDict()
        self._run = secrets.token_hex(4).upper()
        self._count = 0
        self.members: dict[str, list[str]] = {}
        """Channel → who of the people is in it."""
        self.closed: dict[str, str] = {}
        """Channel → why the bot cannot write there: ``not_in_channel`` or ``is_archived``."""

    def arrived(self, message: Message, number: int, code: int) -> None:
        """A message stands in a channel or conversation: show it, and let those who read it act by script."""
        now = self._world.clock()
        place = message.address.partition("/")[0]
        self._world.memory.note("slack", place, Entry("arrived", message.text, now, number), BOT)
        self._latest[place] = message
        self._latest.move_to_end(place)
        if len(self._latest) > KEPT:
            self._latest.popitem(last=False)
        if code:
            self._world.memory.note("slack", place, Entry("note", f"did not arrive ({code})", now))
            return
        for person in [place] if message.channel.startswith("D") else self.members.get(place, []):
            word = self._script(person)
            if word:
                self._replies[person] += 1
                self._act(person, place, word, self._world.knobs.reply_delay)

    def answer(self, address: str, text: str) -> None:
        """Somebody answers where they were written to: by the fitting button, or in words.

        `address` is a person (``U1``), or a person in a channel (``C1/U1``). A slash makes it a command.
        """
        place, _, person = address.partition("/")
        if not text or not (person or place).startswith(("U", "W")):
            raise ValueError("address: a person (U1) or a person in a channel (C1/U1); and some words")
        if text.startswith("/"):
            command, _, words = text.partition(" ")
            self.command(person or place, command, words, place if person else direct(place))
        else:
            self._act(person or place, place, text, 0.0)

    def press(self, channel: str, person: str, keyword: str) -> None:
        """Somebody presses a button of the latest message in a channel. Raises ValueError without such a one."""
        message = self._latest.get(channel)
        value = message.value(keyword) if message is not None else ""
        if message is None or not value:
            raise ValueError("keyword: the latest message there has no such button")
        self._link.deliver(BUTTONS, partial(self._pressed, person, message, value))

    def mention(self, channel: str, person: str, text: str) -> None:
        """Somebody writes to the bot in a channel."""
        self._link.deliver(EVENTS, partial(self._mentioned, channel, person, text))

    def command(self, person: str, command: str, text: str, channel: str = "") -> None:
        """Somebody uses a slash command, in a channel or in private."""
        self._link.deliver(COMMANDS, partial(self._commanded, person, command, text, channel or direct(person)))

    def join(self, channel: str, person: str = BOT, inviter: str = "") -> None:
        """Somebody comes into a channel; without a name the bot is invited."""
        if person == BOT:
            self.closed.pop(channel, None)
        elif person not in self.members.setdefault(channel, []):
            self.members[channel].append(person)
        event = {"type": "member_joined_channel", "user": person, "channel": channel, "channel_type": "C", "team": TEAM}
        self._tell(event | ({"inviter": inviter} if inviter else {}))

    def leave(self, channel: str, person: str = BOT) -> None:
        """Somebody leaves a channel; without a name the bot is put out."""
        if person == BOT:
            self.closed[channel] = "not_in_channel"
            self._tell({"type": "channel_left", "channel": channel, "actor_id": "U0ADMIN"})
            return
        if person in self.members.get(channel, []):
            self.members[channel].remove(person)
        self._tell({"type": "member_left_channel", "user": person, "channel": channel, "channel_type": "C"})

    def archive(self, channel: str) -> None:
        """A channel is closed."""
        self.closed[channel] = "is_archived"
        self._tell({"type": "channel_archive", "channel": channel, "user": "U0ADMIN"})

    def _script(self, person: str) -> str:
        knobs = self._world.knobs
        if not (knobs.p_yes or knobs.p_stop or knobs.p_help) or self._replies[person] >= knobs.max_replies:
            return ""
        lot = self._world.lot("reply", person)
        if lot < knobs.p_yes:
            return "YES"
        if lot < knobs.p_yes + knobs.p_stop:
            return "STOP"
        return "HELP" if lot < knobs.p_yes + knobs.p_stop + knobs.p_help else ""

    def _act(self, person: str, place: str, word: str, delay: float) -> None:
        """Press the fitting button of the latest message there; write where it has none."""
        message = self._latest.get(place)
        value = message.value(word) if message is not None else ""
        if message is not None and value:
            self._link.deliver(BUTTONS, partial(self._pressed, person, message, value), delay)
        elif place == person:
            self._link.deliver(EVENTS, partial(self._written, person, word), delay)
        else:
            self._link.deliver(EVENTS, partial(self._mentioned, place, person, word), delay)

    # ── payloads, made when they are due ──────────────────────────────────────────────────────────────────────────────

    def _written(self, person: str, text: str) -> dict[str, Any]:
        said = self._said(person, person, text)
        return self._event({"type": "message", "user": person, "channel": direct(person), "channel_type": "im", **said})

    def _mentioned(self, channel: str, person: str, text: str) -> dict[str, Any]:
        said = self._said(channel, person, text)
        said["text"] = f"<@{BOT}> {said['text']}"
        return self._event({"type": "app_mention", "user": person, "channel": channel, **said})

    def _said(self, place: str, person: str, text: str) -> dict[str, Any]:
        self._note(place, person, text)
        ts = self.stamp()
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": escaped, "ts": ts, "event_ts": ts, "team": TEAM}

    def _pressed(self, person: str, message: Message, value: str) -> dict[str, Any]:
        label = next((label for label, its in message.buttons if its == value), value)
        self._note(person if message.channel.startswith("D") else message.channel, person, f"[{label}]")
        return {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "sandbox"},
            "user": {"id": person, "username": person.lower(), "team_id": TEAM},
            "api_app_id": APP,
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel},
            "trigger_id": self._trigger(),
            "channel": {"id": message.channel, "name": "directmessage" if message.channel[0] == "D" else "channel"},
            "message": {"type": "message", "user": BOT, "bot_id": BOT_ID, "ts": message.ts, "text": message.text},
            "actions": [
                {
                    "type": "button",
                    "action_id": "answer-0",
                    "block_id": "b",
                    "text": {"type": "plain_text", "text": label},
                    "value": value,
                    "action_ts": self.stamp(),
                }
            ],
        }

    def _commanded(self, person: str, command: str, text: str, channel: str) -> dict[str, str]:
        self._note(person if channel.startswith("D") else channel, person, f"{command} {text}".strip())
        return {
            "team_id": TEAM,
            "channel_id": channel,
            "channel_name": "directmessage" if channel.startswith("D") else "channel",
            "user_id": person,
            "user_name": person.lower(),
            "command": command,
            "text": text,
            "api_app_id": APP,
            "trigger_id": self._trigger(),
        }

    def _tell(self, event: dict[str, Any]) -> None:
        self._link.deliver(EVENTS, lambda: self._event(event))

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        return {
            "type": "event_callback",
            "team_id": TEAM,
            "api_app_id": APP,
            "event": {"event_ts": self.stamp()} | event,
            "event_id": f"Ev{self._run}{self._count}",
            "event_time": int(self._world.clock()),
            "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": True, "is_enterprise_install": False}],
        }

    def _note(self, place: str, person: str, text: str) -> None:
        self._world.memory.counters["replies"] += 1
        words = text if place == person else f"{person}: {text}"
        self._world.memory.note("slack", place, Entry("written", words, self._world.clock()))

    def _trigger(self) -> str:
        self._count += 1
        return f"{self._count}.738474920.{self._run.lower()}"

    def stamp(self) -> str:
        """A time that no other message has."""
        self._count += 1
        return f"{int(self._world.clock())}.{self._count % 1_000_000:06d}"
