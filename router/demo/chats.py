"""The chats of groups in a scenario's hands: who is in them, what they press and write, what stands there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from inspect import isawaitable
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from channels.sandbox import Accepted, Sandbox
from channels.sandbox.slack_people import Message as SlackMessage
from channels.sandbox.telegram_people import Message as TelegramMessage
from router.core.tallying import tally_line
from router.demo.house import Clock
from router.demo.phones import Person, read_rows
from router.demo.watching import settled
from router.runtime import Runtime

Post = TelegramMessage | SlackMessage

_AT_MOST = 40
"""Real seconds after which what was waited for will not happen any more."""


class Chat:
    """One group's chat."""

    def __init__(self, sandbox: Sandbox, channel: str, address: str, title: str) -> None:
        self.channel = channel
        self.address = address
        self.title = title
        self.number = 0
        """The group's, as a member of its own kind."""
        self.people: list[Person] = []
        """Who of our members is known to be in it; `Person.phone` is their address there."""
        self.outside: list[Person] = []
        """Who of our members has an address on this channel and is not in it."""
        self.strangers: list[str] = []
        """Addresses of people in it whom we do not know."""
        self.presses = 0
        self._sandbox = sandbox
        self._post: Post | None = None
        self._last: dict[str, str] = {}

    @property
    def posts(self) -> Sequence[Post]:
        """Everything of ours that stands in it, oldest first."""
        if self.channel == "telegram":
            return [one for one in self._sandbox.telegram.messages.values() if one.address == self.address]
        return [one for one in self._sandbox.slack.messages.values() if one.address == self.address]

    @property
    def post(self) -> Post:
        """The post that is answered."""
        assert self._post is not None, "nothing was posted here"
        return self._post

    @property
    def edits(self) -> int:
        """How often anything of ours in it was edited."""
        return sum(len(one.edits) for one in self.posts)

    @property
    def expected(self) -> str:
        """The tally that must stand under the post, by what people pressed last."""
        return tally_line(Counter(self._last.values()), "")

    @property
    def answered(self) -> list[Person]:
        """Members who answered under the post."""
        return [one for one in (*self.people, *self.outside) if one.phone in self._last]

    async def posted(self, words: str) -> None:
        """Wait for the post with these words; from now on it is the one that is answered."""
        await until(lambda: any(words in one.text for one in self.posts))
        self._post = next(one for one in self.posts if words in one.text)
        self._last = {}

    def press(self, word: str, *people: str) -> None:
        """All of them press a button under the post, at the same moment."""
        for person in people:
            if self.channel == "telegram":
                self._sandbox.telegram.press(self.address, person, word)
            else:
                self._sandbox.slack.press(self.address, person, word)
            self._last[person] = word.lower()
            self.presses += 1

    async def write(self, person: str, words: str) -> str:
        """Somebody writes a command; what the bot answers in the group."""
        before = len(self.accepted)
        self.write_past_us(person, words)
        await until(lambda: len(self.accepted) > before)
        return self.accepted[before].text

    def write_past_us(self, person: str, words: str) -> None:
        """Somebody writes what the bot has no answer to."""
        if self.channel == "telegram":
            self._sandbox.telegram.people.write(self.address, person, words)
        else:
            self._sandbox.slack.answer(f"{self.address}/{person}", words)

    @property
    def accepted(self) -> Sequence[Accepted]:
        """What the bot said in it."""
        return [one for one in self._sandbox.memory.accepted if one.to == self.address]


class Scene(NamedTuple):
    """What every part of a scenario in groups is given."""

    runtime: Runtime
    sandbox: Sandbox
    clock: Clock
    out: Console
    telegram: Chat
    slack: Chat

    @property
    def chats(self) -> tuple[Chat, Chat]:
        """Both groups."""
        return self.telegram, self.slack

    async def count_up(self, *chats: Chat) -> None:
        """Wait until the tallies under these posts say what was pressed; the pauses between edits pass at once."""
        await self.sandbox.idle()
        self.clock.move_to(self.clock() + timedelta(minutes=5))
        await until(lambda: all(chat.expected in chat.post.text for chat in chats))

    async def move_to(self, moment: datetime, campaign: int) -> None:
        """Let time pass, and what an ask then has to send leave."""
        self.clock.move_to(moment)
        self.runtime.signals.wake()
        await settled(self.runtime, campaign)
        await self.sandbox.idle()

    async def written_to(self, campaign: int) -> set[int]:
        """The people whom an ask reached one by one."""
        rows = await read_rows(self.runtime, _WRITTEN_TO, id=campaign)
        return {row.member_id for row in rows}


_WRITTEN_TO = (
    "SELECT DISTINCT d.member_id FROM delivery d JOIN member m ON m.id = d.member_id AND m.kind = 'person'"
    " WHERE d.campaign_id = :id AND d.status IN ('sending', 'sent', 'delivered', 'read', 'unknown')"
)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait for something to happen. Raises TimeoutError where it never does."""
    async with asyncio.timeout(_AT_MOST):
        while True:
            met = condition()
            if await met if isawaitable(met) else met:
                return
            await asyncio.sleep(0.05)


def show_chat(out: Console, title: str, lines: Sequence[tuple[str, str]]) -> None:
    """What stands in a chat: (what a person wrote, what the bot says to it)."""
    shown = [f"[bold]{escape(said)}[/bold]\n{escape(answer)}" if said else escape(answer) for said, answer in lines]
    out.print(Panel("\n\n".join(shown), title=escape(title), title_align="left", width=100))
