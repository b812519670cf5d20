"""One turn of a conversation: what somebody wrote, in reply to what, and what a handler of it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.ask import Ask
from router.core.channel import Inbound
from router.core.keywords_intent import Intent
from router.core.model import CampaignStatus
from router.core.phrases import say
from router.owners import Owner
from router.runtime import Runtime
from router.store.bulk import is_sqlite, sql
from router.store.tables import dialog, from_ms, to_ms
from router.store.tallies import Moves

ONCE = timedelta(hours=12)
"""The same friendly sentence is said to the same person once in so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody was asked last where they write from now, or what the message asks that they answer."""

    campaign_id: int
    ask: Ask
    status: CampaignStatus
    expires_at: datetime | None
    month: int
    delivery_id: int
    member_id: int
    """Who was asked."""
    address_id: int | None
    """Where."""

    def is_over(self, now: datetime) -> bool:
        """Whether its time is past, or it was withdrawn: an answer comes too late."""
        return self.status is CampaignStatus.CANCELLED or (self.expires_at is not None and now >= self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """Where the program's own conversation with somebody stands."""

    step: str = ""
    """What we asked last, by its handler's own name for it; "" for nothing."""
    campaign_id: int = 0
    event_id: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    """What was said once → when, ms."""

    def was_said(self, what: str, now: datetime) -> bool:
        """Whether it was said within `ONCE`."""
        said = self.told.get(what)
        return said is not None and now - from_ms(said) < ONCE

    def saying(self, what: str, now: datetime) -> Dialog:
        """The same, once it is said now; what was said longer ago is forgotten."""
        fresh = {name: at for name, at in self.told.items() if now - from_ms(at) < ONCE}
        return replace(self, told={**fresh, what: to_ms(now)})


@dataclass(slots=True, kw_only=True)
class Turn:
    """What a handler is given. It runs inside the group commit's transaction: quick, and nothing but the ledger."""

    runtime: Runtime
    connection: AsyncConnection
    channel: str
    account: str
    event: Inbound
    inbound_id: int
    owner: Owner
    """Who wrote; of a household the one who was asked."""
    owners: Sequence[Owner]
    """Everybody whose address it is."""
    intent: Intent
    asked: Asked | None
    dialog: Dialog
    ids: Iterator[int]
    moves: Moves
    now: datetime

    @property
    def event_hash(self) -> str:
        """The keyed hash of the address that they wrote from."""
        kind = self.runtime.specs[self.channel].address_kind
        return address_hash(self.runtime.key, kind, self.event.sender)

    def say(self, phrase: str, /, **values: object) -> str:
        """A phrase in their language; ``{organization}`` is filled in."""
        return say(phrase, self.owner.locale, organization=self.runtime.settings.organization, **values)

    def say_once(self, phrase: str, /, **values: object) -> Answer:
        """The same, as an answer; silence where it was said within `ONCE`."""
        return self.once(phrase, self.say(phrase, **values))

    def once(self, what: str, words: str) -> Answer:
        """These words as an answer; silence where `what` they say was said within `ONCE`."""
        if self.dialog.was_said(what, self.now):
            return Answer()
        return Answer(words=words, told=self.dialog.saying(what, self.now).told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler made of it. An empty one says: mine, and silence is right."""

    words: str = ""
    """What we write back; "" for nothing."""
    next: Dialog | None = None
    """Where the conversation stands from now on; None leaves it as it is. A step of "" ends it."""
    lasts: timedelta = timedelta(days=2)
    """How long `next` waits for an answer."""
    told: Mapping[str, int] | None = None
    """Set by `Turn.say_once`."""


Handler = Callable[[Turn], Awaitable[Answer | None]]
"""``async def handler(turn) -> Answer | None``: None where the message is not its business."""


_DIALOG = select(dialog).where(dialog.c.member_id == bindparam("member"))


async def read_dialog(connection: AsyncConnection, member_id: int, *, now: datetime) -> Dialog:
    """Where the conversation with a member stands now."""
    row = (await connection.execute(_DIALOG, {"member": member_id})).one_or_none()
    if row is None:
        return Dialog()
    if row.until <= now:
        return Dialog(told=row.told)
    return Dialog(step=row.step, campaign_id=row.campaign_id, event_id=row.event_id, detail=row.detail, told=row.told)


async def write_dialog(connection: AsyncConnection, member_id: int, stands: Dialog, *, until: datetime) -> None:
    """Keep where the conversation with a member stands."""
    values = {
        "step": stands.step, "campaign_id": stands.campaign_id, "event_id": stands.event_id,
        "detail": dict(stands.detail), "told": dict(stands.told), "until": until,
    }  # fmt: skip
    # Two processes may hear from the same person at once: whoever comes second finds the row.
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    written = insert(dialog).values(member_id=member_id, **values)
    await connection.execute(written.on_conflict_do_update(index_elements=["member_id"], set_=values))


async def ask_somebody(
    connection: AsyncConnection,
    member_id: int,
    step: str,
    *,
    until: datetime,
    campaign_id: int = 0,
    event_id: int = 0,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """From now on their next words answer `step`: for messages that begin a conversation (a rating, a reminder)."""
    stands = await read_dialog(connection, member_id, now=until)
    asked = Dialog(step=step, campaign_id=campaign_id, event_id=event_id, detail=detail or {}, told=stands.told)
    await write_dialog(connection, member_id, asked, until=until)


async def member_of(connection: AsyncConnection, member_id: int) -> Any:
    """The row of a member with what conversations need: names, place, zone, language."""
    return (
        await connection.execute(
            sql(
                "SELECT id, first_name, last_name, locale, zone, country, postcode, place, erased_at FROM member"
                " WHERE id = :id"
            ),
            {"id": member_id},
        )
    ).one()
