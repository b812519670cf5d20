"""People on a simulated Telegram: they read, press buttons, write, block the bot, come and go.

Nobody needs an account: whoever is written to exists and has pressed Start. https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from channels.sandbox.memory import Entry
from channels.sandbox.telegram_updates import Updates
from channels.sandbox.world import World

BOT_ID = 7_000_000_001
BOT = "sandbox_union_bot"
TITLE = "Sandbox group"

Button = dict[str, str]


@dataclass(slots=True)
class Message:
    """One message of the bot's, as it stands."""

    chat: int
    id: int
    at: int
    thread: int = 0
    """The topic that it stands in, 0 for none."""
    text: str = ""
    picture: str = ""
    buttons: Sequence[Sequence[Button]] = ()
    edits: list[str] = field(default_factory=list)
    """What it said before, oldest first."""

    @property
    def address(self) -> str:
        """Where it stands: a chat, or a chat's topic (``-100123/45``)."""
        return f"{self.chat}/{self.thread}" if self.thread else str(self.chat)

    @property
    def delivery(self) -> str:
        """The delivery that its buttons name; "" without one."""
        named = (button.get("callback_data", "").partition("|")[2] for row in self.buttons for button in row)
        return next((name[:64].replace("\t", " ") for name in named if name), "")

    def data(self, keyword: str) -> str:
        """What pressing the button of a keyword sends, "" where there is none."""
        wanted = keyword.strip().upper()
        found = (button.get("callback_data", "") for row in self.buttons for button in row)
        return next((data for data in found if data.partition("|")[0].upper() == wanted), "")

    def shown(self) -> str:
        """As a person reads it."""
        labels = " ".join(f"[{button.get('text', '')}]" for row in self.buttons for button in row)
        return "\n".join(filter(None, (f"[picture: {self.picture}]" if self.picture else "", self.text, labels)))

    def plain(self) -> dict[str, Any]:
        """As the Bot API has it."""
        shape: dict[str, Any] = {"message_id": self.id, "from": bot(), "chat": chat(self.chat), "date": self.at}
        shape["text"] = self.text
        if self.thread:
            shape |= {"message_thread_id": self.thread, "is_topic_message": True}
        return shape | ({"reply_markup": {"inline_keyboard": self.buttons}} if self.buttons else {})


def bot() -> dict[str, Any]:
    """The bot as a user."""
    return {"id": BOT_ID, "is_bot": True, "first_name": "Sandbox Union", "username": BOT}


def user(number: int) -> dict[str, Any]:
    """A person as a user."""
    return {"id": number, "is_bot": False, "first_name": f"Person {number}"}


def chat(number: int) -> dict[str, Any]:
    """A chat by the sign and beginning of its id: a person's, a supergroup's or a small group's."""
    if number > 0:
        return {"id": number, "type": "private", "first_name": f"Person {number}"}
    return {"id": number, "type": "supergroup" if str(number).startswith("-100") else "group", "title": TITLE}


class People:
    """Everybody who can reach the bot."""

    def __init__(self, world: World, updates: Updates) -> None:
        self._world = world
        self._updates = updates
        self._replies: Counter[int] = Counter()
        self._count = 0
        self.latest: dict[int, Message] = {}
        """Chat → the bot's last message there."""
        self.blocked: set[int] = set()
        """Who blocked the bot."""
        self.members: dict[int, list[int]] = {}
        """Group → who of the people is in it, to act by script."""
        self.closed: set[int] = set()
        """Groups that put the bot out."""
        self.moved: dict[int, int] = {}
        """Group → the supergroup that it became."""

    def arrived(self, message: Message, number: int, code: int) -> None:
        """The bot wrote: show it, and let those who read it act by script."""
        now = self._world.clock()
        memory = self._world.memory
        memory.note("telegram", message.address, Entry("arrived", message.shown(), now, number), BOT)
        if code:
            memory.note("telegram", message.address, Entry("note", f"did not arrive ({code})", now))
            return
        self.latest[message.chat] = message
        for person in [message.chat] if message.chat > 0 else self.members.get(message.chat, []):
            word = self._script(person)
            if word:
                self._replies[person] += 1
                self._act(message, person, word, self._world.knobs.reply_delay)

    def answer(self, address: str, text: str) -> None:
        """Somebody answers in private: by the fitting button, or in words. STOP without such a button blocks the bot.

        ``/start …`` lifts a block first. Raises ValueError where `address` is no private chat.
        """
        if not (address.isascii() and address.isdigit() and int(address) and text):
            raise ValueError("address: a private chat; and some words")
        person = int(address)
        if text.startswith("/start") and person in self.blocked:
            self.blocked.discard(person)
            self._updates.deliver(partial(self._standing, person, person, "kicked", "member"))
        self._act(self.latest.get(person), person, text, 0.0)

    def press(self, group: str, person: str, keyword: str) -> None:
        """Somebody presses a button of the bot's latest message in a chat. Raises ValueError where it has none such."""
        message = self.latest.get(int(group.partition("/")[0]))
        data = message.data(keyword) if message else ""
        if message is None or not data:
            raise ValueError("keyword: the latest message there has no such button")
        self._updates.deliver(partial(self._pressed, message, int(person), data))

    def write(self, group: str, person: str, text: str, *, reply: bool = False) -> None:
        """Somebody writes in a group or its topic; `reply` answers the bot's latest message there."""
        chat_id, _, thread = group.partition("/")
        answered = self.latest.get(int(chat_id)) if reply else None
        self._updates.deliver(partial(self._said, int(chat_id), int(person), text, answered, int(thread or "0")))

    def join(self, group: str, person: str, who: str = "") -> None:
        """`person` lets the bot into a group, or somebody else by the name of `who`."""
        place = int(group)
        if who:
            self.members.setdefault(place, []).append(int(who))
            self._updates.deliver(partial(self._service, place, person, new_chat_members=[user(int(who))]))
        else:
            self.closed.discard(place)
            self._updates.deliver(partial(self._standing, place, int(person), "left", "member"))

    def leave(self, group: str, person: str, who: str = "") -> None:
        """`person` puts the bot out of a group, or somebody else by the name of `who`."""
        place = int(group)
        if who:
            self.members[place] = [member for member in self.members.get(place, []) if member != int(who)]
            self._updates.deliver(partial(self._service, place, person, left_chat_member=user(int(who))))
        else:
            self.closed.add(place)
            self._updates.deliver(partial(self._standing, place, int(person), "member", "kicked"))

    def migrate(self, group: str, to: str, person: str) -> None:
        """A small group becomes a supergroup, which has another id."""
        self.moved[int(group)] = int(to)
        self._updates.deliver(partial(self._service, int(group), person, migrate_to_chat_id=int(to)))
        self._updates.deliver(partial(self._service, int(to), person, migrate_from_chat_id=int(group)))

    def _script(self, person: int) -> str:
        knobs = self._world.knobs
        if not (knobs.p_yes or knobs.p_stop or knobs.p_help) or self._replies[person] >= knobs.max_replies:
            return ""
        lot = self._world.lot("reply", str(person))
        if lot < knobs.p_yes:
            return "YES"
        if lot < knobs.p_yes + knobs.p_stop:
            return "STOP"
        return "HELP" if lot < knobs.p_yes + knobs.p_stop + knobs.p_help else ""

    def _act(self, message: Message | None, person: int, word: str, delay: float) -> None:
        data = message.data(word) if message else ""
        if message is not None and data:
            self._updates.deliver(partial(self._pressed, message, person, data), delay)
        elif word.strip().upper() == "STOP":
            self._updates.deliver(partial(self._blocks, person), delay)
        else:
            place = message.chat if message else person
            answered = message if place < 0 else None
            self._updates.deliver(partial(self._said, place, person, word, answered, 0), delay)

    # ── updates, made when they are due ───────────────────────────────────────────────────────────────────────────────

    def _pressed(self, message: Message, person: int, data: str) -> dict[str, Any]:
        self._note(message.address, person, f"[{data.partition('|')[0]}]")
        query = {"id": str(self.number()), "from": user(person), "message": message.plain()}
        return {"callback_query": query | {"chat_instance": str(message.chat), "data": data}}

    def _said(self, place: int, person: int, text: str, answered: Message | None, thread: int) -> dict[str, Any]:
        thread = answered.thread if answered else thread
        self._note(f"{place}/{thread}" if thread else str(place), person, text)
        message: dict[str, Any] = {"message_id": self.number(), "from": user(person), "chat": chat(place)}
        message |= {"date": int(self._world.clock()), "text": text}
        if thread:
            message |= {"message_thread_id": thread, "is_topic_message": True}
        return {"message": message | ({"reply_to_message": answered.plain()} if answered else {})}

    def _blocks(self, person: int) -> dict[str, Any]:
        self.blocked.add(person)
        self._note(str(person), person, "[blocks the bot]")
        return self._standing(person, person, "member", "kicked")

    def _standing(self, place: int, person: int, before: str, after: str) -> dict[str, Any]:
        change = {"chat": chat(place), "from": user(person), "date": int(self._world.clock())}
        standing = {"old_chat_member": before, "new_chat_member": after}
        return {"my_chat_member": change | {name: {"user": bot(), "status": it} for name, it in standing.items()}}

    def _service(self, place: int, person: str, **what: Any) -> dict[str, Any]:
        message = {"message_id": self.number(), "from": user(int(person)), "chat": chat(place)}
        return {"message": message | {"date": int(self._world.clock())} | what}

    def _note(self, place: str, person: int, text: str) -> None:
        self._world.memory.counters["replies"] += 1
        words = text if place == str(person) else f"{person}: {text}"
        self._world.memory.note("telegram", place, Entry("written", words, self._world.clock()))

    def number(self) -> int:
        """A number that no other message or press has."""
        self._count += 1
        return self._count
