"""Telegram's updates on their way to the bot: posted to its webhook, or kept until it fetches them.

https://core.telegram.org/bots/api#getting-updates
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from channels.sandbox.callbacks import Answer, Post
from channels.sandbox.world import World

WEBHOOK_SECRET = "sandbox-telegram-webhook-secret"  # noqa: S105 - opens nothing but this sandbox
KEPT = 20_000
"""Updates that wait to be fetched; Telegram keeps them for a day."""

Make = Callable[[], dict[str, Any]]
"""Makes an update when it is due."""


class Updates:
    """What one bot is told."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self.webhook = ""
        """Where updates are posted; "" keeps them until they are fetched."""
        self.secret = WEBHOOK_SECRET
        self.allowed: list[str] = []
        """The kinds of update that the webhook wants; empty for the usual ones."""
        self.error = ""
        """What went wrong with the webhook last."""
        self.failed_at = 0.0
        self.waiting: dict[int, dict[str, Any]] = {}
        """What was not fetched yet, by number."""
        self.unanswered: set[str] = set()
        """Presses of buttons that the bot did not answer yet."""

    def deliver(self, make: Make, delay: float = 0.0) -> None:
        """Tell the bot after `delay` seconds."""
        self._world.callbacks.schedule(delay, partial(self._due, make), self._taken)

    def fetch(self, offset: int, limit: int) -> list[dict[str, Any]]:
        """The oldest that wait, once those before `offset` are forgotten."""
        for number in [number for number in self.waiting if number < offset]:
            del self.waiting[number]
        return list(self.waiting.values())[:limit]

    def answer_press(self, query: str) -> bool:
        """The bot answers a press; False where there is no such one any more."""
        known = query in self.unanswered
        self.unanswered.discard(query)
        self._world.memory.counters["telegram_presses_answered"] += known
        return known

    def _due(self, make: Make) -> Post | None:
        made = make()
        self._count += 1
        update = {"update_id": self._count} | made
        if "callback_query" in made:
            self.unanswered.add(made["callback_query"]["id"])
        self._world.memory.counters["telegram_updates"] += 1
        if not self.webhook:
            self.waiting[self._count] = update
            if len(self.waiting) > KEPT:
                del self.waiting[next(iter(self.waiting))]
            return None
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": self.secret}
        # Whatever is answered but a 2xx is tried again: https://core.telegram.org/bots/api#setwebhook
        return Post(url=self.webhook, body=json.dumps(update).encode(), headers=headers, until_taken=True)

    def _taken(self, answer: Answer) -> None:
        """An answer may call a method: https://core.telegram.org/bots/api#making-requests-when-getting-updates"""
        if not self.webhook:
            return
        if not 200 <= answer.status < 300:
            self.failed_at = self._world.clock()
            self.error = f"Wrong response from the webhook: {answer.status}" if answer.status else "Connection refused"
        try:
            called = json.loads(answer.body)
        except ValueError:
            return
        if isinstance(called, dict) and called.get("method") == "answerCallbackQuery":
            self.answer_press(str(called.get("callback_query_id", "")))
