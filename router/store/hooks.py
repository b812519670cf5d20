"""What other systems are told, kept in the same transaction as the deed itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.outgoing import Kind
from router.store.bulk import sql
from router.store.tables import from_ms, to_ms


async def tell_hooks(
    connection: AsyncConnection, kind: Kind, details: Mapping[str, Any], *, member_id: int = 0, now: datetime
) -> None:
    """Keep an event for every address that wants to hear of its kind. It carries numbers and no personal data."""
    hooks = (
        await connection.execute(
            sql("SELECT id FROM hook WHERE active AND kinds LIKE :kind ORDER BY id"), {"kind": f"% {kind.value} %"}
        )
    ).scalars()
    wanted = list(hooks)
    if not wanted:
        return
    body: dict[str, Any] = {"type": kind.value, "timestamp": from_ms(to_ms(now)).isoformat(), "data": dict(details)}
    if member_id:
        external = await connection.scalar(sql("SELECT external_id FROM member WHERE id = :id"), {"id": member_id})
        body["data"] = {"member": {"id": member_id, "external_id": external}, **details}
    row = {"member": member_id, "kind": kind.value, "body": json.dumps(body, ensure_ascii=False), "at": to_ms(now)}
    await connection.execute(
        sql(
            "INSERT INTO hook_event (hook_id, member_id, kind, body, status, not_before, at)"
            " VALUES (:hook, :member, :kind, :body, 'waiting', :at, :at)"
        ),
        [{**row, "hook": number} for number in wanted],
    )
