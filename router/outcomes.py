"""What came of each send, and its record in the ledger (DESIGN.md 6, rules 7, 10 and 15)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import Sent
from router.core.delivery import Next, Step, after_send_error
from router.core.errors import FailureClass, Moved, OutcomeUnknown, SendError
from router.core.frozen import frozen
from router.core.model import DeliveryStatus, Lane, Reason
from router.core.policy import RetryPolicy
from router.hops import IDS_PER_HOP, Failed, take_next_hop
from router.letters import Claim, Letter
from router.reach import move_address, note_unreachable, notify_unknown_code
from router.runtime import Runtime
from router.stops import bury_address, cancel_queued, suppress
from router.store.batches import among, reopen, these, write_attempts
from router.store.budgets import refund
from router.store.bulk import sql
from router.store.tables import to_ms
from router.store.tallies import Moves


@frozen()
class Outcome:
    """What came of one letter: accepted, unknown, or a `Next` step."""

    letter: Letter
    at: datetime
    sent: Sent | None = None
    error: SendError | None = None
    next: Next | None = None
    account: str = ""
    """The account, or account and number, that sent it."""
    cost: int = 0
    """Millionths of the channel's currency, where the provider took it or may have taken it."""

    @property
    def is_unknown(self) -> bool:
        return isinstance(self.error, OutcomeUnknown)

    @property
    def kind(self) -> str:
        """As attempts tell it: ``sent``, ``unknown``, ``refused``, ``not_sent``; ``not_tried`` where there was none."""
        if self.sent is not None:
            return "sent"
        if self.error is None:
            return "not_tried"
        burnt = self.next is None or self.next.step is not Step.REQUEUE
        return "unknown" if self.is_unknown else "refused" if burnt else "not_sent"

    @property
    def was_tried(self) -> bool:
        """Whether the provider was asked at all."""
        return self.sent is not None or self.error is not None


def outcome_of(
    letter: Letter,
    result: Sent | SendError,
    at: datetime,
    policy: RetryPolicy,
    *,
    account: str = "",
    others: bool = False,
    daily_reset: datetime | None = None,
    cost: int = 0,
) -> Outcome:
    """Turn the adapter's answer into what is to be recorded; the rest is as `core.delivery` wants it."""
    if isinstance(result, Sent):
        return Outcome(letter, at, sent=result, account=account, cost=cost)
    if isinstance(result, OutcomeUnknown):
        return Outcome(letter, at, error=result, account=account, cost=cost)
    step = after_send_error(
        result,
        attempts=letter.attempts,
        now=at,
        expires_at=letter.expires_at,
        policy=policy,
        others=others,
        daily_reset=daily_reset,
    )
    return Outcome(letter, at, error=result, next=step, account=account)


def not_tried(letter: Letter, at: datetime) -> Outcome:
    """The letter was claimed and then not tried (too late, withdrawn): back to the queue, where it is decided again."""
    return Outcome(letter, at, next=Next(step=Step.REQUEUE, reason=Reason.UNREACHABLE, at=at, burns_attempt=False))


def ids_needed(outcomes: list[Outcome]) -> int:
    """Fresh numbers that recording these may use."""
    return IDS_PER_HOP * sum(1 for o in outcomes if o.next and o.next.step in (Step.FALLBACK, Step.RETRY))


async def record(
    runtime: Runtime,
    connection: AsyncConnection,
    claim: Claim,
    outcomes: list[Outcome],
    ids: range,
    moves: Moves,
    *,
    now: datetime,
) -> None:
    """Write the outcomes of a claim. Only rows that still carry this claim move, and no receipt is overwritten."""
    book = _Book(connection, claim, moves)
    await book.attempts(outcomes)
    await book.sent([o for o in outcomes if o.sent is not None], now)
    await book.unknown([o for o in outcomes if o.is_unknown])
    for outcome in outcomes:
        if outcome.next is None:
            book.pay(outcome, outcome.cost)
            continue
        await _remark(connection, outcome, runtime, moves, now)
        if outcome.next.step is Step.REQUEUE:
            if await book.requeue(outcome, outcome.next):
                book.pay(outcome, 0)
        elif await book.end(outcome, outcome.next, now):
            book.pay(outcome, 0)
            hop_ids, ids = ids[:IDS_PER_HOP], ids[IDS_PER_HOP:]
            await _follow_up(runtime, connection, claim, outcome, outcome.next, hop_ids, moves, now)


async def _remark(connection: AsyncConnection, outcome: Outcome, runtime: Runtime, moves: Moves, now: datetime) -> None:
    """What a failure says of the address and of the provider, beside what becomes of the message."""
    error, address = outcome.error, outcome.letter.allow.address
    if isinstance(error, Moved):
        await move_address(runtime, connection, address, error.to, moves, now=now)
    elif error is not None and error.failure is FailureClass.RECIPIENT_TRANSIENT:
        await note_unreachable(runtime, connection, address.hash, address.channel, now=now)
    elif error is not None and error.failure is FailureClass.UNKNOWN:
        await notify_unknown_code(connection, address.channel, error.code, now=now)


async def _follow_up(
    runtime: Runtime,
    connection: AsyncConnection,
    claim: Claim,
    outcome: Outcome,
    step: Next,
    ids: range,
    moves: Moves,
    now: datetime,
) -> None:
    letter = outcome.letter
    address = letter.allow.address
    if letter.costs:
        await refund(connection, [(letter.member.id, letter.ref.id)])
    if step.suppress:
        channels = await suppress(runtime, connection, address.hash, address.channel, moves, reason="provider", now=now)
        await cancel_queued(connection, address.hash, channels, moves, now=now)
    if step.address_dead:
        await bury_address(connection, address.hash, address.channel)
    failed = Failed(
        campaign_id=claim.batch.campaign_id,
        delivery_id=letter.ref.id,
        member_id=letter.member.id,
        channel=address.channel,
        hop=letter.hop,
        address_id=address.id,
        lane=Lane(claim.batch.lane),
        next=step,
    )
    await take_next_hop(runtime, connection, failed, ids, moves, now=now)


class _Book:
    """The guarded moves of one claim's rows."""

    def __init__(self, connection: AsyncConnection, claim: Claim, moves: Moves) -> None:
        self._connection = connection
        self._claim = claim
        self._batch = claim.batch
        self._moves = moves

    async def attempts(self, outcomes: list[Outcome]) -> None:
        """Keep each try, with the provider's own name for the message and its own code for the failure."""
        rows = []
        for outcome in outcomes:
            if outcome.sent is not None:
                failure, code, provider_id = None, "", outcome.sent.provider_id[:128]
            elif outcome.error is not None:
                failure, code, provider_id = outcome.error.failure.value, outcome.error.code[:40], ""
            else:
                continue
            letter = outcome.letter
            rows.append(
                (letter.ref.month, letter.ref.id, letter.attempts, outcome.account[:64], outcome.kind, failure, code,
                 provider_id, to_ms(outcome.at))
            )  # fmt: skip
        await write_attempts(self._connection, rows)

    async def sent(self, outcomes: list[Outcome], now: datetime) -> None:
        ids = [o.letter.ref.id for o in outcomes]
        await self._move_all(ids, DeliveryStatus.SENT, (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN), now)

    async def unknown(self, outcomes: list[Outcome]) -> None:
        ids = [o.letter.ref.id for o in outcomes]
        await self._move_all(ids, DeliveryStatus.UNKNOWN, (DeliveryStatus.SENDING,), None)

    async def _move_all(
        self, ids: list[int], to: DeliveryStatus, from_: tuple[DeliveryStatus, ...], now: datetime | None
    ) -> None:
        left = len(ids)
        for status in from_:
            if left == 0:
                return
            result = await self._connection.execute(
                sql(
                    "UPDATE delivery SET status = :to, sent_at = coalesce(:at, sent_at)"
                    f" WHERE {among(self._connection)} AND claim_id = :claim AND status = :from"
                ),
                {
                    "to": to.value,
                    "from": status.value,
                    "at": None if now is None else to_ms(now),
                    "claim": self._claim.id,
                    **these(self._connection, self._batch.month, ids),
                },
            )
            self._count(status, to, None, result.rowcount)
            left -= result.rowcount

    async def requeue(self, outcome: Outcome, step: Next) -> bool:
        """Rule 10: the only way back. The next intent decides anew, so a STOP or a cancel meanwhile is obeyed.

        Whether the row moved.
        """
        at = to_ms(step.at or outcome.at)
        for status in (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN):
            result = await self._connection.execute(
                sql(
                    "UPDATE delivery SET status = 'queued', claim_id = NULL, not_before = :at,"
                    " attempts = attempts - :unburnt WHERE month = :month AND id = :id AND claim_id = :claim"
                    " AND status = :from"
                ),
                {
                    "at": at,
                    "unburnt": 0 if step.burns_attempt else 1,
                    "month": self._batch.month,
                    "id": outcome.letter.ref.id,
                    "claim": self._claim.id,
                    "from": status.value,
                },
            )
            if result.rowcount:
                self._count(status, DeliveryStatus.QUEUED, None, 1)
                await reopen(self._connection, self._batch.id, not_before=at)
                return True
        return False

    async def end(self, outcome: Outcome, step: Next, now: datetime) -> bool:
        """Move a row to ``failed`` or ``expired``; whether it moved (then its slot is refunded, once)."""
        to = DeliveryStatus.EXPIRED if step.step is Step.EXPIRE else DeliveryStatus.FAILED
        for status in (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN):
            result = await self._connection.execute(
                sql(
                    "UPDATE delivery SET status = :to, reason = :reason, done_at = :now"
                    " WHERE month = :month AND id = :id AND claim_id = :claim AND status = :from"
                ),
                {
                    "to": to.value,
                    "reason": step.reason.value,
                    "now": to_ms(now),
                    "month": self._batch.month,
                    "id": outcome.letter.ref.id,
                    "claim": self._claim.id,
                    "from": status.value,
                },
            )
            if result.rowcount:
                self._count(status, to, step.reason, 1)
                return True
        return False

    def pay(self, outcome: Outcome, cost: int) -> None:
        """What was put aside for this message becomes what it cost."""
        booked = self._claim.booked
        if booked is not None:
            more = cost - booked.of(outcome.letter.ref.id)
            self._moves.spend(booked.month, self._batch.campaign_id, booked.currency, more)

    def _count(self, from_: DeliveryStatus, to: DeliveryStatus, reason: Reason | None, n: int) -> None:
        if n:
            self._moves.take(self._batch.campaign_id, self._batch.channel, from_, n=n)
            self._moves.add(self._batch.campaign_id, self._batch.channel, to, reason, n=n)
