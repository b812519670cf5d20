"""The rows of one routed range, sorted into batches and numbered so that each batch is an unbroken run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from router.core.model import Address, DeliveryStatus, Lane, Member, Reason
from router.core.routing import Deliver, Hold
from router.store.campaigns import CampaignRow
from router.store.tables import to_ms
from router.store.tallies import Moves

BATCH = 500
"""Most deliveries in a batch (DESIGN.md 2)."""

DELIVERY_COLUMNS = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "reason", "not_before",
    "costs", "trace", "variant",
)  # fmt: skip

_Chosen = tuple[Member, Address, int, str]
"""Whom, where, which hop, and the trace."""


class Rows:
    """Takes decisions in the order in which people should be asked; `number` turns them into rows."""

    def __init__(
        self,
        campaign: CampaignRow,
        lane: Lane,
        ids: range,
        *,
        costs: bool,
        stages: Callable[[int], Sequence[int]],
        variant: Callable[[int], int],
        hop: int = 0,
    ) -> None:
        self._hop = hop
        self._campaign = campaign
        self._lane = lane
        self._ids = iter(ids)
        self._costs = costs
        self._stages = stages
        self._variant = variant
        self._held: list[tuple[Member, Hold, Address | None]] = []
        self._sent: dict[tuple[str, str, datetime], list[_Chosen]] = defaultdict(list)
        self.deliveries: list[tuple[Any, ...]] = []
        self.batches: list[tuple[Any, ...]] = []
        self.numbers: dict[int, int] = {}
        """member → the number of the delivery that costs."""
        self.moves = Moves()

    def hold(self, person: Member, verdict: Hold) -> None:
        self._held.append((person, verdict, None))

    def lose(self, person: Member, verdict: Deliver) -> None:
        """Somebody else's delivery of this ask already goes to the same address, or to the same person."""
        self._held.append((person, Hold(Reason.DUPLICATE, verdict.trace), verdict.address))

    def send(self, person: Member, verdict: Deliver) -> None:
        first = verdict.address
        self._sent[first.channel, first.account, verdict.not_before].append((person, first, self._hop, verdict.trace))
        for hop, other in enumerate(verdict.also, start=self._hop + 1):
            self._sent[other.channel, other.account, verdict.not_before].append((person, other, hop, ""))

    def number(self) -> None:
        """Give every row its number and build the tuples."""
        for (channel, account, not_before), chosen in sorted(self._sent.items(), key=lambda item: item[0]):
            by_stage: dict[int, list[_Chosen]] = defaultdict(list)
            for stage, one in zip(self._stages(len(chosen)), chosen, strict=True):
                by_stage[stage].append(one)
            for stage, some in sorted(by_stage.items()):
                for start in range(0, len(some), BATCH):
                    self._batch(channel, account, stage, to_ms(not_before), some[start : start + BATCH])
            self.moves.add(self._campaign.id, channel, DeliveryStatus.QUEUED, n=len(chosen))
        for person, verdict, address in self._held:
            channel = address.channel if address else ""
            self.deliveries.append(
                (self._campaign.month, next(self._ids), self._campaign.id, person.id, channel, 0,
                 address.id if address else None, DeliveryStatus.HELD.value, verdict.reason.value, 0, False,
                 verdict.trace, 0)
            )  # fmt: skip
            self.moves.add(self._campaign.id, channel, DeliveryStatus.HELD, verdict.reason)

    def _batch(self, channel: str, account: str, stage: int, at: int, part: list[_Chosen]) -> None:
        month, campaign = self._campaign.month, self._campaign.id
        numbers = [next(self._ids) for _ in part]
        for number, (person, address, hop, trace) in zip(numbers, part, strict=True):
            costs = self._costs and hop == self._hop
            self.deliveries.append(
                (month, number, campaign, person.id, channel, hop, address.id, DeliveryStatus.QUEUED.value, None, at,
                 costs, trace, self._variant(person.id))
            )  # fmt: skip
            if costs:
                self.numbers[person.id] = number
        self.batches.append(
            (next(self._ids), month, campaign, channel, account, int(self._lane), stage, numbers[0], numbers[-1], True,
             at, 0, 0)
        )  # fmt: skip
