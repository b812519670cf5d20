"""Two records turn out to be one person: everything of the one becomes the other's (DESIGN.md 6, rule 19)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import purse
from router.core.model import DeliveryStatus, Reason
from router.core.purse import EMPTY
from router.store.budgets import lock_budgets, refund, write_budgets
from router.store.bulk import for_update
from router.store.tallies import Moves

_MONTHS = "month IN (SELECT DISTINCT month FROM campaign)"
"""Every month there is: the delivery table is keyed and partitioned by it."""


def _once(table: str, *beside: str, who: str = "member_id") -> tuple[str, str]:
    """Statements that give rows of `lose` to `keep`, who has one for each `beside`: their own stays."""
    same = "".join(f" AND k.{name} = {table}.{name}" for name in beside)
    return (
        f"DELETE FROM {table} WHERE {who} = :lose AND EXISTS (SELECT 1 FROM {table} k WHERE k.{who} = :keep{same})",
        f"UPDATE {table} SET {who} = :keep WHERE {who} = :lose",
    )


_SEATS = (
    # A seat counts before a word taken back; one person sits once.
    "DELETE FROM rsvp WHERE member_id = :keep AND status IN ('cancelled', 'missed')"
    " AND event_id IN (SELECT event_id FROM rsvp WHERE member_id = :lose)",
    *_once("rsvp", "event_id"),
    "UPDATE event SET"
    " taken = (SELECT coalesce(sum(r.seats), 0) FROM rsvp r WHERE r.event_id = event.id"
    " AND r.status IN ('confirmed', 'came')),"
    " waiting = (SELECT coalesce(sum(r.seats), 0) FROM rsvp r WHERE r.event_id = event.id AND r.status = 'waiting')"
    " WHERE id IN (SELECT event_id FROM rsvp WHERE member_id = :keep)",
)

_GROUPS = (
    *_once("group_member", "group_id"),
    # By the addresses, which are the survivor's by now: answers are found by them.
    "UPDATE group_answer SET member_id = :keep WHERE member_id = :lose"
    " AND person_hash IN (SELECT hash FROM address WHERE member_id = :keep)",
    "UPDATE group_chat SET steward_id = :keep WHERE steward_id = :lose",
)

_PROPOSALS = (
    "UPDATE proposal SET member_id = :keep WHERE member_id = :lose",
    *_once("proposal_second", "proposal_id", "about"),
    *_once("proposal_report", "proposal_id"),
    # Nobody seconds themselves, and one person counts once.
    "DELETE FROM proposal_second WHERE member_id = :keep AND about = 'idea'"
    " AND proposal_id IN (SELECT id FROM proposal WHERE member_id = :keep)",
    "UPDATE proposal SET"
    " seconds = (SELECT count(*) FROM proposal_second s WHERE s.proposal_id = proposal.id AND s.about = 'idea'),"
    " objections = (SELECT count(*) FROM proposal_second s WHERE s.proposal_id = proposal.id AND s.about = 'refusal'),"
    # Those that organizers have looked at count no more (`community.proposals.deciding`).
    " reports = (SELECT CASE WHEN count(*) < proposal.reports THEN count(*) ELSE proposal.reports END"
    " FROM proposal_report r WHERE r.proposal_id = proposal.id)"
    " WHERE member_id = :keep OR id IN (SELECT proposal_id FROM proposal_second WHERE member_id = :keep)"
    " OR id IN (SELECT proposal_id FROM proposal_report WHERE member_id = :keep)",
)

_FORWARDS = (
    "UPDATE forward SET opened = opened + (SELECT l.opened FROM forward l WHERE l.member_id = :lose"
    " AND l.campaign_id = forward.campaign_id) WHERE member_id = :keep"
    " AND campaign_id IN (SELECT campaign_id FROM forward WHERE member_id = :lose)",
    *_once("forward", "campaign_id"),
    "UPDATE forwarded SET member_id = :keep WHERE member_id = :lose",
    *_once("forwarded", "campaign_id", who="brought_id"),
    # Nobody brings themselves.
    "DELETE FROM forwarded WHERE member_id = :keep AND brought_id = :keep",
)


async def merge_records(connection: AsyncConnection, *, keep: int, lose: int) -> None:
    """Give all of member `lose` to member `keep` inside the caller's transaction; `lose` is gone afterwards.

    What is queued for `lose` and was claimed for `keep` as well is cancelled and its budget given back. A refusal on
    either record counts for both. Names, place and the like of `keep` are the caller's to choose.
    """
    ids = {"keep": keep, "lose": lose}
    await connection.execute(
        text(f"SELECT id FROM member WHERE id IN (:keep, :lose) ORDER BY id{for_update(connection)}"),
        ids,
    )
    moves = Moves()
    await _cancel_doubles(connection, ids, moves)
    await _join_purses(connection, keep, lose)
    await _move_addresses(connection, ids)
    for statement in (
        # One ask per person: where both were asked, the address alone goes on holding the claim.
        "UPDATE ask_claim SET member_id = NULL WHERE member_id = :lose AND campaign_id IN"
        " (SELECT campaign_id FROM ask_claim WHERE member_id = :keep AND campaign_id IN (SELECT id FROM campaign))",
        "UPDATE ask_claim SET member_id = :keep WHERE member_id = :lose AND campaign_id IN (SELECT id FROM campaign)",
        f"UPDATE delivery SET member_id = :keep WHERE {_MONTHS} AND member_id = :lose AND NOT EXISTS"
        " (SELECT 1 FROM delivery k WHERE k.month = delivery.month AND k.member_id = :keep"
        " AND k.campaign_id = delivery.campaign_id AND k.channel = delivery.channel AND k.hop = delivery.hop)",
        "UPDATE inbound SET member_id = :keep WHERE member_id = :lose",
        "UPDATE action SET member_id = :keep WHERE member_id = :lose",
        "UPDATE phoned SET member_id = :keep WHERE member_id = :lose",
        "UPDATE consent SET member_id = :keep WHERE member_id = :lose",
        "DELETE FROM member_tag WHERE member_id = :lose"
        " AND tag IN (SELECT tag FROM member_tag WHERE member_id = :keep)",
        "UPDATE member_tag SET member_id = :keep WHERE member_id = :lose",
        # One thread per person: what waits in either waits in the one that stays.
        "UPDATE thread SET status = CASE WHEN status = 'done' THEN 'open' ELSE status END,"
        " messages = messages + (SELECT messages FROM thread WHERE member_id = :lose),"
        " waiting = waiting + (SELECT waiting FROM thread WHERE member_id = :lose),"
        " waiting_since = coalesce(waiting_since, (SELECT waiting_since FROM thread WHERE member_id = :lose))"
        " WHERE member_id = :keep AND EXISTS (SELECT 1 FROM thread WHERE member_id = :lose AND waiting > 0)",
        "DELETE FROM thread WHERE member_id = :lose AND EXISTS (SELECT 1 FROM thread WHERE member_id = :keep)",
        "UPDATE thread SET member_id = :keep WHERE member_id = :lose",
        *_SEATS,
        *_once("call", "campaign_id"),
        *_once("joined", "channel"),
        *_once("dialog"),
        *_once("trusted_host"),
        "UPDATE event SET host_id = :keep WHERE host_id = :lose",
        *_GROUPS,
        *_PROPOSALS,
        *_FORWARDS,
        *_once("policy_voice", "change_id"),
        "DELETE FROM member WHERE id = :lose",
    ):
        await connection.execute(text(statement), _only(statement, ids))
    await moves.write(connection)


async def _cancel_doubles(connection: AsyncConnection, ids: dict[str, int], moves: Moves) -> None:
    """Cancel what waits for the record that goes, where the one that stays was asked the same thing."""
    rows = await connection.execute(
        text(
            f"SELECT month, id, campaign_id, channel, costs FROM delivery WHERE {_MONTHS} AND member_id = :lose"
            " AND status = 'queued' AND EXISTS (SELECT 1 FROM ask_claim c"
            f" WHERE c.campaign_id = delivery.campaign_id AND c.member_id = :keep) ORDER BY id{for_update(connection)}"
        ),
        ids,
    )
    for month, number, campaign, channel, costs in rows.all():
        moved = await connection.execute(
            text(
                "UPDATE delivery SET status = 'cancelled', reason = 'merged', costs = false"
                " WHERE month = :month AND id = :id AND status = 'queued'"
            ),
            {"month": month, "id": number},
        )
        if moved.rowcount:
            moves.take(campaign, channel, DeliveryStatus.QUEUED)
            moves.add(campaign, channel, DeliveryStatus.CANCELLED, Reason.MERGED)
            if costs:
                await refund(connection, [(ids["lose"], number)])


async def _join_purses(connection: AsyncConnection, keep: int, lose: int) -> None:
    """What either record was asked counts for the person."""
    rows = await connection.execute(
        text("SELECT id, coalesce(household_id, id) FROM member WHERE id IN (:keep, :lose)"),
        {"keep": keep, "lose": lose},
    )
    holders: dict[int, int] = {row[0]: row[1] for row in rows}
    mine = holders.get(keep, keep)
    purses = await lock_budgets(connection, {mine, lose})
    if purses.get(lose, EMPTY) != EMPTY:
        await write_budgets(connection, {mine: purse.merge(purses.get(mine, EMPTY), purses[lose]), lose: EMPTY})


async def _move_addresses(connection: AsyncConnection, ids: dict[str, int]) -> None:
    doubles: list[Any] = list(
        await connection.execute(
            text(
                "SELECT l.id, k.id, l.consent FROM address l JOIN address k"
                " ON k.member_id = :keep AND k.channel = l.channel AND k.hash = l.hash WHERE l.member_id = :lose"
            ),
            ids,
        )
    )
    for old, new, consent in doubles:
        if consent == "revoked":
            await connection.execute(text("UPDATE address SET consent = 'revoked' WHERE id = :new"), {"new": new})
        await connection.execute(
            text(f"UPDATE delivery SET address_id = :new WHERE {_MONTHS} AND member_id = :lose AND address_id = :old"),
            {"new": new, "old": old, "lose": ids["lose"]},
        )
        await connection.execute(text("DELETE FROM address WHERE id = :old"), {"old": old})
    await connection.execute(text("UPDATE address SET member_id = :keep WHERE member_id = :lose"), ids)


def _only(statement: str, ids: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in ids.items() if f":{name}" in statement}
