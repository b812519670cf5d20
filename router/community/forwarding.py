"""Asks that members pass on: whose link was followed, who joined by it, who did what it asks.

Each person counts for one member and ask: the first whose link brought them. Nobody brings themselves, and whoever had
done it before was not brought. What is counted is shown to the member alone (`community.forward_sights`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.actions import SCANNER_HASTE
from router.core.ask import Ask
from router.core.errors import NotFound
from router.core.forward_links import forward_token, read_forward_token, shared_token
from router.core.ladder import Rung
from router.core.model import AskKind, CampaignStatus, DeliveryRef
from router.deeds import Deed, keep_deed
from router.runtime import Runtime
from router.store.budgets import note_answers
from router.store.running import read_known_ask
from router.store.tables import ACTED, from_ms, to_ms
from router.store.tallies import Moves

SOURCE: Final = "forward"
"""Where it is kept from that somebody passed an ask on, whether they said so or their link was followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """An ask that somebody passed on."""

    ref: DeliveryRef
    """The message that brought it to them."""
    member_id: int
    """0 where it counts for nobody: a group's post, a member who is gone."""
    campaign_id: int
    ask: Ask
    """In the words that count now."""
    variant: int
    """Which of its two texts they had."""
    channel: str
    status: CampaignStatus
    expires_at: datetime | None
    sent_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Whether its time is past, or it was withdrawn."""
        return self.status is CampaignStatus.CANCELLED or (self.expires_at is not None and now >= self.expires_at)


def forward_link(runtime: Runtime, ref: DeliveryRef) -> str:
    """The link by which the ask of this message is passed on."""
    return f"{runtime.settings.public_url.rstrip('/')}/f/{forward_token(runtime.key, ref)}"


def shared_link(runtime: Runtime, ref: DeliveryRef) -> str:
    """The page on which whoever got this message sees what their links brought; for them alone."""
    return f"{runtime.settings.public_url.rstrip('/')}/shared/{shared_token(runtime.key, ref)}"


async def find_passed(runtime: Runtime, ref: DeliveryRef) -> Passed | None:
    """The ask that a message brought; None where there is none (any more), or where it was no ask."""
    async with runtime.store.read() as connection:
        row = (
            await connection.execute(
                text(
                    "SELECT c.id, c.text_version, c.status, c.expires_at, d.channel, d.variant, d.sent_at, m.id AS who"
                    " FROM delivery d JOIN campaign c ON c.id = d.campaign_id LEFT JOIN member m ON m.id = d.member_id"
                    " AND m.kind = 'person' AND m.erased_at IS NULL"
                    " WHERE d.month = :month AND d.id = :id AND c.kind = :ask"
                ),
                {"month": ref.month, "id": ref.id, "ask": AskKind.ASK.value},
            )
        ).one_or_none()
        if row is None:
            return None
        return Passed(
            ref=ref,
            member_id=row.who or 0,
            campaign_id=row.id,
            ask=await read_known_ask(runtime.store, connection, row.id, row.text_version),
            variant=row.variant,
            channel=row.channel,
            status=CampaignStatus(row.status),
            expires_at=None if row.expires_at is None else from_ms(row.expires_at),
            sent_at=None if row.sent_at is None else from_ms(row.sent_at),
        )


def shared_deed(
    campaign_id: int, member_id: int, at: datetime, channel: str = "", address_id: int | None = None
) -> Deed:
    """That a member passed an ask on: once for each, whether they say so or somebody follows their link."""
    return Deed(member_id, campaign_id, Rung.SHARE.done, SOURCE, f"{campaign_id}:{member_id}", at, channel, address_id)


async def note_opened(runtime: Runtime, passed: Passed, *, now: datetime) -> None:
    """A person followed the link. The first time it shows that the member did pass the ask on."""
    hasty = passed.sent_at is not None and now - passed.sent_at < SCANNER_HASTE
    if not passed.member_id or hasty:
        return
    [number] = await runtime.store.take_ids(1)
    ids = {"campaign": passed.campaign_id, "member": passed.member_id}

    async def work(connection: AsyncConnection) -> None:
        known = await connection.scalar(
            text("SELECT 1 FROM forward WHERE campaign_id = :campaign AND member_id = :member"), ids
        )
        if known is None and not passed.is_over(now):
            moves = Moves()
            await note_answers(connection, {passed.member_id: now})
            await keep_deed(connection, number, shared_deed(passed.campaign_id, passed.member_id, now), moves, now=now)
            await moves.write(connection)
        await connection.execute(
            text(
                "INSERT INTO forward (campaign_id, member_id, opened, at) VALUES (:campaign, :member, 1, :now)"
                " ON CONFLICT (campaign_id, member_id) DO UPDATE SET opened = forward.opened + 1"
            ),
            {**ids, "now": to_ms(now)},
        )

    await runtime.store.transact(work)


async def note_brought(
    connection: AsyncConnection, *, campaign_id: int, member_id: int, brought_id: int, now: datetime
) -> None:
    """A newcomer filled in the form behind a member's link. They have joined once they confirm it (`note_joined`)."""
    await connection.execute(
        text(
            "INSERT INTO forwarded (campaign_id, brought_id, member_id, at) SELECT :campaign, :brought, :member, :now"
            " WHERE EXISTS (SELECT 1 FROM member WHERE id = :member) ON CONFLICT DO NOTHING"
        ),
        {"campaign": campaign_id, "brought": brought_id, "member": member_id, "now": to_ms(now)},
    )


async def note_joined(connection: AsyncConnection, member_id: int, *, now: datetime) -> None:
    """A newcomer is in: it counts for whoever brought them. Who was a member before and only acted did not join."""
    await connection.execute(
        text("UPDATE forwarded SET joined = :now WHERE brought_id = :member AND joined IS NULL AND acted IS NULL"),
        {"member": member_id, "now": to_ms(now)},
    )


async def passed_by(runtime: Runtime, token: str) -> Passed:
    """What a link that was passed on stands for, as a page of the movement's own gives it back. Raises `NotFound`."""
    ref = read_forward_token(runtime.key, token)
    passed = None if ref is None else await find_passed(runtime, ref)
    if passed is None:
        raise NotFound("is no link of ours; give back letter for letter what came as via with the visitor")
    return passed


async def note_acted(runtime: Runtime, passed: Passed, action_id: int) -> bool:
    """An action came through a link that was passed on; False where it counts for nobody.

    It does not count for themselves, or where they acted on this ask before or came by somebody else's link.
    """

    async def work(connection: AsyncConnection) -> bool:
        counted = await connection.execute(
            text(
                "INSERT INTO forwarded (campaign_id, brought_id, member_id, acted, at)"
                " SELECT a.campaign_id, a.member_id, :member, a.at, a.at FROM action a"
                f" WHERE a.id = :action AND a.campaign_id = :campaign AND a.member_id <> :member AND a.{ACTED}"
                " AND NOT EXISTS (SELECT 1 FROM action b WHERE b.campaign_id = a.campaign_id"
                f" AND b.member_id = a.member_id AND b.id <> a.id AND b.at <= a.at AND b.{ACTED})"
                " ON CONFLICT (campaign_id, brought_id) DO UPDATE SET acted = coalesce(forwarded.acted, excluded.acted)"
                " WHERE forwarded.member_id = excluded.member_id"
            ),
            {"action": action_id, "campaign": passed.campaign_id, "member": passed.member_id},
        )
        return counted.rowcount > 0

    return await runtime.store.transact(work) if passed.member_id else False
