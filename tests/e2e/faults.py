"""What a fault matrix is made of: people on eight channels, providers that fail, and the count of what came of it.

The sandbox is the witness: it remembers every message it took and merges nothing. A member counts as *lost* where the
ledger is not at rest about them, or says what the providers' books deny; as reached *twice* where two messages of one
ask arrived, on whatever channels.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from channels.email import smtp
from channels.sandbox import Sandbox
from channels.sandbox.apprise import PASSWORD, USER, AppriseTarget
from channels.sandbox.httpd import Reply, Request
from channels.sandbox.memory import Accepted
from channels.telegram.request import BotApi
from router.core.delivery import REFUNDED
from router.core.model import DeliveryStatus
from router.wire import HttpWire
from tests.support.movement import Movement
from tests.support.settling import policy_with

CHANNELS = ("sms", "whatsapp", "telegram", "slack", "webpush", "fcm", "email", "apprise")
COLLAPSING = frozenset({"webpush", "fcm"})
"""Where a second copy of a message takes the place of the first on the device, so that it may be sent again."""
SECOND = {"slack": "sms", "webpush": "sms", "email": "sms"}
"""Where people of a channel can be reached else; by email, if nothing stands here."""
PEOPLE = 20
GROUPS = tuple(f"block{number}" for number in range(1, 9))

_SENDS = re.compile(r"/Messages\.json\Z|/sendMessage\Z|/chat\.postMessage\Z|\A/webpush/|/messages:send\Z|\A/apprise/")
_PROVIDERS = {"smtp": "email"}


@dataclass(frozen=True)
class Page:
    """What stands between us and a provider and answers in its place, once the provider has taken the message."""

    status: int
    body: str
    smtp: str
    """The line that takes the place of a mail server's."""


class Providers(Sandbox):
    """A sandbox with more group chats, and with something in front of it that may answer in its place."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.page: Page | None = None
        self.share = 0.0
        """Of the answers, that are replaced by `page`."""
        self.apprise = AppriseTarget(self.world, GROUPS)
        self._providers = (*self._providers[:-1], self.apprise)
        self._take_mail = self.mailboxes.handle_DATA
        self.mailboxes.handle_DATA = self._answer_mail  # type: ignore[method-assign]

    def channel_environment(self) -> dict[str, str]:
        """The same, with threads of the apprise library that give up soon."""
        host = self.http_url.removeprefix("http://")
        base = f"json://{USER}:{PASSWORD}@{host}{self.apprise.prefix}"
        targets = "\n".join(f"{group}={base}{group}?rto=0.6&cto=0.6" for group in GROUPS)
        return super().channel_environment() | {"OUTREACH_APPRISE_TARGETS": targets}

    def _handle(self, request: Request) -> Reply:
        reply = super()._handle(request)
        taken = request.method == "POST" and _SENDS.search(request.path) and 200 <= reply.status < 300
        if not (taken and self.page and self.world.chance(self.share)):
            return reply
        return replace(reply, status=self.page.status, body=self.page.body.encode(), content_type="text/html")

    async def _answer_mail(self, server: Any, session: Any, envelope: Any) -> str:
        line = await self._take_mail(server, session, envelope)
        return self.page.smtp if self.page and self.world.chance(self.share) else line


def quick_policy(folder: Path) -> str:
    """A folder for ``OUTREACH_CONFIG`` with the shipped policy but short waits.

    Only faults of ours open a breaker here: a share of failures is what the matrix is made of.
    """
    return policy_with(folder, transport_seconds=[1] * 8, rate_seconds=1, recipient_minutes=[1, 2], failing_share=1.0)


def be_impatient(patch: pytest.MonkeyPatch, seconds: float = 0.7) -> None:
    """Wait no longer than this for a provider's answer; what takes long is told in tests/e2e/test_trouble.py."""
    patch.setitem(HttpWire.request.__kwdefaults__, "timeout", seconds)
    patch.setitem(BotApi.call.__kwdefaults__, "timeout", seconds)
    patch.setattr(smtp, "SEND_SECONDS", seconds)


@dataclass
class Crowd:
    """The people of one blast."""

    first: dict[int, str] = field(default_factory=dict)
    """member → the channel that they are asked on first"""
    seen_as: dict[tuple[str, str], int] = field(default_factory=dict)
    """(channel, address as its provider sees it) → member"""
    addresses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """channel → the first addresses of its people, as the provider sees them"""

    @classmethod
    async def gather(cls, movement: Movement) -> Crowd:
        """Put `PEOPLE` on each channel, with a second address each, and post in `GROUPS`."""
        for channel in CHANNELS[:-1]:
            await movement.add_members(PEOPLE, channel=channel, then=SECOND.get(channel, "email"))
        await movement.add_groups(GROUPS, channel="apprise")
        crowd = cls()
        for member, channel, value, rank in await movement.execute(
            "SELECT member_id, channel, value, rank FROM address"
        ):
            seen = as_seen(channel, value)
            crowd.seen_as[channel, seen] = member
            if not rank:
                crowd.first[member] = channel
                crowd.addresses[channel].append(seen)
        return crowd

    def half(self, codes: Mapping[str, int], *, of: int = 2) -> dict[str, int]:
        """Every `of`-th address of these channels → its code, for the sandbox's tables."""
        return {address: code for channel, code in codes.items() for address in sorted(self.addresses[channel])[::of]}


def as_seen(channel: str, value: str) -> str:
    """An address as the channel's provider is shown it."""
    match channel:
        case "whatsapp":
            return f"whatsapp:{value}"
        case "webpush":
            return value.split(" ")[0]
    return value


def channel_of(row: Accepted) -> str:
    """The channel that a message was taken on."""
    if row.provider == "twilio":
        return "whatsapp" if row.to.startswith("whatsapp:") else "sms"
    return _PROVIDERS.get(row.provider, row.provider)


# ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Cell:
    """What came of the people of one channel."""

    states: Counter[str] = field(default_factory=Counter)
    """``delivered``, or ``delivered by email`` for those who moved on → how many"""
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    repeats: int = 0
    """Copies that took the place of the first on the device."""

    def shown(self) -> str:
        """As it stands in the table."""
        states = "\n".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        return f"{states}\n{len(self.lost)} lost, {len(self.twice)} twice" + (
            f"\n({self.repeats} collapsed)" if self.repeats else ""
        )


async def count(movement: Movement, campaign: int, crowd: Crowd) -> dict[str, Cell]:
    """Hold the ledger against the providers' books, channel by channel."""
    cells = {channel: Cell() for channel in CHANNELS}
    taken, arrived = _books(movement, crowd, cells)
    last: dict[int, Any] = {}
    for row in await movement.execute(
        "SELECT member_id, channel, status, reason FROM delivery WHERE campaign_id = :id ORDER BY hop", id=campaign
    ):
        last[row.member_id] = row
    for member, channel in crowd.first.items():
        cell, row = cells[channel], last.get(member)
        if row is None:
            cell.lost.append(f"{member} has no row")
            continue
        cell.states[row.status if row.channel == channel else f"{row.status} by {row.channel}"] += 1
        status = DeliveryStatus(row.status)
        if status in (DeliveryStatus.QUEUED, DeliveryStatus.SENDING):
            cell.lost.append(f"{member} is still {status.value}")
        elif status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ):
            if (member, row.channel) not in taken:
                cell.lost.append(f"{member} is {status.value}, but no provider has it")
        elif status in REFUNDED and arrived[member]:
            cell.lost.append(f"{member} is {status.value}, yet it arrived")
        if len(arrived[member]) > 1:
            cell.twice.append(f"{member}: {sorted(arrived[member])}")
    return cells


def _books(
    movement: Movement, crowd: Crowd, cells: dict[str, Cell]
) -> tuple[set[tuple[int, str]], dict[int, list[tuple[str, str]]]]:
    """Who was taken where, and what arrived: (channel, what tells one message from another)."""
    taken: set[tuple[int, str]] = set()
    arrived: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for number, row in enumerate(movement.sandbox.memory.accepted):
        channel = channel_of(row)
        member = crowd.seen_as[channel, row.to]
        taken.add((member, channel))
        if row.code:
            continue
        one = (channel, f"{row.delivery} {row.sender}" if channel in COLLAPSING else str(number))
        if one in arrived[member]:
            cells[channel].repeats += 1
        else:
            arrived[member].append(one)
    return taken, arrived


# ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def matrix(results: Mapping[str, Mapping[str, Cell]]) -> Table:
    """The whole matrix: one row for each fault, one column for each channel."""
    table = Table(title="Faults and what came of them", show_lines=True, title_justify="left")
    table.add_column("fault", style="bold", min_width=12)
    for channel in CHANNELS:
        table.add_column(channel, min_width=15)
    table.add_column("losses", justify="right")
    table.add_column("duplicates", justify="right")
    for fault, cells in results.items():
        lost, twice = (sum(len(getattr(cell, what)) for cell in cells.values()) for what in ("lost", "twice"))
        table.add_row(fault, *(cells[channel].shown() for channel in CHANNELS), str(lost), str(twice))
    return table
