"""The one transaction of dispatch: the outcomes of the last claim, the last look at each row, the next intent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.answering import Saying
from router.core import consent
from router.core.ask import Ask
from router.core.attention import Dial
from router.core.consent import Allow
from router.core.model import AskKind, CampaignStatus, DeliveryRef, DeliveryStatus, Purpose, Reason
from router.core.own_part import part_of
from router.core.postcodes import area_of_postcode
from router.core.quiet_hours import Window
from router.goals import recent_progress
from router.letters import Claim, Letter, Writer, Writers
from router.outcomes import Outcome, ids_needed, record
from router.runtime import Runtime
from router.spending import afford, pause_for_money
from router.stops import Queued, cancel_rows
from router.store.batches import Waiting, let_go, mark_sending, read_waiting, renew
from router.store.bulk import in_numbers, numbers, sql
from router.store.campaigns import CampaignRow, lock_campaign
from router.store.debts import what_they_did
from router.store.tables import from_ms, to_ms
from router.store.tallies import Moves


@dataclass(slots=True, kw_only=True)
class Work:
    """What one commit is to do: record `done` of claim `previous`, then claim up to `wanted` rows for `claim`."""

    claim: Claim
    previous: Claim | None
    done: list[Outcome]
    wanted: int
    now: datetime
    letters: list[Letter] = field(default_factory=list)
    """What the last try of the transaction decided to send; valid only if it was committed."""
    writer: Writer | None = None
    """Puts those letters into words."""
    refusal: str = ""
    """Why there is no money for any of them, where that is so."""
    let_go: bool = False
    """Nothing of the batch may leave now, so it was closed or given back."""


async def write_intent(runtime: Runtime, writers: Writers, work: Work) -> bool:
    """Run the transaction; False where the batch is not ours any more (its outcomes are recorded all the same)."""
    ids = await runtime.store.take_ids(ids_needed(work.done)) if ids_needed(work.done) else range(0)

    async def run(connection: AsyncConnection) -> bool:
        work.letters, work.refusal = [], ""
        moves = Moves()
        batch = work.claim.batch
        campaign = await lock_campaign(connection, batch.campaign_id, in_turn=True)
        ours = campaign is not None and await renew(connection, batch, lasts=runtime.settings.lease_ms)
        if work.previous is not None and work.done:
            await record(runtime, connection, work.previous, work.done, ids, moves, now=work.now)
        if campaign is not None and ours and work.wanted:
            await _claim(runtime, writers, connection, campaign, work, moves)
        work.let_go = ours and work.wanted > 0 and not work.letters
        if work.let_go:
            await let_go(connection, batch)
        await moves.write(connection)
        return ours

    ours = await runtime.store.transact(run)
    if work.refusal:
        await pause_for_money(runtime, work.claim.batch.campaign_id, work.refusal, now=work.now)
    return ours


async def _claim(
    runtime: Runtime, writers: Writers, connection: AsyncConnection, campaign: CampaignRow, work: Work, moves: Moves
) -> None:
    """Rule 6: look at each row once more; send, put off, or dispose of it."""
    if campaign.status is not CampaignStatus.RUNNING or campaign.goal_met_at is not None:
        return
    batch, now = work.claim.batch, work.now
    rows = await read_waiting(connection, batch, limit=work.wanted, now=now)
    if not rows:
        return
    if campaign.expires_at is not None and now >= campaign.expires_at:
        await _dispose(connection, work, rows, Reason.EXPIRED, moves, to=DeliveryStatus.EXPIRED)
        return
    work.writer = await writers.get(connection, campaign.id, campaign.text_version, batch.channel)
    if work.writer.shows_total and (goal := work.writer.ask.goal):
        progress = await recent_progress(runtime.store, connection, campaign.id, goal, now=now)
        work.writer.know_total(progress.reached)
    own = await _own_words(connection, work, rows) if campaign.kind is AskKind.REPLY else {}
    if campaign.kind is AskKind.REPORT_BACK:
        rows = await _with_their_part(connection, work.writer, rows)
    late: dict[datetime, list[Waiting]] = {}
    gone: dict[Reason, list[Waiting]] = {}
    for row in rows:
        verdict = _look(runtime, campaign, work.writer.ask, row, own.get(row.id), now)
        if isinstance(verdict, Letter):
            work.letters.append(verdict)
        elif isinstance(verdict, datetime):
            late.setdefault(verdict, []).append(row)
        else:
            gone.setdefault(verdict, []).append(row)
    for at, some in late.items():
        if campaign.expires_at is not None and at >= campaign.expires_at:
            await _dispose(connection, work, some, Reason.EXPIRED, moves, to=DeliveryStatus.EXPIRED)
        else:
            await _put_off(connection, work, some, at)
    for reason, some in gone.items():
        await _dispose(connection, work, some, reason, moves)
    afforded = await afford(runtime, connection, campaign, work.claim, work.writer, work.letters, moves, now=now)
    work.letters, work.refusal = afforded.letters, afforded.refusal
    ids = [letter.ref.id for letter in work.letters]
    await mark_sending(connection, batch, ids, claim_id=work.claim.id, text_version=campaign.text_version)
    moves.take(batch.campaign_id, batch.channel, DeliveryStatus.QUEUED, n=len(ids))
    moves.add(batch.campaign_id, batch.channel, DeliveryStatus.SENDING, n=len(ids))


class _Own(NamedTuple):
    """Words of its own that a row has."""

    text: str
    asked_at: datetime
    saying: Saying
    until: datetime | None


def _look(
    runtime: Runtime, campaign: CampaignRow, ask: Ask, row: Waiting, own: _Own | None, now: datetime
) -> Letter | datetime | Reason:
    """May this row leave now? A letter; else the moment when it may; else why it must not leave at all."""
    expires_at = campaign.expires_at if own is None else own.until
    if expires_at is not None and now >= expires_at:
        return Reason.EXPIRED
    if own is not None and own.saying is not Saying.SERVICE:
        allowed = _may_answer(own, row, now)
        until = now + consent.CONFIRMATION_WINDOW
    else:
        allowed = consent.check(row.address, erased=row.member.erased)
        window = _window(runtime, ask, row, now)
        later = _wish(ask, row, now, expires_at) or (window.opens_at if window.opens_at > now else None)
        if isinstance(allowed, Allow) and later is not None:
            useless = expires_at is not None and isinstance(later, datetime) and later >= expires_at
            return Reason.EXPIRED if useless else later
        until = window.closes_at
    if not isinstance(allowed, Allow):
        return allowed
    if expires_at is not None and expires_at < until:
        until = expires_at
    return Letter(
        ref=DeliveryRef(campaign.month, row.id),
        member=row.member,
        allow=allowed,
        attempts=row.attempts + 1,
        hop=row.hop,
        costs=row.costs,
        valid_seconds=max(1, int((until - now).total_seconds())),
        expires_at=expires_at,
        variant=row.variant,
        text=own.text if own else None,
    )


def _may_answer(own: _Own, row: Waiting, now: datetime) -> Allow | Reason:
    """Whether words in a conversation may go out."""
    match own.saying:
        case Saying.CONFIRM:
            return consent.check_confirmation(row.address)
        case Saying.PERSON:
            return consent.check_conversation(row.address, now=now)
        case _:
            return consent.check_reply(row.address, asked_at=own.asked_at, now=now)


def _wish(ask: Ask, row: Waiting, now: datetime, expires_at: datetime | None) -> datetime | Reason | None:
    """What the member's dial says by now, as `core.budget.earliest` reads it: nothing, not before then, or not at all.

    One ask a week is a matter of the purse, so it is settled where the dial is turned (`router.preferences`). Who
    said YES follows up also with a dial that lets only urgent asks through.
    """
    member = row.member
    if ask.kind.is_service or (member.dial is Dial.EVERYTHING and member.paused_until is None):
        return None
    if member.dial is Dial.PAUSED:
        return Reason.PAUSED
    if member.paused_until is not None and member.paused_until > now:
        return Reason.PAUSED if expires_at is not None and member.paused_until >= expires_at else member.paused_until
    if member.dial is Dial.URGENT_ONLY and not ask.is_urgent and ask.follows is None:
        return Reason.DIAL
    return None


def _window(runtime: Runtime, ask: Ask, row: Waiting, now: datetime) -> Window:
    """When it may arrive there: an alert at any hour, but only where its owner still agrees to alerts."""
    member = row.member
    if ask.alert and row.address.alerts:
        return Window(now, now + timedelta(days=1))
    area = area_of_postcode(member.country, member.postcode) if ask.purpose is Purpose.FUNDRAISING else ""
    return runtime.quiet_hours.window(
        row.address.channel, member.zone, member.country, now, purpose=ask.purpose.value, area=area
    )


async def _dispose(
    connection: AsyncConnection,
    work: Work,
    rows: list[Waiting],
    reason: Reason,
    moves: Moves,
    *,
    to: DeliveryStatus = DeliveryStatus.CANCELLED,
) -> None:
    batch = work.claim.batch
    queued = [Queued(batch.month, row.id, batch.campaign_id, row.member.id, batch.channel, row.costs) for row in rows]
    await cancel_rows(connection, queued, reason, moves, now=work.now, to=to)


async def _put_off(connection: AsyncConnection, work: Work, rows: list[Waiting], at: datetime) -> None:
    await connection.execute(
        sql(
            "UPDATE delivery SET not_before = :at WHERE month = :month"
            f" AND id {in_numbers(connection, 'ids')} AND status = 'queued'"
        ),
        {
            "at": to_ms(at),
            "month": work.claim.batch.month,
            "ids": numbers(connection, [row.id for row in rows]),
        },
    )


async def _with_their_part(connection: AsyncConnection, writer: Writer, rows: list[Waiting]) -> list[Waiting]:
    """Each member of a report-back with what they did themselves."""
    done = await what_they_did(connection, [row.member.id for row in rows], writer.ask.about or 0)
    parts = {row.id: part_of(done.get(row.member.id, ()), others=writer.acted - 1) for row in rows}
    return [replace(row, member=replace(row.member, part=parts[row.id])) for row in rows]


async def _own_words(connection: AsyncConnection, work: Work, rows: list[Waiting]) -> dict[int, _Own]:
    found = await connection.execute(
        sql(
            "SELECT delivery_id, text, asked_at, kind, until FROM reply_text WHERE month = :month"
            f" AND delivery_id {in_numbers(connection, 'ids')}"
        ),
        {"month": work.claim.batch.month, "ids": numbers(connection, [row.id for row in rows])},
    )
    return {
        row.delivery_id: _Own(
            row.text, from_ms(row.asked_at), Saying(row.kind), None if row.until is None else from_ms(row.until)
        )
        for row in found
    }
