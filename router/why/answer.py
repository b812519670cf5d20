"""What is known of one member's part in one campaign, put together and in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import explaining
from router.core.catalogue import gettext_noop
from router.core.explaining import Reader
from router.core.model import DeliveryRef, DeliveryStatus, Reason
from router.core.trace import Verdict
from router.runtime import Runtime
from router.store.tables import from_ms, to_ms
from router.why.ledger import Part, Row, moment_of, read_part
from router.why.model import Candidate, EarlierAsk, Event, Hop, Why

_HEARD = timedelta(days=7)
"""So near to the decision the member is told how often they heard from us, what lies ahead included."""


async def why(
    runtime: Runtime, member_id: int, campaign_id: int, *, now: datetime, reader: Reader = explaining.ENGLISH
) -> Why:
    """Explain one member's part in one campaign. Raises `NotFound` where either does not exist.

    `reader` says in which language, and by which clock, `Why.for_member` is told.
    """
    async with runtime.store.read() as connection:
        return await explain(connection, member_id, campaign_id, now=now, reader=reader)


async def explain(
    connection: AsyncConnection,
    member_id: int,
    campaign_id: int,
    *,
    now: datetime,
    reader: Reader = explaining.ENGLISH,
) -> Why:
    """The same, in a transaction that is open already."""
    part = await read_part(connection, member_id, campaign_id, now=now)
    if not part.rows:
        return _nothing(part, reader)
    hops = [_hop(row) for row in part.rows]
    told = [line for hop, row in zip(hops, part.rows, strict=True) for line in _for_organizers(hop, row, now)]
    return Why(
        member=member_id,
        campaign=campaign_id,
        title=part.campaign.title,
        outcome=hops[-1].status.value,
        hops=hops,
        earlier=list(part.earlier),
        for_organizers=[*told, *_budget(part.earlier)],
        for_member=list(_for_member(part, hops, now, reader)),
    )


def _nothing(part: Part, reader: Reader) -> Why:
    """Nothing was decided for this member, and why that is."""
    campaign, number = part.campaign, part.member.id
    name = f'campaign {campaign.id}, "{campaign.title}",'
    starts_at = moment_of(campaign.starts_at)
    if starts_at is None:
        outcome, organizers = "not_launched", f"Nobody has been asked yet: {name} has not been launched."
        member = gettext_noop("This message has not gone out to anybody yet.")
    elif campaign.status == "scheduled":
        outcome = "not_routed"
        organizers = f"Nobody has been asked yet: {name} starts at {explaining.moment(starts_at)}."
        member = gettext_noop("This message has not gone out to anybody yet.")
    elif part.dropped_at is not None:
        outcome = "dropped"
        organizers = (
            f"Who got {name} or did not was kept for its time and dropped on {explaining.moment(part.dropped_at)}; its"
            f" totals stay: outreach status {campaign.id}"
        )
        member = gettext_noop("This was too long ago: we no longer keep who got which message.")
    elif part.range is not None and part.range.routed_at is None:
        outcome = "not_routed"
        paused = f" ({campaign.pause_reason})" if campaign.status == "paused" and campaign.pause_reason else ""
        organizers = f"Member {number} has not had their turn: {name} is {campaign.status}{paused}."
        member = gettext_noop("Nothing has been decided about this message for you.")
    elif part.range is not None:
        outcome, organizers = "outside", f"Member {number} was not in the audience of {name} when their turn came."
        member = gettext_noop("This message was not meant for you: its organizers asked others.")
    else:
        outcome, organizers = "outside", f"Member {number} was entered after {name} had begun, so they were not asked."
        member = gettext_noop("You joined after this message had gone out.")
    return Why(
        member=number,
        campaign=campaign.id,
        title=campaign.title,
        outcome=outcome,
        hops=[],
        earlier=[],
        for_organizers=[organizers],
        for_member=[reader.speak.gettext(member)],
    )


def _hop(row: Row) -> Hop:
    delivery = row.delivery
    events = [
        Event(
            at=from_ms(one.at),
            what="attempt",
            outcome=one.outcome,
            failure=one.failure,
            code=one.code,
            sentence=explaining.attempt_sentence(one.outcome, one.failure, one.code, one.account),
        )
        for one in row.attempts
    ]
    events += [
        Event(
            at=from_ms(one.at),
            what="receipt",
            outcome=one.status,
            failure=None,
            code=one.code,
            sentence=explaining.receipt_sentence(DeliveryStatus(one.status), one.code, moved=bool(one.moved)),
        )
        for one in row.receipts
    ]
    return Hop(
        delivery=str(DeliveryRef(delivery.month, delivery.id)),
        hop=delivery.hop,
        channel=delivery.channel,
        status=DeliveryStatus(delivery.status),
        reason=Reason(delivery.reason) if delivery.reason else None,
        decided_at=row.trace.decided_at,
        candidates=[_candidate(verdict) for verdict in row.trace.verdicts],
        events=sorted(events, key=lambda event: event.at),
    )


def _candidate(verdict: Verdict) -> Candidate:
    if verdict.reason is not None:
        word = verdict.reason.value
    else:
        word = "chosen" if verdict.at is not None else "also" if verdict.also else "full"
    return Candidate(
        channel=verdict.channel,
        address=verdict.address_id,
        verdict=word,
        at=verdict.at,
        waits=[wait.name.lower() for wait in verdict.waits],
    )


def _for_organizers(hop: Hop, row: Row, now: datetime) -> Iterable[str]:
    """One delivery in sentences."""
    trace = row.trace
    if trace.decided_at is not None:
        yield f"Decided{' again' if hop.hop else ''} at {explaining.moment(trace.decided_at)}."
    if trace.verdicts and (order := explaining.order_sentence(trace.basis, trace.verdicts[0])):
        yield order
    for verdict in trace.verdicts:
        yield explaining.verdict_sentence(verdict)
    for event in hop.events:
        yield f"{explaining.moment(event.at)}: {event.sentence}"
    yield explaining.state_sentence(hop.channel, hop.status, hop.reason, _since(row, now))


def _budget(earlier: Iterable[EarlierAsk]) -> Iterable[str]:
    """What the contact budget held, for organizers."""
    held = [f'{explaining.moment(one.at)} by {one.channel}, campaign {one.campaign}, "{one.title}"' for one in earlier]
    if not held:
        yield "The contact budget held no other ask at that moment."
        return
    yield "At that moment the contact budget of the member, or of their household, held:"
    yield from held


def _for_member(part: Part, hops: Iterable[Hop], now: datetime, reader: Reader) -> Iterable[str]:
    for hop, row in zip(hops, part.rows, strict=True):
        yield explaining.state_for_member(hop.channel, hop.status, hop.reason, _since(row, now), reader)
        verdicts = row.trace.verdicts
        was_first = verdicts and verdicts[0].at is not None and hop.status is not DeliveryStatus.HELD
        if was_first and (order := explaining.order_for_member(row.trace.basis, hop.channel, reader)):
            yield order
    yield explaining.heard_sentence(sum(abs(one.at - part.decided_at) < _HEARD for one in part.earlier), reader)


def _since(row: Row, now: datetime) -> datetime | None:
    """Since when a delivery stands where it stands; while it is queued, when it may leave, if that lies ahead."""
    delivery = row.delivery
    match DeliveryStatus(delivery.status):
        case DeliveryStatus.QUEUED:
            return from_ms(delivery.not_before) if delivery.not_before > to_ms(now) else None
        case DeliveryStatus.SENT:
            return moment_of(delivery.sent_at)
        case _:
            return moment_of(delivery.done_at)
