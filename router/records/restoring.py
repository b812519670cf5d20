"""A ledger that was restored is made safe before anything runs on it (DESIGN.md 6, rule 20).

A backup does not know what happened after it. Whatever was on its way then, or waited, may have arrived since; numbers
that were given out since are known to providers. So nothing goes on by itself, nothing that may have been sent is sent
again, and no number is given out twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.address import address_hash
from router.core.errors import BadInput, NotAllowed
from router.core.model import AskKind, CampaignStatus
from router.core.sealing import CannotOpen, KeyRing, key_ring
from router.records.backup import beside, copy_whole, put_in_place, refuse_in_place, remove
from router.records.in_doubt import give_up_in_doubt, hold_in_doubt
from router.store.bulk import is_sqlite
from router.store.campaigns import move_campaign, write_audit
from router.store.engine import Store, now_ms_sql
from router.store.migrate import migrate, newest_version
from router.store.notices import notify
from router.store.sealed_addresses import Seals
from router.store.tables import address, campaign, to_ms

JUMP = 100_000_000
"""Numbers that are left out: more than are given out between two backups (a day at 1,000 messages a second)."""

PAUSED_BECAUSE = "the ledger was restored from a backup"
_S = CampaignStatus


class Safe(NamedTuple):
    """What was done to make a ledger safe."""

    paused: Sequence[int]
    """Campaigns that ran, were about to, or could still have asked again."""
    in_the_air: int
    """Messages that were being sent when the backup was made: unknown now."""
    withheld: int
    """Messages that waited then and may have left since: unknown now."""
    unasked: int
    """Members who had not got their turn then and may have been asked since: held now."""


class Restored(NamedTuple):
    """A ledger that is in its place again, and safe."""

    size: int
    """Bytes of the backup."""
    aside: Path | None
    """Where the ledger is that was there before; None where there was none."""
    safe: Safe


async def restore_file(
    source: Path,
    url: URL,
    key: bytes,
    kinds: Mapping[str, str],
    ring: KeyRing | None = None,
    *,
    force: bool = False,
    nothing_sent_since: bool = False,
    by: str,
    now: datetime,
) -> Restored:
    """Bring a SQLite ledger back from the backup `source`; `url` is where it belongs.

    It comes there when it is whole, of the newest version and safe, not before. `key`, `kinds` and `ring` as for
    `key_fits`.
    Raises `NotAllowed` where a ledger is there (with `force` it is moved aside) or is in use, `BadInput` where the
    backup cannot be used.
    """
    target = Path(url.database or "")
    await asyncio.to_thread(refuse_in_place, target, force=force)
    half = beside(target, ".restoring")
    remove(half)
    try:
        copy = await asyncio.to_thread(copy_whole, source, half)
        if not copy.version:
            raise BadInput("this is no ledger of this program", place=str(source))
        if copy.version > newest_version():
            raise BadInput(
                f"this ledger is of version {copy.version}, and this program knows those up to {newest_version()};"
                " install the version of the program that made it, or a newer one", place=str(source)
            )  # fmt: skip
        store = Store(url.set(database=str(half)).render_as_string(hide_password=False))
        try:
            await migrate(store)
            if not await key_fits(store, key, kinds, ring):
                raise BadInput(
                    "the key is not the one this backup was made with: links in messages would be dead and opt-outs not"
                    " be known; put back the .key file, or set OUTREACH_SECRET_KEY, of that time", place=str(source)
                )  # fmt: skip
            safe = await make_safe(store, nothing_sent_since=nothing_sent_since, by=by, now=now)
        finally:
            await store.aclose()
        aside = await asyncio.to_thread(put_in_place, half, target, now=now)
    finally:
        remove(half)
    return Restored(copy.size, aside, safe)


async def refuse_living(store: Store) -> None:
    """Raise `NotAllowed` while a worker has anything in its hands."""
    clock = now_ms_sql(store.dialect)
    async with store.read() as connection:
        name = await connection.scalar(text(f"SELECT name FROM lease WHERE leased_until > {clock} ORDER BY name"))
    if name is not None:
        raise NotAllowed(
            f"a worker is at this ledger (lease {name!r}); stop all workers and web servers, wait half a minute, and"
            " repeat this"
        )


async def key_fits(store: Store, key: bytes, kinds: Mapping[str, str], ring: KeyRing | None = None) -> bool:
    """Whether this is the installation's key under which the ledger's addresses are known; True without addresses.

    `kinds` is the kind of address of each channel, by its name; `ring` opens those that are sealed, by default with
    `key` alone. One that it does not open proves nothing.
    """
    some = select(address.c.channel, address.c.value, address.c.hash).where(address.c.value != "").limit(50)
    async with store.read() as connection:
        rows = [row for row in await connection.execute(some) if row.channel in kinds]
    seals = Seals(ring or key_ring((key,)), frozenset(kinds))
    return not rows or any(_is_known(key, kinds[row.channel], row, seals) for row in rows)


def _is_known(key: bytes, kind: str, row: Any, seals: Seals) -> bool:
    with contextlib.suppress(CannotOpen):
        return bool(address_hash(key, kind, seals.open(row.channel, row.hash, row.value)) == row.hash)
    return False


async def make_safe(store: Store, *, nothing_sent_since: bool = False, by: str, now: datetime) -> Safe:
    """Make a restored ledger safe; the notices say what an organizer has to do.

    `nothing_sent_since`: the operator vouches that no worker ran after the backup was made, so that what waited then
    waits still, and goes on when its campaign is resumed. Otherwise that becomes unknown, or is held.

    `store` must have given out no numbers yet. Where this is cut short, call it again: it goes on.
    """
    await store.transact(lambda connection: _jump(connection, now))
    ended = "DELETE FROM session", "DELETE FROM lease"
    opened = () if nothing_sent_since else ("DELETE FROM invitation WHERE used_at IS NULL",)

    async def end(connection: AsyncConnection) -> None:
        for statement in (*ended, *opened):
            await connection.execute(text(statement))

    await store.transact(end)
    paused = await _pause(store, nothing_sent_since=nothing_sent_since, by=by, now=now)
    in_the_air, withheld = await give_up_in_doubt(store, nothing_sent_since=nothing_sent_since, now=now)
    unasked = 0 if nothing_sent_since else await hold_in_doubt(store, now=now)
    made = Safe(paused, in_the_air, withheld, unasked)
    [number] = await store.take_ids(1)

    async def tell(connection: AsyncConnection) -> None:
        for subject, sentence in _sentences(made, nothing_sent_since=nothing_sent_since):
            await notify(connection, "restore", subject, sentence, now=now)
        detail = {**made._asdict(), "paused": list(paused), "nothing_sent_since": nothing_sent_since}
        await write_audit(connection, number, who=by, what="ledger.restore", subject="ledger", detail=detail, now=now)

    await store.transact(tell)
    return made


def _sentences(made: Safe, *, nothing_sent_since: bool) -> list[tuple[str, str]]:
    """(subject, sentence) of each thing that an organizer must do now."""
    found = []
    if not nothing_sent_since:
        found = [
            (
                "opt-outs",
                "The ledger was restored from a backup. First import who opted out since then, from your providers'"
                " lists: outreach import FILE --suppress",
            ),
            (
                "erased members",
                "The ledger was restored from a backup. Whoever was erased since then is back: erase them again, and"
                " end organizers, tokens and members' links that were ended since.",
            ),
            (
                "asks",
                "The ledger was restored from a backup. Drafts and approved asks may have been launched since then:"
                " look at your providers' logs before you launch one.",
            ),
        ]
    if made.paused:
        listed = ", ".join(str(one) for one in made.paused[:20]) + (" …" if len(made.paused) > 20 else "")
        found.append(
            ("campaigns", f"The ledger was restored from a backup. Look at each paused campaign, then resume or cancel"
             f" it: {listed}")
        )  # fmt: skip
    return found


async def _jump(connection: AsyncConnection, now: datetime) -> None:
    """Leave out the numbers that may have been given out: receipts and replies of that time carry them."""
    await connection.execute(text("UPDATE id_block SET next_id = next_id + :jump WHERE one = 1"), {"jump": JUMP})
    if is_sqlite(connection):
        # SQLite goes on from the highest number there is, so one row stands for those that are left out.
        await connection.execute(
            text(
                "INSERT INTO hook_event (id, hook_id, member_id, kind, body, status, not_before, at, done_at)"
                " SELECT coalesce(max(id), 0) + :jump, 0, 0, 'restore', '{}', 'told', :now, :now, :now FROM hook_event"
            ),
            {"jump": JUMP, "now": to_ms(now)},
        )
        return
    counter = "pg_get_serial_sequence('hook_event', 'id')"
    await connection.execute(text(f"SELECT setval({counter}, nextval({counter}) + :jump)"), {"jump": JUMP})


async def _pause(store: Store, *, nothing_sent_since: bool, by: str, now: datetime) -> list[int]:
    """Pause what runs, is about to, or (unless nothing was sent) has ended and may yet ask those who did not answer."""
    under_way: ColumnElement[bool] = campaign.c.status.in_([_S.RUNNING.value, _S.SCHEDULED.value])
    if not nothing_sent_since:
        under_way |= (campaign.c.status == _S.FINISHED.value) & (campaign.c.expires_at > now)
    wanted = select(campaign.c.id).where(under_way, campaign.c.kind != AskKind.REPLY.value).order_by(campaign.c.id)
    async with store.read() as connection:
        found = list((await connection.execute(wanted)).scalars())
    if not found:
        return []
    audits = await store.take_ids(len(found))

    async def work(connection: AsyncConnection) -> None:
        for audit, number in zip(audits, found, strict=True):
            await move_campaign(
                connection, number, (_S.RUNNING, _S.SCHEDULED, _S.FINISHED), _S.PAUSED, pause_reason=PAUSED_BECAUSE
            )
            detail = {"reason": PAUSED_BECAUSE}
            await write_audit(
                connection, audit, who=by, what="campaign.pause", subject=str(number), detail=detail, now=now
            )

    await store.transact(work)
    return found
