"""Somebody asks for the link to their own page: it goes to the very address that is asked for, and nowhere else.

The links in emails never expire, so none of them opens the page: they lead to a button that sends a fresh link. Nobody
who asks learns whether an address is known here: what is sent, or is not, only its owner sees.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, Saying, To, tell
from router.community.joining_form import KINDS
from router.core.address import address_hash, normalise
from router.core.model import DeliveryRef
from router.core.phrases import say
from router.door import DAYS, link_in
from router.limits import Bucket
from router.runtime import Runtime
from router.signals import Wake
from router.store.tallies import Moves

EVERY = timedelta(hours=1)
"""So often at most an address gets its link, whoever asks for it. Our own number: enough for somebody who lost one
message, too rare to pester anybody with."""

USELESS_AFTER = timedelta(days=1)
"""A link that could not leave within this time (a night, a long outage) is not waited for any more."""


async def send_to_reader(runtime: Runtime, ref: DeliveryRef, *, now: datetime) -> None:
    """Send the link to the address that this message went to: its reader pressed the button.

    At once, as the answer to what somebody asked a moment ago. `Unavailable` where the limits cannot be asked.
    """
    async with runtime.store.read() as connection:
        found = (
            await connection.execute(
                text(
                    "SELECT a.hash, a.channel FROM delivery d JOIN address a ON a.id = d.address_id"
                    " WHERE d.month = :month AND d.id = :id"
                ),
                {"month": ref.month, "id": ref.id},
            )
        ).one_or_none()
    if found is not None:
        await _send(runtime, found.hash, found.channel, Saying.ANSWER, now=now)


async def send_to_address(runtime: Runtime, written: str, *, now: datetime) -> None:
    """Send the link to an address that somebody wrote down, where it is a member's.

    Anybody can write down anybody's, so it comes outside their quiet hours, as a service message. Raises `BadAddress`
    for what cannot be an address, `Unavailable` where the limits cannot be asked.
    """
    kind = "email" if "@" in written else "phone"
    value = normalise(kind, written, runtime.settings.default_region)
    hash_ = address_hash(runtime.key, kind, value)
    for channel, of in KINDS.items():
        if of == kind and channel in runtime.channels:
            await _send(runtime, hash_, channel, Saying.SERVICE, now=now)


async def _send(runtime: Runtime, hash_: str, channel: str, saying: Saying, *, now: datetime) -> None:
    found = await _owner(runtime, hash_, channel)
    if found is None:
        return
    bucket = Bucket(f"door/{channel}/{hash_}", 1 / EVERY.total_seconds())
    if not (await runtime.limits.take(bucket, 1)).granted:
        return
    to, locale = found
    ids = await runtime.store.take_ids(IDS_PER_MESSAGE)

    async def work(connection: AsyncConnection) -> None:
        moves = Moves()
        link = await link_in(connection, runtime, to.member_id, now=now)
        words = say("door.asked", locale, organization=runtime.settings.organization, days=DAYS, link=link)
        await tell(connection, to, iter(ids), words, moves, saying=saying, now=now, until=now + USELESS_AFTER)
        await moves.write(connection)

    try:
        await runtime.store.transact(work)
    except Exception:
        await runtime.limits.give_back(bucket, 1)  # whoever tries again is not to wait an hour for our fault
        raise
    runtime.signals.wake(Wake.SEND)


async def _owner(runtime: Runtime, hash_: str, channel: str) -> tuple[To, str] | None:
    """Where to write, and in which locale. None where it is nobody's, where nothing may be sent, and where it belongs
    to several people: the link is for one of them only."""
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(
                    "SELECT a.member_id, a.id, a.account, a.consent, a.state, m.locale, m.kind, s.reason AS silenced"
                    " FROM address a JOIN member m ON m.id = a.member_id AND m.erased_at IS NULL"
                    " LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
                    " WHERE a.hash = :hash AND a.channel = :channel LIMIT 2"
                ),
                {"hash": hash_, "channel": channel},
            )
        ).all()
    if len(rows) != 1:
        return None
    [one] = rows
    if one.kind != "person" or one.silenced is not None or (one.consent, one.state) != ("granted", "active"):
        return None
    return To(one.member_id, channel, one.id, one.account), one.locale
