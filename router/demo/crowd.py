"""Who the demo's movement is made of, and where each of them can be reached."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.sandbox import Sandbox
from router.binding import IDS_PER_BINDING, bind_address
from router.groups import add_group
from router.records.imports import ImportOptions, import_file
from router.runtime import Runtime
from router.sample import write_sample_csv
from router.screens import import_table

_SHARES = {"whatsapp": 0.16, "telegram": 0.16, "slack": 0.08, "webpush": 0.10, "fcm": 0.08}
"""How many opened which channel themselves; everybody else stays with what the file says."""

GROUPS = (
    ("telegram", "-1001234567890", "Block 5 neighbours"),
    ("slack", "C0DEMO00001", "#rent-working-group"),
    ("apprise", "neighbours", "Notice board in the hall"),
)
"""Chats that we are in."""


async def import_members(runtime: Runtime, out: Console, path: Path, members: int, seed: int) -> None:
    """The movement comes in from a file, as an organization would export it from its old tool."""
    write_sample_csv(path, members, seed)
    report = await import_file(
        runtime.store,
        path,
        key=runtime.key,
        default_region=runtime.settings.default_region,
        by="demo",
        now=runtime.clock(),
        options=ImportOptions(),
    )
    out.print(import_table(report, most=4))


async def spread(runtime: Runtime, sandbox: Sandbox, seed: int) -> dict[str, int]:
    """Let some members open further channels, as they would by link; returns how many each channel has."""
    draw = random.Random(seed)  # noqa: S311 - made-up people, no secret
    async with runtime.store.read() as connection:
        rows = (
            await connection.execute(
                text(
                    "SELECT m.id, coalesce(min(a.value), '') FROM member m LEFT JOIN address a"
                    " ON a.member_id = m.id AND a.channel = 'sms' WHERE m.kind = 'person' GROUP BY m.id ORDER BY m.id"
                )
            )
        ).all()
    chosen: list[tuple[int, str, str]] = []
    for member_id, phone in rows:
        for channel, share in _SHARES.items():
            if draw.random() < share and (channel != "whatsapp" or (phone and not phone.startswith("+1"))):
                value = phone if channel == "whatsapp" else sandbox.new_address(channel, f"demo{member_id}")
                chosen.append((member_id, channel, value))
                break
    await open_channels(runtime, chosen)
    return {name: sum(channel == name for _, channel, _ in chosen) for name in _SHARES}


async def open_channels(runtime: Runtime, chosen: Sequence[tuple[int, str, str]]) -> None:
    """These members open these channels: (member, channel, address)."""
    for start in range(0, len(chosen), 200):
        part = chosen[start : start + 200]
        ids = await runtime.store.take_ids(IDS_PER_BINDING * len(part))
        await runtime.store.transact(lambda connection, part=part, ids=ids: _bind(runtime, connection, part, iter(ids)))  # type: ignore[misc]


async def _bind(
    runtime: Runtime, connection: AsyncConnection, people: Sequence[tuple[int, str, str]], ids: Iterator[int]
) -> None:
    for member_id, channel, value in people:
        await bind_address(
            runtime, connection, member_id, channel, "main", value, ids,
            source="opened it by their own link", wording="the demo", now=runtime.clock(),
        )  # fmt: skip


async def join_groups(runtime: Runtime) -> None:
    """The chats that an ask is posted in as well."""
    for channel, value, title in GROUPS:
        if channel in runtime.channels:
            await add_group(
                runtime, channel=channel, account="main", value=value, title=title, tags=["rent"], by="ana",
                now=runtime.clock(),
            )  # fmt: skip
