"""What everybody may see of changes of the rules: what will hold and from when, and how many are for and against it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row, and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.policy_directions import path_of, row_of
from router.core.policy_values import Values
from router.core.policy_words import limits_of, sentence_of
from router.policy_changes.book import loaded, read_standing
from router.policy_changes.voices import FIELDS, Stance, stances_of
from router.runtime import Runtime
from router.store.tables import member, policy_change

LATELY = timedelta(days=30)
"""So long what has taken effect goes on standing there."""

_COUNT = (
    "SELECT v.change_id, v.stance, count(*) AS people FROM policy_change c JOIN policy_voice v ON v.change_id = c.id"
    " WHERE c.status IN ('announced', 'refused', 'in_force') GROUP BY v.change_id, v.stance"
)


class Change(BaseModel):
    """One change that lets us message more."""

    model_config = ConfigDict(frozen=True)

    id: int
    status: Literal["announced", "refused", "in_force"]
    sentence: str
    """What it means to a member, in English; a sentence without its first word's capital and its full stop."""
    file: str
    key: str
    """Where it stands in that file."""
    rule: str
    """Both in one, as in the ledger."""
    old: Any
    new: Any
    """As in the file; None where there is no such rule."""
    before: Any = Field(exclude=True)
    after: Any = Field(exclude=True)
    """What holds: the default's where there is no such rule, None where nothing limits it. For other languages."""
    announced_at: datetime
    effective_at: datetime
    seconds: int = 0
    objections: int = 0


class OwnWord(BaseModel):
    """A change, as one member sees it who may say something of it."""

    model_config = ConfigDict(frozen=True)

    change: Change
    said: Stance | None


async def list_changes(runtime: Runtime, *, now: datetime) -> list[Change]:
    """Announced ones, the next to take effect first; then refused ones, and those that took effect lately."""
    async with runtime.store.read() as connection:
        return await _read(connection, now)


async def list_own(runtime: Runtime, member_id: int, *, now: datetime) -> list[OwnWord]:
    """The announced changes on which a member has a word, and what they said."""
    async with runtime.store.read() as connection:
        found = await _read(connection, now)
        if not found:
            return []
        said = await stances_of(connection, member_id)
        joined_at = (await connection.execute(select(member.c.joined_at).where(member.c.id == member_id))).scalar_one()
    return [
        OwnWord(change=one, said=said.get(one.id))
        for one in found
        if one.status == "announced" and joined_at < one.announced_at
    ]


async def _read(connection: AsyncConnection, now: datetime) -> list[Change]:
    c = policy_change.c
    query = (
        select(policy_change)
        .where(
            or_(
                c.status.in_(("announced", "refused")),
                and_(c.status == "in_force", c.ended_at > now - LATELY),
            )
        )
        .order_by(c.effective_at, c.id)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return []
    counts: dict[int, dict[str, int]] = {}
    for change, stance, people in await connection.execute(text(_COUNT)):
        counts.setdefault(change, {})[FIELDS[Stance(stance)]] = people
    in_force = (await read_standing(connection)).in_force
    order = ("announced", "refused", "in_force")
    found = [_change(row, in_force, counts.get(row.id, {})) for row in rows if row_of(row.key)]
    return sorted(found, key=lambda one: order.index(one.status))


def _change(row: Row[Any], in_force: Values, counts: dict[str, int]) -> Change:
    old, new = loaded(row.old), loaded(row.new)
    rest = {key: value for key, value in in_force.items() if key != row.key}
    were = rest if old is None else {**rest, row.key: old}
    become = rest if new is None else {**rest, row.key: new}
    before, after = limits_of(row.key, were, become)
    file, *path = path_of(row.key)
    return Change(
        id=row.id,
        status=row.status,
        sentence=sentence_of(row.key, were, become),
        file=f"{file}.toml",
        key=".".join(path),
        rule=row.key,
        old=old,
        new=new,
        before=before,
        after=after,
        announced_at=row.announced_at,
        effective_at=row.effective_at,
        **counts,
    )
