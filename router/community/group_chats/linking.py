"""A person's way from a group to their record: by the link in the group, by their own link, by JOIN.

Nothing of it is shown in the group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import answer_back
from router.community.group_chats.answers import adopt_answers
from router.community.group_chats.membership import note_member
from router.community.join_codes import Code
from router.community.joining import admit, enter_stranger
from router.core.channel import Inbound
from router.core.group_links import read_group_token
from router.core.phrases import say
from router.owners import Owner, is_silenced, owners_of
from router.runtime import Runtime
from router.store.spendings import month_of
from router.store.tallies import Moves

SOURCE = "opened the chat from the group's link"
"""Where the consent of somebody who came by it was given."""


async def come_from_group(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    account: str,
    event: Inbound,
    hash_: str,
    owners: Sequence[Owner],
    inbound_id: int,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> bool:
    """Somebody opened a chat by a group's link (``t.me/BOT?start=TOKEN``): we know now that they are in it, and they
    are told so. Who was nobody's yet becomes a member by it. False where it is no such link.
    """
    found = read_group_token(runtime.key, event.payload)
    if found is None:
        return False
    group = await connection.scalar(
        text("SELECT first_name FROM member WHERE id = :id AND kind = 'group' AND erased_at IS NULL"),
        {"id": found.group_id},
    )
    if group is None:
        return False
    organization = runtime.settings.organization
    owner, welcome = owners[0] if owners else None, ""
    if owner is None:
        code = Code(campaign_id=found.campaign_id)
        entered = await enter_stranger(
            runtime, connection, channel, account, event, hash_, code, ids, locale="", source=SOURCE, now=now
        )
        if entered is None:
            return False
        owner, fresh = entered
        everybody = await owners_of(connection, hash_, channel)
        agreed = fresh and not await is_silenced(connection, hash_, channel)
        welcome, _ = await admit(
            runtime, connection, channel, hash_, owner, everybody, code, ids, source=SOURCE, wording=event.text,
            now=now, agreed=agreed,
        )  # fmt: skip
        await connection.execute(
            text("UPDATE inbound SET member_id = :member WHERE month = :month AND id = :id"),
            {"member": owner.member_id, "month": month_of(now), "id": inbound_id},
        )
    await note_member(connection, found.group_id, owner.member_id, "link", now=now)
    phrase = "commands.linked_new" if welcome else "commands.linked"
    linked = say(phrase, owner.locale, organization=organization, group=group)
    await answer_back(connection, channel, owner, ids, f"{welcome} {linked}".strip(), moves, now)
    return True


async def take_answers_along(
    connection: AsyncConnection,
    channel: str,
    hash_: str,
    ids: Iterator[int],
    moves: Moves,
    *,
    prefer: int | None = None,
    now: datetime,
) -> None:
    """What was answered from an address in groups counts for the member whose it is by now; of several `prefer`."""
    owners = await owners_of(connection, hash_, channel)
    if owners:
        owner = next((one for one in owners if one.member_id == prefer), owners[0])
        await adopt_answers(connection, hash_, owner, ids, moves, now=now)
