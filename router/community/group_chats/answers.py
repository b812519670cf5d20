"""An answer under one of our posts in a group: one for each person, whether we know them or not.

What is counted is the person's last word. Of somebody we know it is an action as well, so that what waits for them
elsewhere is withdrawn. Nothing is said in the group, where only the tally under the post changes
(`group_chats.showing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.dialogue import ANSWERS, offered
from router.community.group_chats.membership import note_member
from router.community.group_chats.posts import note_answer
from router.community.group_chats.speaking import answer_once
from router.community.group_chats.turn import GroupTurn
from router.community.turn import Asked
from router.core.model import DeliveryRef
from router.deeds import Deed, keep_deed
from router.owners import Owner
from router.store.budgets import note_answers
from router.store.bulk import for_update
from router.store.tables import from_ms, to_ms
from router.store.tallies import Moves

ADOPTED = 20
"""So many of the last answers in groups become actions when an address turns out to be a member's."""


async def answer_in_group(turn: GroupTurn) -> bool:
    """Count an answer under a post of ours; False where it is none, or the post stands in another group."""
    asked = turn.asked
    if asked is None or asked.member_id != turn.group.id or not _answers(turn, asked):
        return False
    policy, post = turn.runtime.policy.groups, DeliveryRef(asked.month, asked.delivery_id)
    if asked.is_over(turn.now):
        await note_answer(turn.connection, policy, post, now=turn.now)  # so that its buttons go
        await answer_once(turn, f"over {asked.campaign_id}", turn.say("conversation.over"))
        return True
    owner = turn.owners[0] if turn.owners else None
    if owner is not None:
        await note_member(turn.connection, turn.group.id, owner.member_id, "spoke", now=turn.now)
    counted = await _count(turn, asked, owner)
    if counted is None:
        return True
    if owner is not None:
        await note_answers(turn.connection, {owner.member_id: turn.event.at})
        given = _Given(asked.campaign_id, turn.intent.kind, turn.event.at, turn.channel)
        await _act(turn.connection, owner, given, next(turn.ids), turn.moves, now=turn.now)
    await note_answer(turn.connection, policy, counted, now=turn.now)
    return True


async def adopt_answers(
    connection: AsyncConnection,
    person_hash: str,
    owner: Owner,
    ids: Iterator[int],
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """An address turned out to be this member's: what was answered from it in groups is theirs."""
    rows = (
        await connection.execute(
            text(
                "SELECT g.campaign_id, g.group_id, g.kind, g.at, d.channel FROM group_answer g"
                " JOIN delivery d ON d.month = g.month AND d.id = g.delivery_id"
                " WHERE g.person_hash = :person AND g.member_id IS NULL ORDER BY g.campaign_id DESC"
                f" LIMIT :most{for_update(connection, 'g')}"
            ),
            {"person": person_hash, "most": ADOPTED},
        )
    ).all()
    if not rows:
        return
    await note_answers(connection, {owner.member_id: from_ms(max(row.at for row in rows))})
    for row in reversed(rows):
        await connection.execute(
            text("UPDATE group_answer SET member_id = :member WHERE campaign_id = :campaign AND person_hash = :person"),
            {"member": owner.member_id, "campaign": row.campaign_id, "person": person_hash},
        )
        await note_member(connection, row.group_id, owner.member_id, "spoke", now=now)
        given = _Given(row.campaign_id, row.kind, from_ms(row.at), row.channel)
        await _act(connection, owner, given, next(ids), moves, now=now)


class _Given(NamedTuple):
    """What somebody answered."""

    campaign_id: int
    kind: str
    at: datetime
    channel: str


def _answers(turn: GroupTurn, asked: Asked) -> bool:
    """Whether this is an answer that the ask offers, or one that answers any. A button that it has not is forged."""
    words = offered(asked.ask)
    if turn.event.button:
        return turn.event.text.strip().casefold() in {word.casefold() for word in words}
    if not turn.intent.certain or turn.intent.kind in ANSWERS:
        return turn.intent.certain
    locale = turn.owners[0].locale if turn.owners else None
    return turn.intent.kind in {turn.runtime.keywords.classify(word, locale, offered=words).kind for word in words}


async def _count(turn: GroupTurn, asked: Asked, owner: Owner | None) -> DeliveryRef | None:
    """Keep it as this person's word; the post whose tally it changes, None where it says nothing new.

    Whoever answered in another group first counts there. Two presses at once meet in the row's key.
    """
    row = (
        await turn.connection.execute(
            text(
                "INSERT INTO group_answer (campaign_id, person_hash, group_id, kind, member_id, month, delivery_id, at)"
                " VALUES (:campaign, :person, :group, :kind, :member, :month, :delivery, :at)"
                " ON CONFLICT (campaign_id, person_hash) DO UPDATE SET kind = excluded.kind, at = excluded.at,"
                " member_id = coalesce(excluded.member_id, group_answer.member_id)"
                " WHERE group_answer.at <= excluded.at AND (group_answer.kind <> excluded.kind"
                " OR (group_answer.member_id IS NULL AND excluded.member_id IS NOT NULL))"
                " RETURNING month, delivery_id"
            ),
            {
                "campaign": asked.campaign_id, "person": turn.person_hash, "group": turn.group.id,
                "kind": turn.intent.kind[:20], "member": None if owner is None else owner.member_id,
                "month": asked.month, "delivery": asked.delivery_id, "at": to_ms(turn.event.at),
            },
        )
    ).one_or_none()  # fmt: skip
    return None if row is None else DeliveryRef(row.month, row.delivery_id)


async def _act(
    connection: AsyncConnection, owner: Owner, given: _Given, number: int, moves: Moves, *, now: datetime
) -> None:
    # The same name as that of a button pressed in private: given here and there it is one answer.
    name = f"{given.campaign_id}:{owner.member_id}:{given.kind}"
    deed = Deed(
        owner.member_id, given.campaign_id, given.kind, "button", name, given.at, given.channel, owner.address_id
    )
    await keep_deed(connection, number, deed, moves, now=now)
