"""Organizers: who there is, what each may do, and for whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.audience import Filter
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.roles import Role
from router.office import passwords
from router.runtime import Runtime
from router.store.campaigns import write_audit
from router.store.tables import organizer, session

LONGEST_NAME = 80

FREE_TRIES = 5
LONGEST_WAIT = timedelta(minutes=15)
"""After so many wrong passwords in a row each further one doubles a wait of a second, up to this. Kept in the ledger,
so that no restart forgives it (OWASP Authentication Cheat Sheet, "Login Throttling"; the numbers are house rules)."""

_filter: TypeAdapter[Filter] = TypeAdapter(Filter)


class Organizer(BaseModel):
    """Somebody who may come in."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    role: Role
    audience: Filter | None = None
    """The only members that they see and write to; None for all."""
    created_by: str
    created_at: datetime
    disabled_at: datetime | None = None


def key_of(name: str) -> str:
    """Names that differ in case and spaces only are one."""
    return " ".join(name.split()).casefold()


def check_name(name: str) -> str:
    """A name as it is kept. Raises `BadInput`."""
    found = " ".join(name.split())
    if not 1 <= len(found) <= LONGEST_NAME or not found.isprintable():
        raise BadInput(f"has 1 to {LONGEST_NAME} characters, in one line", place="name")
    return found


def organizer_of(row: Any) -> Organizer:
    """A row of the table as what it stands for."""
    return Organizer(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        audience=None if row.audience is None else _filter.validate_python(row.audience),
        created_by=row.created_by,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


async def add_organizer(
    connection: AsyncConnection,
    ids: tuple[int, int],
    *,
    name: str,
    role: Role,
    audience: Filter | None,
    password_hash: str,
    by: str,
    now: datetime,
) -> int:
    """Enter an organizer; `ids` are numbers for them and for the audit. Raises `BadInput` where the name is taken."""
    taken = await connection.scalar(select(organizer.c.id).where(organizer.c.name_key == key_of(name)))
    if taken is not None:
        raise BadInput("is somebody else's already; add your family name, or your place", place="name")
    number, audit_id = ids
    await connection.execute(
        insert(organizer).values(
            id=number, name=name, name_key=key_of(name), password_hash=password_hash, role=role.value,
            audience=None if audience is None else audience.model_dump(mode="json"), created_by=by, created_at=now,
        )
    )  # fmt: skip
    await write_audit(
        connection, audit_id, who=by, what="organizer.add", subject=str(number), detail={"role": role.value}, now=now
    )
    return number


async def list_organizers(runtime: Runtime) -> list[Organizer]:
    """Everybody, in the order in which they came."""
    async with runtime.store.read() as connection:
        rows = await connection.execute(select(organizer).order_by(organizer.c.id))
        return [organizer_of(row) for row in rows]


async def is_empty(runtime: Runtime) -> bool:
    """Whether nobody has come in yet, so that the first admin is to be made."""
    async with runtime.store.read() as connection:
        return not await connection.scalar(select(func.count()).select_from(organizer))


async def change_organizer(
    runtime: Runtime,
    organizer_id: int,
    *,
    role: Role | None = None,
    audience: Filter | None = None,
    everybody: bool = False,
    disabled: bool | None = None,
    by: str,
    now: datetime,
) -> Organizer:
    """Another role, another audience (`everybody` lifts it), or an end to it; they are signed out everywhere.

    Raises `NotFound`, and `NotAllowed` where no admin would be left.
    """
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> Organizer:
        # Two admins who end each other's accounts at once come one after the other.
        await connection.execute(select(organizer.c.id).order_by(organizer.c.id).with_for_update())
        row = (await connection.execute(select(organizer).where(organizer.c.id == organizer_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no organizer {organizer_id}")
        values: dict[str, Any] = {}
        if role is not None:
            values["role"] = role.value
        if audience is not None or everybody:
            values["audience"] = None if audience is None else audience.model_dump(mode="json")
        if disabled is not None:
            values["disabled_at"] = now if disabled else None
        if not values:
            return organizer_of(row)
        await connection.execute(update(organizer).where(organizer.c.id == organizer_id).values(**values))
        left = await connection.scalar(
            select(func.count())
            .select_from(organizer)
            .where(organizer.c.role == Role.ADMIN.value, organizer.c.disabled_at.is_(None))
        )
        if not left:
            raise NotAllowed("there must be one admin at least; make somebody else admin first")
        await connection.execute(session.delete().where(session.c.organizer_id == organizer_id))
        await write_audit(
            connection, audit_id, who=by, what="organizer.change", subject=str(organizer_id),
            detail={name: str(value) for name, value in values.items() if name != "audience"}, now=now,
        )  # fmt: skip
        changed = (await connection.execute(select(organizer).where(organizer.c.id == organizer_id))).one()
        return organizer_of(changed)

    return await runtime.store.transact(work)


async def check_password(runtime: Runtime, name: str, password: str, *, now: datetime) -> Organizer | None:
    """Who signs in so; None where name and password do not belong together. Raises `TooManyTries`."""
    async with runtime.store.read() as connection:
        row = (await connection.execute(select(organizer).where(organizer.c.name_key == key_of(name)))).one_or_none()
    known = row is not None and row.disabled_at is None
    if row is not None and row.wait_until is not None and now < row.wait_until:
        raise TooManyTries((row.wait_until - now).total_seconds())
    right = await passwords.fits(row.password_hash if row is not None and known else "", password)
    if row is None or not known:
        return None
    failures = 0 if right else row.failures + 1
    changes: dict[str, Any] = {"failures": failures, "wait_until": None}
    if failures >= FREE_TRIES:
        changes["wait_until"] = now + min(LONGEST_WAIT, timedelta(seconds=2 ** (failures - FREE_TRIES)))
    if right and passwords.is_outdated(row.password_hash):
        changes["password_hash"] = await passwords.hashed(password)
    if not right:  # two wrong ones at once are two
        changes["failures"] = organizer.c.failures + 1

    async def keep(connection: AsyncConnection) -> None:
        await connection.execute(update(organizer).where(organizer.c.id == row.id).values(**changes))

    if row.failures or not right or "password_hash" in changes:
        await runtime.store.transact(keep)
    return organizer_of(row) if right else None


async def set_password(runtime: Runtime, organizer_id: int, password: str, *, by: str, now: datetime) -> None:
    """Another password; they are signed out everywhere. Raises `BadInput` and `NotFound`."""
    passwords.check_new(password)
    kept = await passwords.hashed(password)
    [audit_id] = await runtime.store.take_ids(1)

    async def work(connection: AsyncConnection) -> None:
        changed = await connection.execute(
            update(organizer)
            .where(organizer.c.id == organizer_id)
            .values(password_hash=kept, failures=0, wait_until=None)
        )
        if not changed.rowcount:
            raise NotFound(f"there is no organizer {organizer_id}")
        await connection.execute(session.delete().where(session.c.organizer_id == organizer_id))
        await write_audit(
            connection, audit_id, who=by, what="organizer.password", subject=str(organizer_id), detail={}, now=now
        )

    await runtime.store.transact(work)


class TooManyTries(Exception):
    """Too many wrong passwords of late."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        """How long until the next try counts."""
