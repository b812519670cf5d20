"""Members who are alike in all that routing looks at, by their plain rows (`router.store.people.read_plain`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from router.core.attention import Dial
from router.core.model import Address, AddressState, ConsentState, Member, Purpose
from router.core.purse import decode
from router.core.purse_patterns import split
from router.core.routing import House, Plan
from router.store.people import PLACE, AddressRow
from router.store.tables import from_ms, to_ms

_STATES = {state.value: state for state in AddressState}
_CONSENTS = {state.value: state for state in ConsentState}
_DIALS = {dial.value: dial for dial in Dial}


def telling_channels(plan: Plan) -> frozenset[str]:
    """Channels on which the address itself, and when its owner last wrote, makes a difference."""
    return frozenset(plan.windows) | frozenset(plan.barred)


class Likeness:
    """What of a member can make a difference to `core.routing.route` with one plan.

    Whatever routing begins to look at belongs in here; ``tests/test_alike.py`` compares with asking for each.
    """

    def __init__(self, plan: Plan, house: House, now: datetime) -> None:
        self._lately = to_ms(now - timedelta(milliseconds=house.budget.newcomer_ms))
        self._by_area = plan.purpose is not Purpose.GENERAL
        self._barred = plan.barred
        self._telling = telling_channels(plan)

    def of(self, row: Any, addresses: Sequence[Any], slots: str, said_yes: bool, asked_at: int | None = None) -> Any:
        """The same for members who are alike. `asked_at` is when a group of theirs is asked, in ms."""
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
            asked_at,
            split(slots)[0],
            *[
                address[5:]
                if address[5] not in self._telling
                else (*address[5:], address[4], address[3].startswith(self._barred.get(address[5], ())))
                for address in addresses
            ],
        )


def person_of(
    row: Sequence[Any], addresses: Sequence[Any], slots: str, said_yes: bool, asked_at: int | None = None
) -> Member:
    """A plain row as routing wants it: without a name and a language."""
    number, household, kind, erased_at, joined_at, joined_by, dial, paused_until, zone, country, postcode = row[:11]
    return Member(
        id=number,
        is_group=kind == "group",
        zone=zone,
        country=country,
        postcode=postcode,
        household_id=household,
        joined_at=None if joined_at is None else from_ms(joined_at),
        joined_by=joined_by,
        dial=_DIALS[dial],
        paused_until=None if paused_until is None else from_ms(paused_until),
        erased=erased_at is not None,
        said_yes=said_yes,
        group_asked_at=None if asked_at is None else from_ms(asked_at),
        place=row[PLACE],
        addresses=tuple(address_of(address) for address in addresses),
        purse=decode(slots),
    )


def address_of(row: Any) -> Address:
    """A plain row as an address."""
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
        account=own.account,
        last_inbound_at=None if own.last_inbound_at is None else from_ms(own.last_inbound_at),
        answers=own.answers,
        failures=own.failures,
        alerts=bool(own.alerts),
    )
