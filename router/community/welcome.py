"""The one welcome for each consented channel: who we are, how often, STOP, a first step. It costs no budget."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, To, tell
from router.community.forwarding import note_joined
from router.community.join_codes import Code, read_code
from router.community.rungs import next_step_words
from router.core.phrases import say
from router.runtime import Runtime
from router.signals import Wake
from router.store.tables import to_ms
from router.store.tallies import Moves

NEW_FOR = timedelta(days=1)
"""A member who was entered longer ago is not welcomed because another system tells of them once more."""


async def mark_welcomed(connection: AsyncConnection, member_id: int, channel: str, code: str, *, now: datetime) -> bool:
    """Note that somebody is welcomed on a channel now; False where they were before. "" keeps the code noted."""
    found = await connection.execute(
        text(
            "INSERT INTO joined (member_id, channel, code, at, welcomed_at)"
            " VALUES (:member, :channel, :code, :now, :now)"
            " ON CONFLICT (member_id, channel) DO UPDATE SET welcomed_at = excluded.welcomed_at, asks = 0,"
            " code = CASE WHEN excluded.code = '' THEN joined.code ELSE excluded.code END"
            " WHERE joined.welcomed_at IS NULL RETURNING member_id"
        ),
        {"member": member_id, "channel": channel, "code": code, "now": to_ms(now)},
    )
    fresh = found.scalar() is not None
    if fresh:
        await note_joined(connection, member_id, now=now)
    return fresh


async def code_of(connection: AsyncConnection, member_id: int, channel: str) -> Code | None:
    """The code by which somebody began to join on a channel; None where they did not, or without one."""
    name = await connection.scalar(
        text("SELECT code FROM joined WHERE member_id = :member AND channel = :channel"),
        {"member": member_id, "channel": channel},
    )
    return await read_code(connection, name) if name else None


def welcome_words(runtime: Runtime, locale: str, code: Code | None, *, now: datetime) -> str:
    """What a welcome says."""
    organization = runtime.settings.organization
    greeting = say("joining.welcome", locale, organization=organization, often=how_often(runtime))
    first_step = code.first_step if code is not None and code.first_step else ""
    return f"{greeting} {first_step or next_step_words(runtime, locale, (), now=now)}".strip()


def how_often(runtime: Runtime) -> int:
    """Asks in a week that nobody gets more of: what the contact budget says over all channels."""
    return runtime.policy.budget.overall.week


async def welcome_later(
    runtime: Runtime,
    connection: AsyncConnection,
    to: To,
    locale: str,
    code: Code | None,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> bool:
    """Welcome somebody who did not just write to us: outside their quiet hours. False where they were before."""
    if not await mark_welcomed(connection, to.member_id, to.channel, code.code if code else "", now=now):
        return False
    words = welcome_words(runtime, locale, code, now=now)
    await tell(connection, to, ids, words, moves, saying=Saying.SERVICE, now=now)
    return True


async def welcome_new_member(runtime: Runtime, member_id: int, *, now: datetime) -> int:
    """Welcome a member who was entered a moment ago, on every channel where they agreed; returns on how many."""
    async with runtime.store.read() as connection:
        rows = await connection.execute(
            text(
                "SELECT a.channel, min(a.id) AS id, min(m.locale) AS locale FROM address a"
                " JOIN member m ON m.id = a.member_id"
                " LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                " WHERE a.member_id = :member AND a.consent = 'granted' AND a.state = 'active'"
                " AND s.address_hash IS NULL AND m.erased_at IS NULL AND m.created_at > :since"
                " GROUP BY a.channel ORDER BY a.channel"
            ),
            {"member": member_id, "since": to_ms(now - NEW_FOR)},
        )
        places = rows.all()
    if not places:
        return 0
    ids = await runtime.store.take_ids(IDS_PER_MESSAGE * len(places))

    async def work(connection: AsyncConnection) -> int:
        moves, fresh = Moves(), iter(ids)
        welcomed = 0
        for one in places:
            account = await connection.scalar(text("SELECT account FROM address WHERE id = :id"), {"id": one.id})
            to = To(member_id, one.channel, one.id, account or "")
            welcomed += await welcome_later(runtime, connection, to, one.locale, None, fresh, moves, now=now)
        await moves.write(connection)
        return welcomed

    welcomed = await runtime.store.transact(work)
    if welcomed:
        runtime.signals.wake(Wake.SEND)
    return welcomed
