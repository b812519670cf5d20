"""The groups that asks can be posted in, as organizers see them."""

from __future__ import annotations

from collections import defaultdict

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from router.runtime import Runtime
from router.store.tables import address, member, member_tag


class GroupView(BaseModel):
    """One group chat."""

    model_config = ConfigDict(frozen=True)

    id: int
    title: str
    channel: str
    account: str
    """The only account that can post there; "" where any can."""
    address: str
    tags: list[str]
    open: bool
    """Whether we may post there now: false once we were put out, or a STOP was given in it."""


async def list_groups(runtime: Runtime, *, limit: int = 50, after: int = 0) -> list[GroupView]:
    """Groups in the order in which they came; `after` is the id to go on from."""
    chats = (
        select(member.c.id, member.c.first_name, address)
        .join(address, address.c.member_id == member.c.id)
        .where(member.c.kind == "group", member.c.erased_at.is_(None), member.c.id > after)
        .order_by(member.c.id)
        .limit(limit)
    )
    tags: dict[int, list[str]] = defaultdict(list)
    async with runtime.store.read() as connection:
        rows = (await connection.execute(chats)).all()
        wanted = select(member_tag).where(member_tag.c.member_id.in_([row[0] for row in rows]))
        for row in await connection.execute(wanted.order_by(member_tag.c.tag)):
            tags[row.member_id].append(row.tag)
    return [
        GroupView(
            id=row.member_id,
            title=row.first_name,
            channel=row.channel,
            account=row.account,
            address=row.value,
            tags=tags[row.member_id],
            open=row.state == "active" and row.consent == "granted",
        )
        for row in rows
    ]
