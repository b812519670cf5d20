"""The rows of one routed range, sorted into batches and numbered so that each batch is an unbroken run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from router.core.model import DeliveryStatus, Lane, Reason
from router.store.campaigns import CampaignRow
from router.store.tallies import Moves

BATCH = 500
"""Most deliveries in a batch (DESIGN.md 2)."""

PACED_BATCH = 25
"""Most deliveries in a batch of an ask that is let out as the inbox can bear: so many at most leave beyond its room,
and at 14 answers to 100 of them (FACTS.md 3) that is 3 or 4 conversations."""

DELIVERY_COLUMNS = (
    "month", "id", "campaign_id", "member_id", "channel", "hop", "address_id", "status", "reason", "not_before",
    "costs", "trace", "variant",
)  # fmt: skip

Target = tuple[str, str, int]
"""Where one goes: the channel, the account that must send it, and the number of the address."""

_Chosen = tuple[int, int, int, str]
"""The member, the address, which hop, and the trace."""


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
        paced: bool = False,
    ) -> None:
        self._hop = hop
        self._paced = paced
        self._campaign = campaign
        self._lane = lane
        self._ids = iter(ids)
        self._costs = costs
        self._stages = stages
        self._variant = variant
        self._held: list[tuple[int, Reason, str, str, int | None]] = []
        self._sent: dict[tuple[str, str, int, bool], list[_Chosen]] = defaultdict(list)
        self.deliveries: list[tuple[Any, ...]] = []
        self.batches: list[tuple[Any, ...]] = []
        self.numbers: dict[int, int] = {}
        """member → the number of the delivery that costs."""
        self.moves = Moves()

    def hold(self, member: int, reason: Reason, trace: str) -> None:
        self._held.append((member, reason, trace, "", None))

    def lose(self, member: int, trace: str, target: Target) -> None:
        """Somebody else's delivery of this ask already goes to the same address, or to the same person."""
        self._held.append((member, Reason.DUPLICATE, trace, target[0], target[2]))

    def send(
        self, member: int, at: int, trace: str, first: Target, also: Sequence[Target] = (), *, ahead: bool = False
    ) -> None:
        """At this moment, ms since 1970 UTC; an alert to several addresses. `ahead`: with the first stage."""
        channel, account, address = first
        self._sent[channel, account, at, ahead].append((member, address, self._hop, trace))
        for hop, (channel, account, address) in enumerate(also, start=self._hop + 1):
            self._sent[channel, account, at, ahead].append((member, address, hop, ""))

    def number(self) -> None:
        """Give every row its number and build the tuples."""
        for (channel, account, at, ahead), chosen in sorted(self._sent.items(), key=lambda item: item[0]):
            by_stage: dict[int, list[_Chosen]] = defaultdict(list)
            stages = [0] * len(chosen) if ahead else self._stages(len(chosen))
            for stage, one in zip(stages, chosen, strict=True):
                by_stage[stage].append(one)
            for stage, some in sorted(by_stage.items()):
                most = PACED_BATCH if self._paced else BATCH
                for start in range(0, len(some), most):
                    self._batch(channel, account, stage, at, some[start : start + most])
            self.moves.add(self._campaign.id, channel, DeliveryStatus.QUEUED, n=len(chosen))
        month, campaign, held = self._campaign.month, self._campaign.id, DeliveryStatus.HELD.value
        counts: Counter[tuple[str, Reason]] = Counter()
        for member, reason, trace, channel, address in self._held:
            self.deliveries.append(
                (
                    month,
                    next(self._ids),
                    campaign,
                    member,
                    channel,
                    0,
                    address,
                    held,
                    reason._value_,
                    0,
                    False,
                    trace,
                    0,
                )
            )
            counts[channel, reason] += 1
        for (channel, reason), many in counts.items():
            self.moves.add(campaign, channel, DeliveryStatus.HELD, reason, n=many)

    def _batch(self, channel: str, account: str, stage: int, at: int, part: list[_Chosen]) -> None:
        month, campaign, queued = self._campaign.month, self._campaign.id, DeliveryStatus.QUEUED.value
        numbers = [next(self._ids) for _ in part]
        append, variant, main = self.deliveries.append, self._variant, self._hop
        for number, (member, address, hop, trace) in zip(numbers, part, strict=True):
            costs = self._costs and hop == main
            append(
                (
                    month,
                    number,
                    campaign,
                    member,
                    channel,
                    hop,
                    address,
                    queued,
                    None,
                    at,
                    costs,
                    trace,
                    variant(member),
                )
            )
            if costs:
                self.numbers[member] = number
        self.batches.append(
            (next(self._ids), month, campaign, channel, account, int(self._lane), stage, numbers[0], numbers[-1], True,
             at, 0, 0, self._paced)
        )  # fmt: skip
