"""What a model of the ledger is made of: its rules, its state, its size. `ledger_model` says what may happen in it."""

from __future__ import annotations

from typing import NamedTuple

RULES = {
    "1 range lock": "routing takes place only if nobody has routed the range, and the campaign runs",
    "2 one claim for each address": "the same address in two records is asked once",
    "3 lease is compared": "a claim looks whether the batch is still this worker's",
    "4 intent before send": "what is to be sent is on disk before it leaves",
    "5 read after a lost answer": "a commit without an answer is looked up, not repeated",
    "6 intent looks again": "a claim disposes of what was stopped or cancelled meanwhile",
    "7 outcome of my claim": "an outcome moves only rows that carry its claim",
    "7 receipts stay": "an outcome does not overwrite a receipt",
    "8 send window": "no send starts when its claim is too old",
    "9 takeover never sends": "rows that a dead worker had in flight are not queued again",
    "9 takeover settles": "rows that a dead worker had in flight become unknown",
    "10 reopen": "a row that goes back to the queue opens its batch again",
    "11 close with proof": "a batch with a queued row, or one that is being sent, is not closed",
    "12 one hop": "a fallback comes from the move to failed, once",
    "12 unknown never falls back": "what may have been sent is not sent on another channel",
    "13 early receipts": "a receipt that overtakes its outcome finds its row",
    "14 forward only": "a late failure does not undo an arrival",
    "15 unknown keeps its slot": "what may have been sent counts against the budget",
    "15 refunded once": "a slot is given back by the move of the row, not by the news of it",
    "16 budget is locked": "a reservation counts what is there now, not what a plan saw",
    "18 STOP cancels": "STOP withdraws what is queued",
    "18 STOP waits": "STOP is answered once nothing can start any more",
    "20 durable intent": "an intent survives the database's crash",
}
"""Rule → what it says. A model is run with all of them, or all but one."""

ABSENT, QUEUED, SENDING, SENT, DELIVERED, UNKNOWN, FAILED, CANCELLED, HELD = range(9)
COSTS = (QUEUED, SENDING, SENT, DELIVERED, UNKNOWN)
"""What keeps its place in the budget."""
NOBODY = -1

IDLE, ROUTING, LEASED, AT_WORK, LEAVING = range(5)
NEVER, SUPPRESSED, WITHDRAWN, ANSWERED = range(4)
"""How far a STOP is: not said; on disk; queued rows cancelled; answered with 200."""


class Delivery(NamedTuple):
    """A row, and what the provider has of it."""

    status: int = ABSENT
    claim: int = NOBODY
    """The worker whose present claim it carries."""
    air: int = 0
    """On its way to the provider."""
    taken: int = 0
    """How often the provider has accepted it."""
    fate: int = ABSENT
    """What the receipt said: DELIVERED, FAILED or nothing yet."""
    told: int = 0
    """Whether that receipt has reached us."""


class Batch(NamedTuple):
    """A batch and its lease."""

    open: int = 0
    owner: int = NOBODY
    live: int = 0
    """Whether its lease runs."""


class Worker(NamedTuple):
    """What a process has in mind; a crash forgets it."""

    does: int = IDLE
    at: int = NOBODY
    """The campaign that it routes, or the batch that it sends."""
    fresh: int = 0
    """Whether sends of its claim may start."""
    waits: int = NOBODY
    """The row whose answer it waits for."""
    todo: tuple[int, ...] = ()
    done: tuple[tuple[int, int], ...] = ()
    """Outcomes: (row, SENT, UNKNOWN or QUEUED for surely not sent)."""
    saw: tuple[int, ...] = ()
    """The budgets when it planned."""


class State(NamedTuple):
    """Everything at one moment."""

    rows: tuple[Delivery, ...]
    batches: tuple[Batch, ...]
    workers: tuple[Worker, ...]
    spent: tuple[int, ...]
    """Slots taken, by member."""
    stop: tuple[int, ...]
    """NEVER … ANSWERED, by address."""
    routed: tuple[int, ...]
    """How often each campaign's range was routed."""
    cancelled: tuple[int, ...]
    faults: tuple[int, ...]
    """How many of each kind may still happen, in the order of `FAULTS`."""
    wrong: str = ""
    """What must never happen, and did in the step that led here."""


FAULTS = ("crash", "expiry", "lost answer", "refusal", "timeout", "failure", "stop", "cancel", "database crash")


class Scene(NamedTuple):
    """How large a model is, and how much may go wrong in it."""

    name: str
    members: int = 1
    campaigns: int = 1
    hops: int = 1
    cap: int = 9
    """Asks that a member may get."""
    shared: bool = False
    """Whether all members are records of one address."""
    routed: bool = False
    """Whether it begins with everything routed."""
    most: int = 9
    """Rows that one claim takes."""
    faults: tuple[int, ...] = (1, 1, 0, 1, 1, 0, 1, 1, 0)
    workers: int = 2

    def row(self, campaign: int, member: int, hop: int = 0) -> int:
        """The number of a delivery."""
        return (campaign * self.hops + hop) * self.members + member

    def batch_of(self, row: int) -> int:
        """The batch that a delivery is in; each campaign has one for each hop."""
        return row // self.members

    def member_of(self, row: int) -> int:
        """Whom it is for."""
        return row % self.members

    def address_of(self, row: int) -> int:
        """Where it goes."""
        return 0 if self.shared else row % self.members

    def campaign_of(self, batch: int) -> int:
        """Whose it is."""
        return batch // self.hops

    def rows_in(self, batch: int) -> range:
        """The deliveries of a batch."""
        return range(batch * self.members, (batch + 1) * self.members)

    def first(self) -> State:
        """How it begins."""
        rows, batches = self.campaigns * self.hops * self.members, self.campaigns * self.hops
        queued = [self.routed and self.batch_of(row) % self.hops == 0 for row in range(rows)]
        return State(
            rows=tuple(Delivery(status=QUEUED if one else ABSENT) for one in queued),
            batches=tuple(Batch(open=int(self.routed and b % self.hops == 0)) for b in range(batches)),
            workers=(Worker(),) * self.workers,
            spent=(self.campaigns if self.routed else 0,) * self.members,
            stop=(NEVER,) * (1 if self.shared else self.members),
            routed=(int(self.routed),) * self.campaigns,
            cancelled=(0,) * self.campaigns,
            faults=self.faults,
        )


def put(values: tuple, place: int, value: object) -> tuple:  # type: ignore[type-arg]
    """The values with another one in this place."""
    return (*values[:place], value, *values[place + 1 :])


def with_row(state: State, row: int, one: Delivery) -> State:
    """The state with that delivery."""
    return state._replace(rows=put(state.rows, row, one))


def with_worker(state: State, w: int, worker: Worker) -> State:
    """The state with that worker."""
    return state._replace(workers=put(state.workers, w, worker))


def spend(state: State, member: int, slots: int) -> State:
    """The state with so many slots of a member more, or less."""
    return state._replace(spent=put(state.spent, member, state.spent[member] + slots))


def expire(state: State, batch: int) -> State:
    """The state without the lease of a batch."""
    return state._replace(batches=put(state.batches, batch, state.batches[batch]._replace(live=0)))


def loose(row: Delivery, w: int) -> Delivery:
    """The row without the claim of a worker that has ended it, or has died."""
    return row._replace(claim=NOBODY) if row.claim == w else row


def after_fault(state: State, kind: str) -> State | None:
    """The same with one fault of this kind less to come; None where none is left."""
    place = FAULTS.index(kind)
    left = state.faults[place]
    return state._replace(faults=put(state.faults, place, left - 1)) if left else None
