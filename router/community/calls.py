"""The lines of calling campaigns: whom to call, by place, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.call_book import open_door
from router.core.address import parse_phone
from router.core.calling import MOST_SLOTS, Hours
from router.core.errors import BadAddress, BadInput, NotFound
from router.core.goals import same_place
from router.core.ladder import Rung
from router.runtime import Runtime
from router.store.campaigns import read_ask, write_audit
from router.store.tables import call_line

Along = Callable[[AsyncConnection, int], Awaitable[None]]
"""What is written in the same transaction; it gets the line's number."""


class CallLine(BaseModel):
    """Whom people of one place call, and when."""

    model_config = ConfigDict(frozen=True)

    id: int
    campaign_id: int
    place: str
    """A name as members' places have it, or the beginning of postcodes; "" for everybody who has no line of theirs."""
    name: str
    phone: str
    """E.164."""
    script: str
    opens_at: datetime
    closes_at: datetime
    slot_minutes: int
    per_slot: int

    @property
    def hours(self) -> Hours:
        """When it is open and how its callers are spread."""
        slot = timedelta(minutes=self.slot_minutes)
        return Hours(opens_at=self.opens_at, closes_at=self.closes_at, slot=slot, per_slot=self.per_slot)


async def add_line(
    runtime: Runtime, campaign_id: int, about: dict[str, Any], *, by: str, now: datetime, along: Along | None = None
) -> CallLine:
    """Give a campaign a line; `about` has all of `CallLine` but its numbers. `along` is written with it.

    Raises `NotFound` without the campaign, `BadInput` for what cannot work.
    """
    number, audit_id = await runtime.store.take_ids(2)
    line = _checked(runtime, {**about, "id": number, "campaign_id": campaign_id}, now=now)

    async def work(connection: AsyncConnection) -> None:
        if along is not None:
            await along(connection, number)
        ask = await read_ask(connection, campaign_id)
        if ask.wants is not Rung.CALL:
            raise BadInput("this campaign does not ask for calls; save one with wants = call", place="campaign")
        await _refuse_twice(connection, line)
        await connection.execute(insert(call_line).values(line.model_dump()))
        await _audit(connection, audit_id, line, "call_line.add", by=by, now=now)

    await runtime.store.transact(work)
    return line


async def change_line(runtime: Runtime, line_id: int, changes: dict[str, Any], *, by: str, now: datetime) -> CallLine:
    """Change what `changes` names of a line. Who was given a slot keeps it while the line is open then."""
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> CallLine:
        before = await read_line(connection, line_id)
        await open_door(connection, before.campaign_id)
        line = _checked(runtime, {**(await read_line(connection, line_id)).model_dump(), **changes}, now=now)
        await _refuse_twice(connection, line)
        values = line.model_dump(exclude={"id", "campaign_id"})
        await connection.execute(update(call_line).where(call_line.c.id == line_id).values(values))
        await _audit(connection, audit_id, line, "call_line.change", by=by, now=now)
        return line

    return await runtime.store.transact(work)


async def close_line(runtime: Runtime, line_id: int, *, by: str, now: datetime) -> CallLine:
    """Nobody is asked to call there from now on; who has a slot to come is told when it begins."""
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> CallLine:
        before = await read_line(connection, line_id)
        await open_door(connection, before.campaign_id)
        line = await read_line(connection, line_id)
        if line.closes_at <= now:
            return line
        closed = line.model_copy(update={"closes_at": now, "opens_at": min(line.opens_at, now)})
        values = {"opens_at": closed.opens_at, "closes_at": closed.closes_at}
        await connection.execute(update(call_line).where(call_line.c.id == line_id).values(values))
        await _audit(connection, audit_id, closed, "call_line.close", by=by, now=now)
        return closed

    return await runtime.store.transact(work)


async def read_line(connection: AsyncConnection, line_id: int) -> CallLine:
    """One line. Raises `NotFound`."""
    row = (await connection.execute(select(call_line).where(call_line.c.id == line_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no call line {line_id}")
    return CallLine.model_validate(row._asdict())


async def read_lines(connection: AsyncConnection, campaign_id: int) -> list[CallLine]:
    """The lines of a campaign, the one for all first, then by place."""
    rows = await connection.execute(
        select(call_line).where(call_line.c.campaign_id == campaign_id).order_by(call_line.c.place, call_line.c.id)
    )
    return [CallLine.model_validate(row._asdict()) for row in rows]


def _checked(runtime: Runtime, values: dict[str, Any], *, now: datetime) -> CallLine:
    try:
        values["phone"] = parse_phone(values["phone"], runtime.settings.default_region)
    except BadAddress as error:
        raise BadAddress(error.sentence, place="phone") from None
    hours = {name: values[name].astimezone(UTC) for name in ("opens_at", "closes_at")}
    line = CallLine.model_validate({**values, **hours, "place": values["place"].strip()})
    if line.closes_at <= line.opens_at:
        raise BadInput("lies before the opening", place="closes_at")
    if line.closes_at <= now:
        raise BadInput("is past already; close a line with its own call", place="closes_at")
    if line.closes_at - line.opens_at > MOST_SLOTS * line.hours.slot:
        raise BadInput(f"makes more than {MOST_SLOTS:,} slots; open it shorter, or take longer ones", place="closes_at")
    return line


async def _refuse_twice(connection: AsyncConnection, line: CallLine) -> None:
    for other in await read_lines(connection, line.campaign_id):
        if other.id != line.id and same_place(other.place) == same_place(line.place):
            raise BadInput(f"has a line already, number {other.id}; change that one", place="place")


async def _audit(
    connection: AsyncConnection, number: int, line: CallLine, what: str, *, by: str, now: datetime
) -> None:
    detail = line.model_dump(mode="json", exclude={"id", "script"})
    await write_audit(connection, number, who=by, what=what, subject=str(line.id), detail=detail, now=now)
