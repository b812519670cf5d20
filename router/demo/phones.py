"""The telephones of a made-up movement in a scenario's hands: whom an ask reached, what they write, what they see."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from sqlalchemy import text

from channels.sandbox import Sandbox
from router.runtime import Runtime
from router.store.tables import to_ms


class Person(NamedTuple):
    """A member with a telephone."""

    member: int
    phone: str
    postcode: str


ON_PHONES = (
    "SELECT DISTINCT m.id, a.value, m.postcode FROM member m JOIN address a ON a.member_id = m.id AND a.channel = 'sms'"
)
"""SQL: rows of `Person`, to be narrowed down by what is written behind it."""


async def who_got(runtime: Runtime, campaign: int) -> list[Person]:
    """Whom an ask reached by text, and who are alone on their telephone."""
    found = await read_rows(
        runtime,
        ON_PHONES + " JOIN delivery d ON d.member_id = m.id AND d.campaign_id = :id AND d.channel = 'sms'"
        " WHERE d.status IN ('sent', 'delivered') AND m.postcode <> '' AND a.hash NOT IN"
        " (SELECT hash FROM address WHERE channel = 'sms' GROUP BY hash HAVING count(*) > 1) ORDER BY m.id",
        id=campaign,
    )
    return [Person(*row) for row in found]


async def at_step(runtime: Runtime, people: Sequence[Person], step: str) -> list[Person]:
    """Those of these people whom the program asked this last."""
    standing = {
        row.member_id for row in await read_rows(runtime, "SELECT member_id FROM dialog WHERE step = :step", step=step)
    }
    return [one for one in people if one.member in standing]


async def say(runtime: Runtime, sandbox: Sandbox, words: Iterable[tuple[Person, str]]) -> None:
    """These people write, and everybody's answer arrives."""
    for one, said in words:
        sandbox.phones.reply(one.phone, said)
    await still(runtime, sandbox)


async def still(runtime: Runtime, sandbox: Sandbox) -> None:
    """Wait until everything that was said is heard, and what is to be told now is told."""
    quiet = 0
    while quiet < 3:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sandbox.idle(), 10)
        waits = await read_rows(
            runtime,
            "SELECT 1 FROM batch b JOIN campaign c ON c.id = b.campaign_id WHERE c.kind = 'reply' AND b.open"
            " AND b.not_before <= :now LIMIT 1",
            now=to_ms(runtime.clock()),
        )
        quiet = 0 if waits else quiet + 1
        await asyncio.sleep(0.5 if not waits else 0.1)


async def read_rows(runtime: Runtime, statement: str, **values: Any) -> Sequence[Any]:
    """Look into the ledger."""
    async with runtime.store.read() as connection:
        return (await connection.execute(text(statement), values)).all()


def show_phone(out: Console, sandbox: Sandbox, one: Person, title: str) -> None:
    """What somebody's telephone shows."""
    conversation = sandbox.memory.conversation(one.phone)
    if conversation is None:
        return
    lines = [
        f"[bold]{escape(entry.text)}[/bold]" if entry.side == "written" else escape(entry.text)
        for entry in conversation.entries
    ]
    out.print(Panel("\n\n".join(lines), title=title, title_align="left", width=90))
