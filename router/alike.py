"""Members who are alike in all that routing looks at, by their plain rows (`router.store.profiles`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from router.core import purse
from router.core.attention import Dial
from router.core.model import Address, AddressState, ConsentState, Member, Purpose
from router.core.purse import EMPTY
from router.core.routing import House, Plan
from router.store.people import read_attributes
from router.store.profiles import AddressRow, without_numbers
from router.store.tables import from_ms, to_ms

_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}


class Likeness:
    """What of a member can make a difference to `core.routing.route` with one plan.

    Whatever routing begins to look at belongs in here; ``tests/store/test_preview.py`` compares with asking for each.
    """

    def __init__(self, plan: Plan, house: House, now: datetime) -> None:
        self._lately = to_ms(now - timedelta(milliseconds=house.budget.newcomer_ms))
        self._by_area = plan.purpose is not Purpose.GENERAL
        self._barred = plan.barred
        self.telling = frozenset(plan.windows) | frozenset(plan.barred)
        """Channels on which the address itself, and when its owner last wrote, makes a difference."""

    def of(self, row: Any, addresses: Sequence[Any], slots: str, said_yes: bool) -> Any:
        """The same for members who are alike."""
        joined = row[4]
        return (
            row[2],
            row[3] is None,
            (joined, row[5]) if joined is not None and joined >= self._lately else None,
            row[6],
            row[7],
            row[8],
            row[9],
            row[10] if self._by_area else None,
            said_yes,
            slots if slots == "[]" else without_numbers(slots),
            *[
                address[5:]
                if address[5] not in self.telling
                else (*address[5:], address[4], address[3].startswith(self._barred.get(address[5], ())))
                for address in addresses
            ],
        )


def member_of(row: Any, addresses: Sequence[Any], slots: str, said_yes: bool) -> Member:
    """A row of `store.profiles` as routing and rendering want it."""
    also = row._mapping
    return Member(
        id=row.id,
        first_name=also.get("first_name", ""),
        last_name=also.get("last_name", ""),
        place=also.get("place", ""),
        attributes=read_attributes(also.get("attributes", "{}")),
        locale=row.locale,
        is_group=row.kind == "group",
        zone=row.zone,
        country=row.country,
        postcode=row.postcode,
        household_id=row.household_id,
        joined_at=None if row.joined_at is None else from_ms(row.joined_at),
        joined_by=row.joined_by,
        dial=_DIALS[row.dial],
        paused_until=None if row.paused_until is None else from_ms(row.paused_until),
        erased=row.erased_at is not None,
        said_yes=said_yes,
        addresses=tuple(address_of(address) for address in addresses),
        purse=EMPTY if slots == "[]" else purse.decode(slots),
    )


def address_of(row: Any) -> Address:
    own = AddressRow(*row)
    return Address(
        id=own.id,
        channel=own.channel,
        value=own.value,
        hash=own.hash,
        state=_STATES[own.state],
        consent=_CONSENTS[own.consent],
        suppressed=bool(own.suppressed),
        rank=own.rank,
        last_inbound_at=None if own.last_inbound_at is None else from_ms(own.last_inbound_at),
        answers=own.answers,
        failures=own.failures,
        alerts=bool(own.alerts),
    )
