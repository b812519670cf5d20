"""How far a new installation is: somebody is here, a channel works, a message came, ten people are in, an ask left."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.ask import ANY_CHANNEL, Ask, Text
from router.office.asks import anything_launched
from router.office.audit import read_audit
from router.office.once import remember
from router.office.organizers import Organizer
from router.preview import send_test
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import member

TEN = 10
"""Enough to see how people take it, few enough to know each of them (issue 7, "First run")."""

_DEED = "test.send"
_WORDS = "A first message from {{ organization }}. If you can read this, our members can hear from us."


class FirstSteps(NamedTuple):
    """What is done already."""

    channels: list[str]
    """Channels that write to people and are set up."""
    tested: bool
    """Whether this organizer has sent a message to themselves."""
    members: int
    """How many there are, counted to `TEN`."""
    launched: bool
    """Whether an ask ever left."""


async def first_steps(runtime: Runtime, who: Organizer) -> FirstSteps:
    """How far it is, as this organizer sees it."""
    some = select(member.c.id).where(member.c.erased_at.is_(None)).limit(TEN).subquery()
    async with runtime.store.read() as connection:
        members = await connection.scalar(select(func.count()).select_from(some))
    tested = await read_audit(runtime, who=who.name, what=_DEED, subject=str(who.id))
    return FirstSteps(
        channels=[name for name, accounts in runtime.channels.items() if accounts and runtime.specs[name].people],
        tested=bool(tested.entries),
        members=members or 0,
        launched=await anything_launched(runtime),
    )


async def send_first(runtime: Runtime, who: Organizer, *, to: str, key: str, now: datetime) -> str:
    """Send a real message to oneself; returns a sentence that says what went where.

    The form `key` sends once: raises `MadeAlready` the second time, else what `send_test` raises.
    """
    claim, audit_id = await runtime.store.take_ids(2)

    async def claimed(connection: AsyncConnection) -> None:
        await remember(who, key, now=now)(connection, claim)

    async def kept(connection: AsyncConnection) -> None:
        await write_audit(connection, audit_id, who=who.name, what=_DEED, subject=str(who.id), detail={}, now=now)

    await runtime.store.transact(claimed)
    ask = Ask(title="A first message", texts={"en": {ANY_CHANNEL: Text(text=_WORDS)}})
    told = await send_test(runtime, ask, to=to, now=now)
    await runtime.store.transact(kept)
    return told
