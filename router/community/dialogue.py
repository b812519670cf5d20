"""The program's own conversation: what was asked last, whose business an answer is, and what is written back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import answer_back
from router.community import (
    call_answers,
    event_answers,
    giving_answers,
    joining_answers,
    ladder_answers,
    sharing_answers,
    why_answers,
)
from router.community.inbox import keep_for_people
from router.community.proposals import proposal_answers, report_answers
from router.community.turn import Answer, Asked, Dialog, Handler, Turn, write_dialog
from router.core.ask import Ask
from router.core.channel import Inbound
from router.core.model import CampaignStatus
from router.deeds import Deed, keep_deed
from router.owners import Owner
from router.runtime import Runtime
from router.store.bulk import in_numbers, numbers, sql
from router.store.engine import is_passing
from router.store.running import read_known_ask
from router.store.tables import from_ms
from router.store.tallies import Moves

log = logging.getLogger(__name__)

HANDLERS: tuple[Handler, ...] = (
    joining_answers.answer,
    why_answers.answer,
    proposal_answers.answer,
    event_answers.answer,
    call_answers.answer,
    giving_answers.answer,
    sharing_answers.answer,
    ladder_answers.answer,
    report_answers.answer,
)
"""In the order in which they are asked; the first that answers has it."""

ANSWERS = ("yes", "no", "number", "postcode", "amount")
"""Kinds of intents that answer an ask whatever it asks."""

_MONTHS = 2
"""So many months back a reply may belong to."""


async def find_asked(
    runtime: Runtime,
    connection: AsyncConnection,
    channel: str,
    owners: Sequence[Owner],
    event: Inbound,
    *,
    now: datetime,
) -> Asked | None:
    """The ask that a message answers: the one its button belongs to, else the last that reached them there."""
    if event.delivery is not None:
        where = "d.month = :month AND d.id = :id"
        values: dict[str, object] = {"month": event.delivery.month, "id": event.delivery.id}
    else:
        month = now.year * 12 + now.month - 1
        months = [(month - back) // 12 * 100 + (month - back) % 12 + 1 for back in range(_MONTHS)]
        where = (
            f"d.member_id {in_numbers(connection, 'members')} AND d.month {in_numbers(connection, 'months')}"
            " AND d.channel = :channel"
            " AND d.status IN ('sent', 'delivered', 'read', 'unknown', 'sending') AND c.kind <> 'reply'"
        )
        members = [owner.member_id for owner in owners]
        values = {"members": numbers(connection, members), "months": numbers(connection, months), "channel": channel}
    row = (
        await connection.execute(
            sql(
                "SELECT d.month, d.id AS delivery, d.member_id, d.address_id, c.id, c.text_version, c.status,"
                " c.expires_at"
                f" FROM delivery d JOIN campaign c ON c.id = d.campaign_id WHERE {where} ORDER BY d.id DESC LIMIT 1"
            ),
            values,
        )
    ).one_or_none()
    if row is None or not (event.group or any(owner.member_id == row.member_id for owner in owners)):
        return None  # a message that went to somebody else is answered by nobody
    return Asked(
        campaign_id=row.id,
        ask=await read_known_ask(runtime.store, connection, row.id, row.text_version),
        status=CampaignStatus(row.status),
        expires_at=None if row.expires_at is None else from_ms(row.expires_at),
        month=row.month,
        delivery_id=row.delivery,
        member_id=row.member_id,
        address_id=row.address_id,
    )


def offered(ask: Ask | None) -> Sequence[str]:
    """The words that an ask offers as answers: its buttons', its own keywords and those of what it wants."""
    if ask is None:
        return ()
    words = [button.reply for *_, one in ask.every_text() for button in one.buttons if button.reply]
    return list(
        dict.fromkeys([*words, *ask.keywords, *ask.wants.words, *(ask.gathering.sides if ask.gathering else ())])
    )


async def converse(turn: Turn) -> None:
    """Do what a rule makes of a message; what no rule understands, or could not do, waits for a person.

    A rule that breaks undoes what it did and nothing else: the messages that are committed with this one must not
    share its fate, and the provider would only bring it again.
    """
    moves = Moves()
    understood = False
    try:
        async with turn.connection.begin_nested():
            understood = await follow_rules(replace(turn, moves=moves))
    except Exception as error:
        if is_passing(error):
            raise
        log.exception("message %d: no rule could do what it says; it waits for a person", turn.inbound_id)
    else:
        turn.moves.update(moves)
    if not understood and not turn.event.group:
        await keep_for_people(turn)


async def follow_rules(turn: Turn) -> bool:
    """Ask each handler whether a message is its business, and write back what it says.

    What is nobody's business but answers an ask is an action. False where it is not even that.
    """
    for handler in HANDLERS:
        answer = await handler(turn)
        if answer is not None:
            await give_answer(turn, answer)
            return True
    if turn.event.button or (turn.intent.kind in ANSWERS and turn.intent.certain):
        await _keep_action(turn)
        return True
    return False


async def _keep_action(turn: Turn) -> None:
    """What they answered is an action on the ask; the same button pressed twice is one."""
    asked, event, kind = turn.asked, turn.event, turn.intent.kind
    if event.delivery is None:
        deed = Deed(
            turn.owner.member_id, asked.campaign_id if asked else 0, kind, "keyword", event.event_id[:200], event.at,
            turn.channel, turn.owner.address_id,
        )  # fmt: skip
    elif asked is not None:
        deed = Deed(
            asked.member_id, asked.campaign_id, kind, "button", f"{asked.campaign_id}:{asked.member_id}:{kind}",
            event.at, turn.channel, asked.address_id,
        )  # fmt: skip
    else:
        return  # a message that went to somebody else is answered by nobody
    await keep_deed(turn.connection, next(turn.ids), deed, turn.moves, now=turn.now)


async def give_answer(turn: Turn, answer: Answer) -> None:
    """Write back what a handler says, and keep where the conversation stands."""
    if answer.next is not None or answer.told is not None:
        stands = answer.next or turn.dialog
        told = turn.dialog.told if answer.told is None else answer.told
        kept = Dialog(
            step=stands.step, campaign_id=stands.campaign_id, event_id=stands.event_id, detail=stands.detail, told=told
        )
        if kept.step or kept != turn.dialog:
            await write_dialog(turn.connection, turn.owner.member_id, kept, until=turn.now + answer.lasts)
    if answer.words and not turn.event.group:
        await answer_back(turn.connection, turn.channel, turn.owner, turn.ids, answer.words, turn.moves, turn.now)
