"""What members wish of us: which channel first, where at all, how often, at which hours, in which language.

The same few lines write it, whoever says it: the API, a page, a reply (LESS, MORE, PAUSE, EMAIL ME INSTEAD). What
waits for the member follows at once (`router.rerouting`); what leaves is looked at once more (`router.intent`).
STOP and START are something else: they hold for an address, whoever owns it, and are not touched from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.attention import Dial
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.model import UNRANKED
from router.core.zones import known_zone
from router.landing import wait_for_member
from router.rerouting import follow_wishes
from router.runtime import Runtime
from router.store.bulk import for_update, in_numbers, numbers
from router.store.campaigns import write_audit
from router.store.tables import address, consent, member


class Preferences(BaseModel):
    """What one member wishes, as it stands."""

    model_config = ConfigDict(frozen=True)

    member_id: int
    order: list[str]
    """The channels that they ranked, best liked first; among the others what works decides."""
    channels: dict[str, bool]
    """channel → whether we may write to them there."""
    alerts: dict[str, bool]
    """channel → whether they agreed to alerts there, at any hour."""
    zone: str
    locale: str
    dial: Dial
    paused_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to be different from now on; None leaves a thing as it is."""

    order: Sequence[str] | None = None
    """The channels that they rank, best liked first; all others count as unranked."""
    first: str = ""
    """Or one channel that goes before those they ranked already."""
    channels: Mapping[str, bool] = field(default_factory=dict)
    """channel → whether we may write to them there."""
    alerts: Mapping[str, bool] = field(default_factory=dict)
    """channel → whether alerts may come there at any hour."""
    zone: str | None = None
    locale: str | None = None
    dial: Dial | None = None
    paused_until: datetime | None = None
    """A moment that is over ends the pause."""
    source: str = ""
    """Where a yes was given, for the evidence …"""
    wording: str = ""
    """… and to which words."""

    @property
    def moves(self) -> bool:
        """Whether messages may have to change their channel."""
        return self.order is not None or bool(self.first or self.channels)


async def read_preferences(runtime: Runtime, member_id: int) -> Preferences:
    """A member's wishes. Raises `NotFound`."""
    async with runtime.store.read() as connection:
        return await _read(connection, member_id)


async def set_preferences(runtime: Runtime, member_id: int, wishes: Wishes, *, by: str, now: datetime) -> Preferences:
    """Write a member's wishes down and let what waits for them follow; returns how things stand now.

    Raises `NotFound`, `BadInput` naming the field that cannot be used, and `NotAllowed` where a STOP stands.
    """
    async with runtime.store.read() as connection:
        places = await connection.scalar(text("SELECT count(*) FROM address WHERE member_id = :id"), {"id": member_id})
    ids = await runtime.store.take_ids(2 * int(places or 0) + 1)

    async def work(connection: AsyncConnection) -> Preferences:
        fresh = iter(ids)
        await _read(connection, member_id)
        await write_audit(
            connection, next(fresh), who=by, what="member.preferences", subject=str(member_id),
            detail={"changed": _changed(wishes)}, now=now,
        )  # fmt: skip
        await write_wishes(connection, [member_id], wishes, fresh, by=by, now=now)
        return await _read(connection, member_id)

    found = await runtime.store.transact(work)
    await follow_wishes(runtime, [member_id], channels=wishes.moves, now=now)
    await wait_for_member(runtime, member_id)
    return found


async def write_wishes(
    connection: AsyncConnection,
    members: Sequence[int],
    wishes: Wishes,
    ids: Iterator[int] | None = None,
    *,
    by: str = "",
    now: datetime,
) -> None:
    """The same inside the caller's transaction, which then calls `follow_wishes` once it is committed.

    Each consent that is given or taken back uses one of `ids`: two at most for each address of the members.
    """
    await connection.execute(
        update(member).where(member.c.id.in_(list(members)), member.c.kind == "person").values(_columns(wishes, now))
    )
    if not (wishes.moves or wishes.alerts):
        return
    fresh = ids if ids is not None else iter(())
    places = await _places(connection, members)
    if wishes.order is not None:
        await _rank(connection, places, wishes.order)
    if wishes.first:
        await _put_first(connection, members, wishes.first)
    agreed = {place.id: place.consent == "granted" for place in places}
    for channel, yes in wishes.channels.items():
        for place in _on(places, channel, "channels"):
            agreed[place.id] = yes
            if yes != (place.consent == "granted"):
                await _write_consent(connection, place, "asks", yes, wishes, next(fresh), by, now)
            if not yes and place.alerts:
                await _write_consent(connection, place, "alerts", False, wishes, next(fresh), by, now)
    for channel, yes in wishes.alerts.items():
        for place in _on(places, channel, "alerts"):
            if yes and not agreed[place.id]:
                raise BadInput("alerts need consent to messages there first", place=f"alerts.{channel}")
            if yes != bool(place.alerts):
                await _write_consent(connection, place, "alerts", yes, wishes, next(fresh), by, now)


def _columns(wishes: Wishes, now: datetime) -> dict[str, Any]:
    if wishes.zone is not None and known_zone(wishes.zone) is None:
        raise BadInput("is no IANA time zone such as Europe/Berlin", place="zone")
    values: dict[str, Any] = {"updated_at": now}
    if wishes.zone is not None:
        values |= {"zone": wishes.zone, "zone_source": "given"}
    if wishes.locale is not None:
        values["locale"] = wishes.locale
    if wishes.dial is not None:
        values["dial"] = wishes.dial.value
    if wishes.paused_until is not None:
        values["paused_until"] = wishes.paused_until if wishes.paused_until > now else None
    return values


def _changed(wishes: Wishes) -> list[str]:
    named = ("order", "first", "channels", "alerts", "zone", "locale", "dial", "paused_until")
    return [name for name in named if getattr(wishes, name) not in (None, "", {})]


# ── addresses ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _places(connection: AsyncConnection, members: Sequence[int]) -> list[Any]:
    """The members' addresses that work, held until the transaction ends."""
    rows = await connection.execute(
        text(
            "SELECT id, member_id, channel, hash, consent, alerts FROM address"
            f" WHERE member_id {in_numbers(connection, 'ids')} AND state = 'active'"
            f" ORDER BY id{for_update(connection)}"
        ),
        {"ids": numbers(connection, members)},
    )
    return list(rows.all())


def _on(places: Sequence[Any], channel: str, field_: str) -> list[Any]:
    found = [place for place in places if place.channel == channel]
    if not found:
        raise BadInput(
            "this member has no address there that works; add it first (POST /api/v1/members, or a join link)",
            place=f"{field_}.{channel}",
        )
    return found


async def _rank(connection: AsyncConnection, places: Sequence[Any], order: Sequence[str]) -> None:
    for channel in order:
        _on(places, channel, "order")
    ranks = {channel: rank for rank, channel in enumerate(dict.fromkeys(order))}
    for place in places:
        rank = ranks.get(place.channel, UNRANKED)
        await connection.execute(update(address).where(address.c.id == place.id).values(rank=rank))


async def _put_first(connection: AsyncConnection, members: Sequence[int], channel: str) -> None:
    await connection.execute(
        text(
            "UPDATE address SET rank = CASE WHEN channel = :channel THEN 0 ELSE rank + 1 END"
            f" WHERE member_id {in_numbers(connection, 'ids')} AND (rank < {UNRANKED - 1} OR channel = :channel)"
        ),
        {"channel": channel, "ids": numbers(connection, members)},
    )


async def _write_consent(
    connection: AsyncConnection,
    place: Any,
    purpose: str,
    yes: bool,
    wishes: Wishes,
    number: int,
    by: str,
    now: datetime,
) -> None:
    """Keep the evidence, and bring the address along."""
    if yes and not (wishes.source.strip() and wishes.wording.strip()):
        raise BadInput("say where the member agreed, and to which words: source and wording", place="source")
    if yes and purpose == "asks":
        stopped = await connection.scalar(
            text("SELECT 1 FROM suppression WHERE address_hash = :hash AND channel = :channel"),
            {"hash": place.hash, "channel": place.channel},
        )
        if stopped:
            raise NotAllowed(f"somebody said STOP on {place.channel}; only a START written from there lifts that")
    await connection.execute(
        insert(consent).values(
            id=number, member_id=place.member_id, channel=place.channel, address_hash=place.hash, purpose=purpose,
            state="granted" if yes else "revoked", basis="consent",
            source=(wishes.source or f"preferences: {by}")[:400], wording=wishes.wording[:10_000],
            at=now, recorded_at=now,
        )
    )  # fmt: skip
    values: dict[str, Any] = {"alerts": yes} if purpose == "alerts" else {"consent": "granted" if yes else "revoked"}
    await connection.execute(update(address).where(address.c.id == place.id).values(values))


async def _read(connection: AsyncConnection, member_id: int) -> Preferences:
    columns = (member.c.zone, member.c.locale, member.c.dial, member.c.paused_until)
    there = member.c.id == member_id, member.c.kind == "person", member.c.erased_at.is_(None)
    row = (await connection.execute(select(*columns).where(*there))).one_or_none()
    if row is None:
        raise NotFound(f"there is no member {member_id}")
    rows = await connection.execute(
        text(
            "SELECT a.channel, min(a.rank), max(CASE WHEN a.consent = 'granted' AND a.state = 'active'"
            " AND s.reason IS NULL THEN 1 ELSE 0 END), max(CASE WHEN a.alerts AND a.state = 'active' THEN 1 ELSE 0 END)"
            " FROM address a LEFT JOIN suppression s ON s.address_hash = a.hash AND s.channel = a.channel"
            " WHERE a.member_id = :id GROUP BY a.channel ORDER BY min(a.rank), a.channel"
        ),
        {"id": member_id},
    )
    found = rows.all()
    return Preferences(
        member_id=member_id,
        order=[channel for channel, rank, _, _ in found if rank < UNRANKED],
        channels={channel: bool(may) for channel, _, may, _ in found},
        alerts={channel: bool(alerts) for channel, _, _, alerts in found},
        zone=row.zone,
        locale=row.locale,
        dial=Dial(row.dial),
        paused_until=row.paused_until,
    )
