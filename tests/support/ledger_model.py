"""DESIGN.md 6 as a small model: two workers, a few members and campaigns, and everything that may go wrong.

One `State` is all there is: the ledger, what the workers have in mind, what the provider has. `Model.steps` lists what
may happen next. Each rule of the ledger is a word in `RULES`; the model without one of them shows what it is for.
``tests/support/ledger_search.py`` looks at every state that can be reached. Time is left out: where a rule counts
seconds, the model only knows what must be over before what.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.ledger_state import (
    ABSENT,
    ANSWERED,
    AT_WORK,
    CANCELLED,
    COSTS,
    DELIVERED,
    FAILED,
    HELD,
    IDLE,
    LEASED,
    LEAVING,
    NEVER,
    NOBODY,
    QUEUED,
    ROUTING,
    RULES,
    SENDING,
    SENT,
    SUPPRESSED,
    UNKNOWN,
    WITHDRAWN,
    Batch,
    Delivery,
    Scene,
    State,
    Worker,
    after_fault,
    expire,
    loose,
    put,
    spend,
    with_row,
    with_worker,
)

_TOLD = {QUEUED: "not sent", SENT: "sent", UNKNOWN: "unknown"}

Step = tuple[str, bool, State]
"""What happens; whether it is sure to happen at last, if it may; the state that it leads to."""


class Model:
    """The protocol of a scene without the rules that are `off`."""

    def __init__(self, scene: Scene, off: frozenset[str] = frozenset()) -> None:
        self.scene = scene
        self.off = off
        self._on = {rule: rule not in off for rule in RULES}

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen next."""
        for number, worker in enumerate(state.workers):
            yield from self._worker(state, number, worker)
        for number, row in enumerate(state.rows):
            yield from self._provider(state, number, row)
        yield from self._people(state)
        yield from self._time(state)

    # ── a worker ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _worker(self, state: State, w: int, worker: Worker) -> Iterator[Step]:
        who = f"worker {w}"
        if worker.does == IDLE:
            for campaign, routed in enumerate(state.routed):
                if not routed and not state.cancelled[campaign]:
                    planned = Worker(does=ROUTING, at=campaign, saw=state.spent)
                    yield f"{who} plans campaign {campaign}", True, with_worker(state, w, planned)
            for batch, one in enumerate(state.batches):
                if one.open and (one.owner == NOBODY or not one.live):
                    yield f"{who} leases batch {batch}", True, self._lease(state, w, batch)
        elif worker.does == ROUTING:
            yield f"{who} routes campaign {worker.at}", True, self._route(state, w, worker)
        elif worker.does == LEASED:
            yield from self._claim(state, w, worker, who)
        elif worker.does == LEAVING:
            yield f"{who} lets go of batch {worker.at}", True, self._let_go(state, w, worker.at)
        else:
            yield from self._send(state, w, worker, who)

    def _route(self, state: State, w: int, worker: Worker) -> State:
        scene, campaign = self.scene, worker.at
        state = with_worker(state, w, Worker())
        if self._on["1 range lock"] and (state.routed[campaign] or state.cancelled[campaign]):
            return state
        if state.routed[campaign]:
            return state._replace(wrong="a member has two outcomes of one ask")
        asked: set[int] = set()
        for member in range(scene.members):
            row = scene.row(campaign, member)
            address = scene.address_of(row)
            seen = state.spent[member] if self._on["16 budget is locked"] else worker.saw[member]
            taken = self._on["2 one claim for each address"] and address in asked
            if taken or state.stop[address] or seen >= scene.cap:
                state = with_row(state, row, Delivery(status=HELD))
                continue
            asked.add(address)
            state = spend(with_row(state, row, Delivery(status=QUEUED)), member, 1)
        return state._replace(
            routed=put(state.routed, campaign, state.routed[campaign] + 1),
            batches=put(state.batches, campaign * scene.hops, Batch(open=1)),
        )

    def _lease(self, state: State, w: int, batch: int) -> State:
        if state.batches[batch].owner != NOBODY:  # taken over
            for row in self.scene.rows_in(batch):
                one = state.rows[row]
                if one.status != SENDING:
                    continue
                if not self._on["9 takeover never sends"]:
                    state = with_row(state, row, one._replace(status=QUEUED, claim=NOBODY))
                elif self._on["9 takeover settles"]:
                    state = self._give_up(state, row)
        state = state._replace(batches=put(state.batches, batch, Batch(open=1, owner=w, live=1)))
        return with_worker(state, w, Worker(does=LEASED, at=batch))

    def _claim(self, state: State, w: int, worker: Worker, who: str) -> Iterator[Step]:
        batch = state.batches[worker.at]
        if self._on["3 lease is compared"] and batch.owner != w:
            yield f"{who} has lost its batch", True, with_worker(state, w, Worker())
            return
        if batch.owner == w:
            state = state._replace(batches=put(state.batches, worker.at, batch._replace(live=1)))
        queued = [row for row in self.scene.rows_in(worker.at) if state.rows[row].status == QUEUED]
        looked = state
        letters: list[int] = []
        for row in queued[: self.scene.most]:
            if self._on["6 intent looks again"] and self._is_withdrawn(state, row):
                looked = self._end(looked, row, CANCELLED)
                continue
            letters.append(row)
            if self._on["4 intent before send"]:
                looked = with_row(looked, row, looked.rows[row]._replace(status=SENDING, claim=w))
        if letters:
            at_work = Worker(does=AT_WORK, at=worker.at, fresh=1, todo=tuple(letters))
            yield f"{who} claims {letters}", True, with_worker(looked, w, at_work)
            if not self._on["5 read after a lost answer"] and (left := after_fault(looked, "lost answer")):
                orphans = left._replace(rows=tuple(loose(row, w) for row in left.rows))
                yield f"{who} claims {letters}, and the answer of the commit is lost", False, orphans
        elif queued:
            yield f"{who} withdraws {queued}", True, looked
        else:
            leaving = with_worker(state, w, worker._replace(does=LEAVING))
            yield f"{who} finds nothing to send in batch {worker.at}", True, leaving

    def _let_go(self, state: State, w: int, batch: int) -> State:
        busy = any(state.rows[row].status in (QUEUED, SENDING) for row in self.scene.rows_in(batch))
        one = state.batches[batch]
        if one.owner == w:
            still = int(busy and self._on["11 close with proof"])
            state = state._replace(batches=put(state.batches, batch, Batch(open=still)))
        return with_worker(state, w, Worker())

    def _send(self, state: State, w: int, worker: Worker, who: str) -> Iterator[Step]:
        if worker.waits != NOBODY:
            row = worker.waits
            one = state.rows[row]
            back = worker._replace(waits=NOBODY)
            if one.taken and not one.air:
                sent = back._replace(done=(*worker.done, (row, SENT)))
                yield f"{who} hears that {row} is taken", True, with_worker(state, w, sent)
            if left := after_fault(state, "timeout"):
                unsure = back._replace(done=(*worker.done, (row, UNKNOWN)))
                yield f"{who} hears nothing of {row}", False, with_worker(left, w, unsure)
            if one.air and (left := after_fault(state, "refusal")):
                left = with_row(left, row, one._replace(air=0))
                refused = back._replace(done=(*worker.done, (row, QUEUED)))
                yield f"{who} cannot connect for {row}", False, with_worker(left, w, refused)
            return
        if worker.todo:
            row, rest = worker.todo[0], worker.todo[1:]
            if worker.fresh or not self._on["8 send window"]:
                address = self.scene.address_of(row)
                late = "a send starts after STOP was answered" if state.stop[address] == ANSWERED else ""
                left = with_row(state, row, state.rows[row]._replace(air=1))._replace(wrong=late)
                yield f"{who} starts to send {row}", True, with_worker(left, w, worker._replace(todo=rest, waits=row))
            else:
                untried = worker._replace(todo=rest, done=(*worker.done, (row, QUEUED)))
                yield f"{who} is too late to send {row}", True, with_worker(state, w, untried)
            return
        recorded = state
        for row, outcome in worker.done:
            recorded = self._record(recorded, w, row, outcome)
        outcomes = ", ".join(f"{row} {_TOLD[outcome]}" for row, outcome in worker.done)
        if left := after_fault(recorded, "lost answer"):
            yield f"{who} records {outcomes}, and the answer of the commit is lost", False, left
        recorded = recorded._replace(rows=tuple(loose(row, w) for row in recorded.rows))
        yield f"{who} records {outcomes}", True, with_worker(recorded, w, Worker(does=LEASED, at=worker.at))

    def _record(self, state: State, w: int, row: int, outcome: int) -> State:
        one = state.rows[row]
        from_: tuple[int, ...] = (SENDING,) if outcome == UNKNOWN else (SENDING, UNKNOWN)
        if not self._on["4 intent before send"]:
            from_, one = (*from_, QUEUED), one._replace(claim=w)
        if not self._on["7 receipts stay"]:
            from_ = (*from_, DELIVERED, FAILED)
        if one.status not in from_ or (self._on["7 outcome of my claim"] and one.claim != w):
            return state
        if one.status in (DELIVERED, FAILED) and outcome != one.status:
            return state._replace(wrong="an outcome takes the place of a receipt")
        if outcome == UNKNOWN:
            return self._give_up(state, row)
        if outcome == SENT:
            return with_row(state, row, one._replace(status=SENT))
        batch = self.scene.batch_of(row)
        if self._on["10 reopen"]:
            state = state._replace(batches=put(state.batches, batch, state.batches[batch]._replace(open=1)))
        return with_row(state, row, one._replace(status=QUEUED, claim=NOBODY))

    def _give_up(self, state: State, row: int) -> State:
        """Nobody knows what became of this row."""
        state = with_row(state, row, state.rows[row]._replace(status=UNKNOWN))
        if not self._on["15 unknown keeps its slot"]:
            state = spend(state, self.scene.member_of(row), -1)
        if not self._on["12 unknown never falls back"]:
            state = self._fall_back(state, row)
        return state

    # ── the provider ──────────────────────────────────────────────────────────────────────────────────────────────

    def _provider(self, state: State, row: int, one: Delivery) -> Iterator[Step]:
        if one.air:
            yield f"the provider takes {row}", True, with_row(state, row, one._replace(air=0, taken=one.taken + 1))
        if one.taken and one.fate != FAILED:
            yield f"a receipt says that {row} arrived", False, self._receipt(state, row, DELIVERED)
        if one.taken and one.fate == ABSENT and (left := after_fault(state, "failure")):
            yield f"a receipt says that {row} failed", False, self._receipt(left, row, FAILED)
        elif one.fate == FAILED:
            yield f"a receipt says once more that {row} failed", False, self._receipt(state, row, FAILED)
        elif one.fate == DELIVERED and (left := after_fault(state, "failure")):
            contradicted = self._receipt(left, row, FAILED, fate=DELIVERED)
            yield f"a late receipt says that {row} failed", False, contradicted

    def _receipt(self, state: State, row: int, said: int, *, fate: int | None = None) -> State:
        one = state.rows[row]._replace(fate=said if fate is None else fate)
        from_: tuple[int, ...] = (SENDING, UNKNOWN, SENT)
        if one.status == SENDING and not self._on["13 early receipts"]:
            return with_row(state, row, one._replace(told=1))
        if not self._on["14 forward only"] and said == FAILED:
            from_ = (*from_, DELIVERED)
        moves = one.status in from_
        if said == FAILED and not moves and not self._on["15 refunded once"]:
            state = spend(state, self.scene.member_of(row), -1)
        if said == FAILED and (moves or (one.status == FAILED and not self._on["12 one hop"])):
            state = with_row(state, row, one._replace(told=1))
            state = self._end(state, row, FAILED) if moves else state
            return self._fall_back(state, row)
        return with_row(state, row, one._replace(status=said if moves else one.status, told=1))

    def _fall_back(self, state: State, row: int) -> State:
        """Ask on the next channel, where there is one and everything allows it."""
        scene = self.scene
        batch, member = scene.batch_of(row), scene.member_of(row)
        if batch % scene.hops == scene.hops - 1 or self._is_withdrawn(state, row) or state.spent[member] >= scene.cap:
            return state
        further = row + scene.members
        old = state.rows[further]
        if old.status in COSTS and old.status != QUEUED:
            state = spend(state, member, -1)  # a second row, which the model keeps in the place of the first
        state = with_row(state, further, old._replace(status=QUEUED, claim=NOBODY, fate=ABSENT, told=0))
        if old.status != QUEUED:
            state = spend(state, member, 1)
        batches = put(state.batches, batch + 1, state.batches[batch + 1]._replace(open=1))
        return state._replace(batches=batches)

    # ── people, and time ──────────────────────────────────────────────────────────────────────────────────────────

    def _people(self, state: State) -> Iterator[Step]:
        for address, so_far in enumerate(state.stop):
            if so_far == NEVER and (left := after_fault(state, "stop")):
                yield f"STOP of {address} is on disk", False, left._replace(stop=put(left.stop, address, SUPPRESSED))
            elif so_far == SUPPRESSED:
                left = state
                if self._on["18 STOP cancels"]:
                    for row in self._rows_of(state, address):
                        if state.rows[row].status == QUEUED:
                            left = self._end(left, row, CANCELLED)
                left = left._replace(stop=put(left.stop, address, WITHDRAWN))
                yield f"STOP of {address} withdraws what is queued", True, left
            elif so_far == WITHDRAWN and (not self._on["18 STOP waits"] or not self._may_start(state, address)):
                yield f"STOP of {address} is answered", True, state._replace(stop=put(state.stop, address, ANSWERED))
        for campaign, gone in enumerate(state.cancelled):
            if not gone and (left := after_fault(state, "cancel")):
                cancelled = left._replace(cancelled=put(left.cancelled, campaign, 1))
                yield f"campaign {campaign} is cancelled", False, cancelled

    def _may_start(self, state: State, address: int) -> bool:
        """Whether something to this address is being sent, by a claim that is young enough."""
        return any(
            one.status == SENDING and one.claim != NOBODY and state.workers[one.claim].fresh
            for one in (state.rows[row] for row in self._rows_of(state, address))
        )

    def _time(self, state: State) -> Iterator[Step]:
        for w, worker in enumerate(state.workers):
            if worker.fresh:
                yield f"worker {w} takes too long", True, with_worker(state, w, worker._replace(fresh=0))
            if worker.does != IDLE and (left := after_fault(state, "crash")):
                rows = tuple(loose(row, w) for row in left.rows)
                yield f"worker {w} dies", False, with_worker(left._replace(rows=rows), w, Worker())
        for batch, one in enumerate(state.batches):
            if one.live:
                owner = state.workers[one.owner]
                if owner.does in (IDLE, ROUTING) or owner.at != batch:  # it is dead, or gone
                    yield f"the lease of batch {batch} runs out", True, expire(state, batch)
                elif (not owner.fresh or not self._on["8 send window"]) and (left := after_fault(state, "expiry")):
                    yield f"the lease of batch {batch} runs out, though its worker lives", False, expire(left, batch)
        if not self._on["20 durable intent"] and (left := after_fault(state, "database crash")):
            rows = tuple(
                row._replace(status=QUEUED, claim=NOBODY) if row.status == SENDING else row for row in left.rows
            )
            yield "the database dies and has lost its last commit", False, left._replace(rows=rows)

    # ── what several of them do ───────────────────────────────────────────────────────────────────────────────────

    def _end(self, state: State, row: int, to: int) -> State:
        """Move a row to where its slot is given back."""
        one = state.rows[row]
        if one.status in COSTS and (one.status != UNKNOWN or self._on["15 unknown keeps its slot"]):
            state = spend(state, self.scene.member_of(row), -1)
        return with_row(state, row, one._replace(status=to))

    def _is_withdrawn(self, state: State, row: int) -> bool:
        campaign = self.scene.campaign_of(self.scene.batch_of(row))
        return bool(state.stop[self.scene.address_of(row)] or state.cancelled[campaign])

    def _rows_of(self, state: State, address: int) -> list[int]:
        return [row for row in range(len(state.rows)) if self.scene.address_of(row) == address]
