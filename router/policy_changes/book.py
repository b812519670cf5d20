"""The ledger's part: the rules in force, what is announced, and the writing of what was decided about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.policy_changes import Announced, Settlement, Standing
from router.core.policy_values import Values
from router.store.bulk import is_sqlite, sql
from router.store.campaigns import write_audit
from router.store.tables import policy_change, policy_value

BY = "the files of the rules"
"""Who changes a rule, for the audit: whoever may write them."""
WHEN_DUE = "its announcement"
MEMBERS = "members"

_LOCK = "the rules in force"


class Numbers:
    """Fresh numbers, taken before the transaction that uses them."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = iter(numbers)

    def next(self) -> int:
        return next(self._numbers)


async def lock_rules(connection: AsyncConnection) -> None:
    """One process at a time decides about the rules, until the transaction ends."""
    if not is_sqlite(connection):  # there every writer holds the ledger alone
        await connection.execute(sql("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": _LOCK})


async def read_standing(connection: AsyncConnection) -> Standing:
    """How the rules stand; nothing is in force before the first start."""
    values = (await connection.execute(select(policy_value.c.key, policy_value.c.value))).all()
    query = select(policy_change).where(policy_change.c.status.in_(("announced", "refused")))
    changes = (await connection.execute(query)).all()
    return Standing(
        in_force={key: json.loads(value) for key, value in values},
        announced={
            row.key: Announced(loaded(row.new), row.effective_at) for row in changes if row.status == "announced"
        },
        refused={row.key: loaded(row.new) for row in changes if row.status == "refused"},
    )


async def anybody_was_asked(connection: AsyncConnection) -> bool:
    """Whether an ask was ever launched."""
    query = text("SELECT 1 FROM campaign WHERE launched_at IS NOT NULL AND kind <> 'reply' LIMIT 1")
    return await connection.scalar(query) is not None


async def write_settlement(
    connection: AsyncConnection, standing: Standing, files: Values, what: Settlement, *, ahead: timedelta,
    numbers: Numbers, now: datetime,
) -> None:  # fmt: skip
    """Bring the ledger in line with the files."""
    for key in what.withdraw:
        await _end(connection, key, "announced", "withdrawn", now)
        await _audit(connection, numbers, "policy.withdraw", key, standing.announced[key].value, None, BY, now)
    for key in what.lifted:
        await _end(connection, key, "refused", "dropped", now)
    first = not standing.in_force
    for key in what.at_once:
        await put_in_force(connection, key, files.get(key), now=now)
        if not first:
            old, new = standing.in_force.get(key), files.get(key)
            await _audit(connection, numbers, "policy.change", key, old, new, BY, now)
    if first:
        await write_audit(
            connection, numbers.next(), who=BY, what="policy.begin", subject="policy",
            detail={"values": len(what.at_once)}, now=now,
        )  # fmt: skip
    for key in what.announce:
        old, new = standing.in_force.get(key), files.get(key)
        await connection.execute(
            insert(policy_change).values(
                id=numbers.next(), key=key, old=_dumped(old), new=_dumped(new), status="announced", announced_at=now,
                effective_at=now + ahead,
            )
        )  # fmt: skip
        await _audit(connection, numbers, "policy.announce", key, old, new, BY, now)


async def write_due(
    connection: AsyncConnection, standing: Standing, yes: Iterable[str], no: Iterable[str], *, numbers: Numbers,
    now: datetime,
) -> None:  # fmt: skip
    """Let announced changes take effect, or stand as refused."""
    for keys, status, what, who in ((yes, "in_force", "policy.effect", WHEN_DUE),
                                    (no, "refused", "policy.refuse", MEMBERS)):  # fmt: skip
        for key in keys:
            new = standing.announced[key].value
            if status == "in_force":
                await put_in_force(connection, key, new, now=now)
            await _end(connection, key, "announced", status, now)
            await _audit(connection, numbers, what, key, standing.in_force.get(key), new, who, now)


async def put_in_force(connection: AsyncConnection, key: str, value: Any, *, now: datetime) -> None:
    """From now on this value holds; None: none does."""
    await connection.execute(delete(policy_value).where(policy_value.c.key == key))
    if value is not None:
        await connection.execute(insert(policy_value).values(key=key, value=_dumped(value), since=now))


def loaded(value: str | None) -> Any:
    """A value as the tables keep it."""
    return None if value is None else json.loads(value)


def _dumped(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


async def _end(connection: AsyncConnection, key: str, status: str, becomes: str, now: datetime) -> None:
    await connection.execute(
        update(policy_change)
        .where(policy_change.c.key == key, policy_change.c.status == status)
        .values(status=becomes, ended_at=now)
    )


async def _audit(
    connection: AsyncConnection, numbers: Numbers, what: str, key: str, old: Any, new: Any, who: str, now: datetime
) -> None:
    detail: Mapping[str, Any] = {"old": old, "new": new}
    await write_audit(connection, numbers.next(), who=who, what=what, subject=key, detail=dict(detail), now=now)
