"""Members' seconds and objections to what is announced: one word each, which they may change."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import NotAllowed
from router.runtime import Runtime
from router.store.bulk import for_share
from router.store.tables import policy_change, policy_voice, to_ms


class Stance(StrEnum):
    """What a member holds of a change."""

    SECOND = "second"
    OBJECT = "object"


_MAY_SPEAK = (
    "SELECT c.id FROM policy_change c JOIN member m ON m.id = :member WHERE c.id = :change AND c.status = 'announced'"
    " AND m.kind = 'person' AND m.erased_at IS NULL AND m.joined_at < c.announced_at"
)
"""Whoever joined after the announcement has no say in it: else a crowd of fresh accounts would decide."""

_SAY = (
    "INSERT INTO policy_voice (change_id, member_id, stance, at) VALUES (:change, :member, :stance, :at)"
    " ON CONFLICT (change_id, member_id) DO UPDATE SET stance = excluded.stance, at = excluded.at"
)

_COUNT = (
    "SELECT c.key, v.stance, count(*) AS people FROM policy_change c JOIN policy_voice v ON v.change_id = c.id"
    " WHERE c.status = 'announced' GROUP BY c.key, v.stance"
)

_REACHABLE = (
    "SELECT count(*) FROM member m WHERE m.kind = 'person' AND m.erased_at IS NULL AND EXISTS"
    " (SELECT 1 FROM address a WHERE a.member_id = m.id AND a.state = 'active' AND a.consent = 'granted')"
)

FIELDS = {Stance.SECOND: "seconds", Stance.OBJECT: "objections"}


async def speak(runtime: Runtime, member_id: int, change_id: int, stance: Stance, *, now: datetime) -> None:
    """A member seconds or objects. Said again it takes the place of what they said before. Raises `NotAllowed`."""

    async def work(connection: AsyncConnection) -> None:
        ids = {"member": member_id, "change": change_id}
        if await connection.scalar(text(_MAY_SPEAK + for_share(connection, "c")), ids) is None:
            raise NotAllowed("this change is not announced any more, or was before you joined")
        await connection.execute(text(_SAY), {**ids, "stance": stance.value, "at": to_ms(now)})

    await runtime.store.transact(work)


async def stances_of(connection: AsyncConnection, member_id: int) -> dict[int, Stance]:
    """Change → what a member has said of it."""
    query = (
        select(policy_voice.c.change_id, policy_voice.c.stance)
        .join(policy_change, policy_change.c.id == policy_voice.c.change_id)
        .where(policy_voice.c.member_id == member_id, policy_change.c.status == "announced")
    )
    return {change: Stance(stance) for change, stance in await connection.execute(query)}


async def count_voices(connection: AsyncConnection) -> dict[str, dict[str, int]]:
    """Key of an announced change → its seconds and objections, where there are any."""
    found: dict[str, dict[str, int]] = {}
    for key, stance, people in await connection.execute(text(_COUNT)):
        found.setdefault(key, dict.fromkeys(FIELDS.values(), 0))[FIELDS[Stance(stance)]] = people
    return found


async def count_reachable(connection: AsyncConnection) -> int:
    """Members that we may write to on some channel."""
    return int(await connection.scalar(text(_REACHABLE)) or 0)
