"""What organizers do with a member's record: other tags, a look at addresses in full, two records made one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.errors import BadInput, NotFound
from router.office.limits import sees_member
from router.office.organizers import Organizer
from router.records.merge import merge_records
from router.records.pages import lock
from router.records.record import MAX_TAGS
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import member, member_tag

LONGEST_TAG = 200

_MOVES = {
    "addresses": "SELECT count(*) FROM address WHERE member_id = :lose",
    "consents": "SELECT count(*) FROM consent WHERE member_id = :lose",
    "messages": "SELECT count(*) FROM delivery WHERE month IN (SELECT DISTINCT month FROM campaign)"
    " AND member_id = :lose",
    "actions": "SELECT count(*) FROM action WHERE member_id = :lose",
    "seats at events": "SELECT count(*) FROM rsvp WHERE member_id = :lose",
    "ideas": "SELECT count(*) FROM proposal WHERE member_id = :lose",
    "messages of theirs": "SELECT count(*) FROM inbound WHERE member_id = :lose",
}
"""What a record has that another gets."""

_DIALS = [dial.value for dial in Dial]
_FILLED = ("locale", "zone", "country", "postcode", "place")


class Move(NamedTuple):
    """How much of one kind one record would give to the other."""

    what: str
    many: int


async def set_tags(
    runtime: Runtime, organizer: Organizer, member_id: int, tags: Iterable[str], *, now: datetime
) -> None:
    """These tags in place of those they have. Raises `NotFound`, and `BadInput` for what is no tag."""
    wanted = sorted({tag.strip().lower() for tag in tags if tag.strip()})
    if len(wanted) > MAX_TAGS:
        raise BadInput(f"give a member at most {MAX_TAGS} tags", place="tags")
    if any(len(tag) > LONGEST_TAG for tag in wanted):
        raise BadInput(f"write each tag in at most {LONGEST_TAG} characters", place="tags")
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await _lock(connection, organizer, member_id)
        before = await connection.execute(select(member_tag.c.tag).where(member_tag.c.member_id == member_id))
        had = set(before.scalars())
        if had == set(wanted):
            return
        await connection.execute(
            delete(member_tag).where(member_tag.c.member_id == member_id, member_tag.c.tag.not_in(wanted))
        )
        for tag in sorted(set(wanted) - had):
            await connection.execute(insert(member_tag).values(tag=tag, member_id=member_id))
        await connection.execute(update(member).where(member.c.id == member_id).values(updated_at=now))
        # How many, not which: tags say what somebody is like, and the audit keeps what it holds for ever.
        detail = {"added": len(set(wanted) - had), "taken": len(had - set(wanted))}
        await write_audit(
            connection, ids[0], who=organizer.name, what="member.tag", subject=str(member_id), detail=detail, now=now
        )

    await runtime.store.transact(work)


async def note_look(runtime: Runtime, organizer: Organizer, member_id: int, *, now: datetime) -> None:
    """Somebody is shown a member's addresses in full. Raises `NotFound`."""
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await _lock(connection, organizer, member_id)
        await write_audit(
            connection, ids[0], who=organizer.name, what="member.addresses", subject=str(member_id), detail={}, now=now
        )

    await runtime.store.transact(work)


async def what_moves(runtime: Runtime, lose: int) -> list[Move]:
    """What this record would give to another."""
    async with runtime.store.read() as connection:
        counts = {what: await connection.scalar(text(query), {"lose": lose}) for what, query in _MOVES.items()}
    return [Move(what, count) for what, count in counts.items() if count]


async def merge_two(runtime: Runtime, organizer: Organizer, *, keep: int, lose: int, now: datetime) -> None:
    """Two records are one person: all of `lose` goes to `keep`, whose own name and place stay where there are any.

    Raises `NotFound` where one of them is not there (any more) or not for the organizer to see.
    """
    if keep == lose:
        raise BadInput("name another record than this one", place="with")
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await lock(connection)
        first, second = sorted((keep, lose))
        rows = {number: await _lock(connection, organizer, number) for number in (first, second)}
        await merge_records(connection, keep=keep, lose=lose)
        filled = _filled(rows[keep], rows[lose])
        await connection.execute(update(member).where(member.c.id == keep).values(**filled, updated_at=now))
        await write_audit(
            connection, ids[0], who=organizer.name, what="member.merge", subject=str(keep), detail={"from": lose},
            now=now,
        )  # fmt: skip

    await runtime.store.transact(work)


def _filled(kept: Row[Any], lost: Row[Any]) -> dict[str, Any]:
    """What the record that stays takes over where it says nothing; of two wishes the quieter one."""
    values: dict[str, Any] = {name: getattr(lost, name) for name in _FILLED if not getattr(kept, name)}
    if "zone" in values:
        values["zone_source"] = lost.zone_source
    if not kept.name_key:
        values |= {name: getattr(lost, name) for name in ("first_name", "last_name", "name_key")}
    if kept.external_id is None:
        values["external_id"] = lost.external_id
    if lost.paused_until and (kept.paused_until is None or lost.paused_until > kept.paused_until):
        values["paused_until"] = lost.paused_until
    return values | {
        "attributes": {**lost.attributes, **kept.attributes},
        "joined_at": min(kept.joined_at, lost.joined_at),
        "dial": max(kept.dial, lost.dial, key=_DIALS.index),
    }


async def _lock(connection: AsyncConnection, organizer: Organizer, member_id: int) -> Row[Any]:
    there = (member.c.id == member_id) & (member.c.kind == "person") & member.c.erased_at.is_(None)
    query = select(member).where(there).with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    dialect = connection.dialect.name
    if row is None or not await sees_member(connection, organizer, member_id, dialect=dialect):
        raise NotFound(f"there is no member {member_id} among those whom you see")
    return row
