"""The groups that asks can be posted in, as organizers see them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, func, literal, select, text

from router.core.model import UNRANKED
from router.runtime import Runtime
from router.store.tables import address, group_chat, group_member, member, member_tag

MOST_LINKED = 1_000
"""People of one group that are counted: a list of large groups would else take a third of a second."""


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
    locale: str
    """The language in which the bot answers there, "" for English."""
    country: str
    place: str
    """Where its people are, "" where nobody said; it is shown the events of there."""
    steward: int | None
    """The member who may quiet us there, null where we do not know who that is."""
    linked: int
    """Of how many members we know that they are in it; `MOST_LINKED` stands for that many or more."""
    quiet_until: datetime | None
    """No asks are posted there before, null for no quiet."""

    @property
    def is_large(self) -> bool:
        """Whether there may be more people in it than are counted."""
        return self.linked >= MOST_LINKED


async def list_groups(runtime: Runtime, *, limit: int = 50, after: int = 0) -> list[GroupView]:
    """Groups in the order in which they came; `after` is the id to go on from."""
    some = select(literal(1)).where(group_member.c.group_id == member.c.id).limit(MOST_LINKED).correlate(member)
    linked = select(func.count()).select_from(some.subquery()).correlate(member).scalar_subquery()
    about = (member.c.id, member.c.first_name, member.c.locale, member.c.country, member.c.place, member.c.paused_until)
    chats = (
        select(*about, group_chat.c.steward_id, linked.label("linked"), address)
        .join(address, and_(address.c.member_id == member.c.id, address.c.rank < UNRANKED))  # not those of its topics
        .outerjoin(group_chat, group_chat.c.group_id == member.c.id)
        .where(text("member.kind = 'group'"), member.c.erased_at.is_(None), member.c.id > after)  # so the index has it
        .order_by(member.c.id)
        .limit(limit)
    )
    tags: dict[int, list[str]] = defaultdict(list)
    now = runtime.clock()
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
            locale=row.locale,
            country=row.country,
            place=row.place,
            steward=row.steward_id,
            linked=row.linked,
            quiet_until=row.paused_until if row.paused_until and row.paused_until > now else None,
        )
        for row in rows
    ]
