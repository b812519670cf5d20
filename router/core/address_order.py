"""Which of a member's addresses is tried first: by what the member says, then by what works.

The member's own order comes before everything else. Among addresses of which they said nothing: the order of the ask's
waterfall, where they answered, where they can be reached, what it costs. A channel that cannot take one more in time
comes after all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from router.core.model import UNRANKED, Address
from router.core.trace import Basis

_CRITERIA = (Basis.FULL, Basis.OWN, Basis.WATERFALL, Basis.ANSWERS, Basis.REACH, Basis.COST, Basis.ONLY)
"""In the order in which they count; the last is the place among the member's addresses."""

_Key = tuple[bool, int, int, int, int, float, int]

_OWN = Basis.OWN


def in_order(
    addresses: Sequence[Address], waterfall: Sequence[str], cost: Mapping[str, float], full: Set[str]
) -> tuple[Sequence[Address], Basis]:
    """The addresses in the order in which to try them, and what put the first of them there.

    `cost` is by channel; one without a price costs nothing. Addresses that nothing tells apart keep their order.
    """
    if not full and _is_declared(addresses):
        return addresses, _OWN
    last = len(waterfall)
    keyed = []
    for place, address in enumerate(addresses):
        channel, rank = address.channel, address.rank
        step = waterfall.index(channel) if last and channel in waterfall else last
        rank = rank if rank < UNRANKED else UNRANKED
        price = cost.get(channel, 0.0)
        keyed.append((channel in full, rank, step, -address.answers, address.failures, price, place))
    keyed.sort()
    return [addresses[key[6]] for key in keyed], _difference(keyed[0], keyed[1])


def _difference(first: _Key, second: _Key) -> Basis:
    for criterion, value in enumerate(first):
        if value != second[criterion]:
            return _CRITERIA[criterion]
    raise ValueError("the same address is there twice")


def _is_declared(addresses: Sequence[Address]) -> bool:
    """Whether each stands before the next in the member's own order."""
    last = -1
    for address in addresses:
        if address.rank <= last or last >= UNRANKED:
            return False
        last = address.rank
    return True
