"""What the bot says in a group: not too much, the same sentence once, in the topic where it was asked."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

from router.answering import Saying, To, tell
from router.community.dialogue import give_answer
from router.community.group_chats.turn import GroupTurn
from router.community.joining import consent_of, enter_stranger
from router.community.turn import ONCE, Turn, read_dialog, write_dialog
from router.core.address import address_hash
from router.core.keywords_intent import NONE, Intent
from router.core.model import UNRANKED, ConsentState
from router.joining import group_link
from router.owners import Owner, is_silenced
from router.store.bulk import for_update, insert_new_rows
from router.store.tables import address, to_ms

_WRITTEN_TO_FIRST = frozenset({"slack"})
"""Channels on which a bot may write to people who never opened a chat with it."""

_UNKNOWN = (ConsentState.NONE, ConsentState.UNCONFIRMED)


async def answer(turn: GroupTurn, words: str) -> bool:
    """Say this where they wrote; False where we may not, or said enough there within this hour."""
    if not (words and turn.group.is_open and await _within_the_hour(turn)):
        return False
    to = To(turn.group.id, turn.channel, await _place(turn), turn.group.account)
    await tell(turn.connection, to, turn.ids, words, turn.moves, saying=Saying.ANSWER, now=turn.now)
    return True


async def answer_once(turn: GroupTurn, what: str, words: str) -> bool:
    """The same, and silence where `what` the words say was said in this group within `ONCE`."""
    group_id = turn.group.id
    # Two processes may be asked in the same group at once: the second finds what the first said.
    await turn.connection.execute(
        text(f"SELECT id FROM member WHERE id = :id{for_update(turn.connection)}"), {"id": group_id}
    )
    stands = await read_dialog(turn.connection, group_id, now=turn.now)
    if stands.was_said(what, turn.now) or not await answer(turn, words):
        return False
    await write_dialog(turn.connection, group_id, stands.saying(what, turn.now), until=turn.now + ONCE)
    return True


async def known_member(turn: GroupTurn) -> Owner | None:
    """Who of our members wrote; None for somebody who never agreed to anything."""
    for owner in turn.owners:
        if await consent_of(turn.connection, owner) not in _UNKNOWN:
            return owner
    return None


async def meet_stranger(turn: GroupTurn) -> None:
    """Tell somebody whom we do not know, once, how they get to know us.

    In the group by a link to a private chat. Where the channel lets us write first, to themselves alone: then they
    stand in the ledger with an address that waits for their YES.
    """
    campaign_id = turn.asked.campaign_id if turn.asked else 0
    if link := group_link(turn.runtime, turn.channel, turn.account, turn.group.id, campaign_id):
        await answer_once(turn, "commands.stranger", turn.say("commands.stranger", link=link))
    elif turn.channel in _WRITTEN_TO_FIRST:
        await _meet_alone(turn)


async def in_private(turn: GroupTurn, member: Owner) -> Turn:
    """The turn of the same person's private conversation with us on this channel."""
    return Turn(
        runtime=turn.runtime, connection=turn.connection, channel=turn.channel, account=turn.account,
        event=replace(turn.event, group="", button=False, delivery=None), inbound_id=turn.inbound_id, owner=member,
        owners=[member], intent=Intent(NONE), asked=None,
        dialog=await read_dialog(turn.connection, member.member_id, now=turn.now), ids=turn.ids, moves=turn.moves,
        now=turn.now,
    )  # fmt: skip


async def answer_alone(turn: GroupTurn, member: Owner, phrase: str, /, **values: object) -> None:
    """Say what is about one person to that person alone, once; nothing to somebody who said STOP."""
    if not await is_silenced(turn.connection, turn.person_hash, turn.channel):
        private = await in_private(turn, member)
        await give_answer(private, private.say_once(phrase, **values))


async def _meet_alone(turn: GroupTurn) -> None:
    member = turn.owners[0] if turn.owners else None
    if member is None:
        entered = await enter_stranger(
            turn.runtime, turn.connection, turn.channel, turn.account, turn.event, turn.person_hash, None, turn.ids,
            locale=turn.group.locale, source=f"wrote to us in a group on {turn.channel}", now=turn.now,
        )  # fmt: skip
        member = entered[0] if entered else None
    if member is not None:
        await answer_alone(turn, member, "commands.meet")


async def _within_the_hour(turn: GroupTurn) -> bool:
    """Count one more answer in this group, unless it had as many as it gets within an hour."""
    hour = turn.now.replace(minute=0, second=0, microsecond=0)
    counted = await turn.connection.scalar(
        text(
            "INSERT INTO group_chat (group_id, hour, answers, at) SELECT id, :hour, 1, joined_at FROM member"
            " WHERE id = :group ON CONFLICT (group_id) DO UPDATE SET hour = excluded.hour,"
            " answers = CASE WHEN group_chat.hour = excluded.hour THEN group_chat.answers + 1 ELSE 1 END"
            " WHERE group_chat.hour IS NULL OR group_chat.hour <> excluded.hour OR group_chat.answers < :most"
            " RETURNING answers"
        ),
        {
            "group": turn.group.id, "hour": to_ms(hour), "most": turn.runtime.policy.groups.answers_an_hour,
        },
    )  # fmt: skip
    return counted is not None


async def _place(turn: GroupTurn) -> int:
    """The group's address that they wrote in; a topic's is entered when it is first answered in.

    It has no consent of its own: answers may go there (`consent.check_reply`), asks go to the group's own address.
    """
    kind = turn.runtime.specs[turn.channel].address_kind
    hash_ = address_hash(turn.runtime.key, kind, turn.event.group)
    known = (
        text("SELECT id FROM address WHERE member_id = :group AND channel = :channel AND hash = :hash"),
        {"group": turn.group.id, "channel": turn.channel, "hash": hash_},
    )
    found = await turn.connection.scalar(*known)
    if found is None:
        row = (
            next(turn.ids), turn.group.id, turn.channel, turn.event.group, hash_, UNRANKED, turn.group.account,
            to_ms(turn.now),
        )  # fmt: skip
        columns = ("id", "member_id", "channel", "value", "hash", "rank", "account", "created_at")
        await insert_new_rows(turn.connection, address, columns, [row], returning="id")
        found = await turn.connection.scalar(*known)
    assert found is not None, "it was there, or was entered a moment ago"
    return int(found)
