"""An address that a form named confirms itself: the owner of a mailbox presses the button of their own link."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import IDS_PER_MESSAGE, To
from router.community.join_codes import Code, give_tags
from router.community.welcome import code_of, welcome_later
from router.core.model import ConsentState
from router.owners import Owner, agree, owners_of
from router.runtime import Runtime
from router.signals import Wake
from router.store.tallies import Moves

_MOST_OWNERS = 10
"""People whom one address belongs to (`owners_of`)."""


async def may_confirm(runtime: Runtime, address_id: int) -> str | None:
    """The language in which to ask an address that its own link names; None where nothing can be confirmed there."""
    async with runtime.store.read() as connection:
        found = await confirmable(connection, address_id)
    return None if found is None else found[0].locale


async def confirm_address(runtime: Runtime, address_id: int, *, now: datetime) -> str | None:
    """The owner of a mailbox pressed the button of their own link: it is confirmed, and welcomed once.

    Returns their language; None where there is no such address any more, or where it said STOP.
    """
    ids = await runtime.store.take_ids(_MOST_OWNERS + IDS_PER_MESSAGE)

    async def work(connection: AsyncConnection) -> str | None:
        found = await confirmable(connection, address_id)
        if found is None:
            return None
        owner, channel, hash_, state = found
        fresh_ids, moves = iter(ids), Moves()
        code = await code_of(connection, owner.member_id, channel)
        if state in (ConsentState.NONE, ConsentState.UNCONFIRMED):
            words = await connection.scalar(
                text(
                    "SELECT wording FROM consent WHERE member_id = :member AND channel = :channel"
                    " AND address_hash = :hash AND state = 'unconfirmed' ORDER BY id DESC LIMIT 1"
                ),
                {"member": owner.member_id, "channel": channel, "hash": hash_},
            )
            owners = await owners_of(connection, hash_, channel)
            await agree(
                connection, hash_, channel, owners, fresh_ids, source=f"{source_of(code)}, confirmed by its own link",
                wording=words or "", now=now,
            )  # fmt: skip
            if code is not None:
                await give_tags(connection, owner.member_id, code)
        to = To(owner.member_id, channel, owner.address_id, owner.account)
        await welcome_later(runtime, connection, to, owner.locale, code, fresh_ids, moves, now=now)
        await moves.write(connection)
        return owner.locale

    locale = await runtime.store.transact(work)
    runtime.signals.wake(Wake.SEND)
    return locale


async def confirmable(connection: AsyncConnection, address_id: int) -> tuple[Owner, str, str, ConsentState] | None:
    """An address that may be confirmed: its owner, channel, hash and state."""
    row = (
        await connection.execute(
            text(
                "SELECT a.member_id, a.id, m.locale, a.account, a.channel, a.hash, a.consent FROM address a"
                " JOIN member m ON m.id = a.member_id LEFT JOIN suppression s ON s.address_hash = a.hash"
                " AND s.channel = a.channel WHERE a.id = :id AND m.erased_at IS NULL AND s.address_hash IS NULL"
                " AND a.consent <> 'revoked'"
            ),
            {"id": address_id},
        )
    ).one_or_none()
    if row is None:
        return None
    return Owner(row.member_id, row.id, row.locale, row.account), row.channel, row.hash, ConsentState(row.consent)


def source_of(code: Code | None) -> str:
    """Where the consent of a form comes from, as its evidence names it."""
    if code is not None and code.passed_by:
        return "passed on, join form"
    return f"join form {code.code}" if code is not None and code.code else "join form"
