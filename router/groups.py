"""Groups whose chats we are in: let in, put out, moved; added by an organizer where nobody can tell us.

A group stands in the ledger as a member of its own kind, with one address (its chat) and, while we are let in, the
consent to post there. So it is routed, paced and budgeted like everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.group_chats.membership import forget_member, let_in, name_steward, note_member
from router.core.address import address_hash, normalise
from router.core.channel import GroupChange, GroupEvent
from router.core.errors import BadInput, NotFound
from router.core.model import Address
from router.owners import owners_of
from router.reach import move_address
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.heard import Heard, keep_heard
from router.store.spendings import month_of
from router.store.tables import address, consent, member, member_tag, to_ms
from router.store.tallies import Moves

IDS_PER_GROUP = 4
"""A member, an address, a consent, an audit row."""

_COLUMNS = {"title": "first_name"}
"""What a group's row calls something else."""


async def apply_group_event(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: GroupEvent,
    ids: range,
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """Do what happened to a group, once however often it is told."""
    kind = runtime.specs[channel].address_kind
    hash_ = address_hash(runtime.key, kind, event.group)
    person = address_hash(runtime.key, kind, event.person) if event.person else ""
    members = [owner.member_id for owner in await owners_of(connection, person, channel)] if person else []
    if event.change in (GroupChange.JOINED, GroupChange.LEFT) and not members:
        return  # a stranger: where thousands come and go nothing is written
    heard = Heard(
        ids[-1], month_of(now), channel, account, event.event_id[:200], hash_, None, event.change.value, "group",
        to_ms(event.at),
    )  # fmt: skip
    if not await keep_heard(connection, heard):
        return  # told again
    known = (
        await connection.execute(
            text("SELECT id, member_id, value FROM address WHERE hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": channel},
        )
    ).first()
    match event.change:
        case GroupChange.ADDED if known is None:
            source = f"added to the group on {channel}"
            number = await _write(
                runtime, connection, channel, account, event.group, event.title, ids, source=source, by="provider",
                now=now,
            )  # fmt: skip
            await let_in(connection, number, person, next(iter(members), None), now=now)
        case GroupChange.ADDED:
            assert known is not None
            await let_in(connection, known.member_id, person, next(iter(members), None), now=now)
            # Its topics work again, too; only its own address has the group's consent.
            await connection.execute(
                update(address).where(address.c.member_id == known.member_id).values(state="active")
            )
            await connection.execute(update(address).where(address.c.id == known.id).values(consent="granted"))
            if event.title:
                await connection.execute(
                    update(member).where(member.c.id == known.member_id).values(first_name=event.title[:200])
                )
        case GroupChange.REMOVED if known is not None:
            await connection.execute(update(address).where(address.c.member_id == known.member_id).values(state="dead"))
        case GroupChange.MOVED if known is not None and event.moved_to:
            old = Address(id=known.id, channel=channel, value=known.value, hash=hash_)
            await move_address(runtime, connection, old, event.moved_to, moves, now=now)
        case GroupChange.JOINED if known is not None:
            for member_id in members:
                await note_member(connection, known.member_id, member_id, "came", now=event.at)
        case GroupChange.LEFT if known is not None:
            for member_id in members:
                await forget_member(connection, known.member_id, member_id)
        case _:
            pass  # a group that we do not know


async def add_group(
    runtime: Runtime, *, channel: str, account: str, value: str, title: str, tags: list[str], by: str, now: datetime
) -> int:
    """Enter a group by hand, where no provider tells us (``apprise``) or before it does; returns its number.

    Raises `BadInput` where the channel posts in no groups, its account is not set up, or the address cannot be.
    """
    spec = runtime.specs.get(channel)
    if spec is None or not spec.groups:
        able = ", ".join(sorted(name for name, one in runtime.specs.items() if one.groups))
        raise BadInput(f"posts in no groups; {able} do", place="channel")
    if spec.bound and account not in (there := runtime.channels.get(channel, {})):
        known = f"there is {', '.join(sorted(there))}" if there else "it has none"
        raise BadInput(f"{channel} has no account of this name ({known}); set it up first", place="account")
    chat = normalise(spec.address_kind, value, runtime.settings.default_region)
    ids = await runtime.store.take_ids(IDS_PER_GROUP)

    async def work(connection: AsyncConnection) -> int:
        hash_ = address_hash(runtime.key, spec.address_kind, chat)
        known = await connection.scalar(
            text("SELECT member_id FROM address WHERE hash = :hash AND channel = :channel"),
            {"hash": hash_, "channel": channel},
        )
        if known is not None:
            raise BadInput(f"is already entered, as number {known}", place="address")
        return await _write(
            runtime, connection, channel, account, chat, title, ids, source=f"entered by {by}", by=by, now=now,
            tags=tags,
        )  # fmt: skip

    return await runtime.store.transact(work)


async def change_group(
    runtime: Runtime,
    group_id: int,
    *,
    title: str | None = None,
    tags: list[str] | None = None,
    locale: str | None = None,
    country: str | None = None,
    place: str | None = None,
    by: str,
    now: datetime,
) -> None:
    """Give a group another title, these tags in place of those it has, a language, a place; None leaves it as it is.

    Raises `NotFound` where there is no such group.
    """
    changed = {
        name: value
        for name, value in (
            ("title", title), ("tags", tags), ("locale", locale), ("country", country), ("place", place),
        )
        if value is not None
    }  # fmt: skip
    columns = {_COLUMNS.get(name, name): value for name, value in changed.items() if isinstance(value, str)}
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await _change(connection, group_id, columns, now=now)
        if tags is not None:
            await connection.execute(delete(member_tag).where(member_tag.c.member_id == group_id))
            await _write_tags(connection, group_id, tags)
        await write_audit(
            connection, ids[0], who=by, what="group.change", subject=str(group_id), detail=changed, now=now
        )

    await runtime.store.transact(work)


async def change_steward(runtime: Runtime, group_id: int, member_id: int | None, *, by: str, now: datetime) -> None:
    """Name who may quiet us in a group, None for nobody. Raises `NotFound` for an unknown group or member."""
    ids = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        await _change(connection, group_id, {}, now=now)
        person = text("SELECT 1 FROM member WHERE id = :id AND kind = 'person' AND erased_at IS NULL")
        if member_id is not None and await connection.scalar(person, {"id": member_id}) is None:
            raise NotFound(f"there is no member {member_id}")
        await name_steward(connection, group_id, member_id, now=now)
        await write_audit(
            connection, ids[0], who=by, what="group.steward", subject=str(group_id), detail={"member": member_id},
            now=now,
        )  # fmt: skip

    await runtime.store.transact(work)


async def _change(connection: AsyncConnection, group_id: int, values: Mapping[str, str], *, now: datetime) -> None:
    found = await connection.execute(
        update(member)
        .where(member.c.id == group_id, member.c.kind == "group", member.c.erased_at.is_(None))
        .values(**values, updated_at=now)
    )
    if found.rowcount != 1:
        raise NotFound(f"there is no group {group_id}; `outreach group list` shows them all")


async def _write_tags(connection: AsyncConnection, group_id: int, tags: list[str]) -> None:
    for tag in sorted({tag.strip().lower() for tag in tags if tag.strip()}):
        await connection.execute(insert(member_tag).values(tag=tag, member_id=group_id))


async def _write(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    chat: str,
    title: str,
    ids: range,
    *,
    source: str,
    by: str,
    now: datetime,
    tags: list[str] | None = None,
) -> int:
    number, address_id, consent_id, audit_id = ids[:IDS_PER_GROUP]
    spec = runtime.specs[channel]
    hash_ = address_hash(runtime.key, spec.address_kind, chat)
    await connection.execute(
        insert(member).values(
            id=number, kind="group", first_name=title[:200], attributes={}, joined_at=now, created_at=now,
            updated_at=now,
        )
    )  # fmt: skip
    await connection.execute(
        insert(address).values(
            id=address_id, member_id=number, channel=channel, value=chat, hash=hash_, consent="granted",
            account=account if spec.bound else "", created_at=now,
        )
    )  # fmt: skip
    await connection.execute(
        insert(consent).values(
            id=consent_id, member_id=number, channel=channel, address_hash=hash_, state="granted", basis="consent",
            source=source, at=now, recorded_at=now,
        )
    )  # fmt: skip
    await _write_tags(connection, number, tags or [])
    await write_audit(
        connection, audit_id, who=by, what="group.add", subject=str(number), detail={"channel": channel}, now=now
    )
    return number
