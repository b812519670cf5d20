"""Which channel, when, or why not: the one decision that preview, routing and fallback all ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache

from router.core import budget, consent, trace
from router.core.address_order import in_order
from router.core.attention import ANYBODY, BudgetAsk, Dial, Recipient, Refusal
from router.core.budget_limits import BudgetRules
from router.core.group_first import wait_until
from router.core.model import Address, AskKind, Member, Purpose, Reason
from router.core.postcodes import area_of_postcode
from router.core.quiet_hours import QuietHours
from router.core.trace import Basis, Wait

_SERVICE_FOR_THOSE_WHO_SIGNED_UP = frozenset({AskKind.REMINDER, AskKind.MOVED, AskKind.CANCELLED, AskKind.RECEIPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the decision must know of an ask; the same for all its members."""

    kind: AskKind
    budget: BudgetAsk
    """What the contact budget must know of it."""
    channels: Set[str]
    """Channels to people that are set up, that the ask allows and that it has words for."""
    group_channels: Set[str] = frozenset()
    """The same for the chats of groups."""
    windows: Mapping[str, timedelta] = field(default_factory=dict)
    """Channels where only who wrote so lately may be written to, because the ask has no approved text for them."""
    barred: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """channel → beginnings of addresses to which its provider lets no ask through, unless they wrote lately."""
    replied_within: timedelta = timedelta(hours=24)
    """How lately that is (FACTS.md 1.2, service window)."""
    earliest: datetime
    expires_at: datetime
    purpose: Purpose = Purpose.GENERAL
    alert: bool = False
    """To all addresses at once whose owners agreed to alerts, at any hour."""
    order: tuple[str, ...] = ()
    """Channels in the order of the ask's waterfall, which comes after the member's own."""
    cost: Mapping[str, float] = field(default_factory=dict)
    """channel → what one message costs there; channels that are not in it cost nothing."""
    starts_at_local: datetime | None = None
    """Naive: the hour on each member's own clock before which nothing comes."""
    group_wait: timedelta | None = None
    """How long whoever is in a group that is asked has to answer there first; None: everybody is asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The rules of the house that the decision obeys."""

    budget: BudgetRules
    quiet_hours: QuietHours


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send to this address, not before this moment."""

    address: Address
    not_before: datetime
    trace: str = field(default="", compare=False)
    """How it came to this, for `core.trace`; two decisions that do the same are equal."""
    also: tuple[Address, ...] = ()
    """An alert goes to these as well, at the same moment."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing, for this reason."""

    reason: Reason
    trace: str = field(default="", compare=False)


_TELLING: Mapping[Reason, int] = {
    reason: place
    for place, reason in enumerate(
        (
            Reason.CAP,
            Reason.OUTRANKED,
            Reason.DIAL,
            Reason.PAUSED,
            Reason.NEWCOMER,
            Reason.SILENT,
            Reason.LET_GO,
            Reason.QUIET_HOURS,
            Reason.SUPPRESSED,
            Reason.ADDRESS_DEAD,
            Reason.UNCONFIRMED,
            Reason.NO_CONSENT,
            Reason.CHANNEL_RULES,
            Reason.NO_TEMPLATE,
            Reason.NO_CHANNEL,
            Reason.NO_ADDRESS,
        )
    )
}
"""Where several addresses fail for several reasons, the member hears the one that came closest to a message."""


_QUIET, _BUDGET, _GROUP = Wait.QUIET_HOURS.value, Wait.BUDGET.value, Wait.GROUP.value
# Named once: looking up a member of an enum costs as much as a step of the usual decision.
_ASK, _GENERAL, _EVERYTHING = AskKind.ASK, Purpose.GENERAL, Dial.EVERYTHING
_ONLY, _NO_ADDRESS = Basis.ONLY, Reason.NO_ADDRESS
_TOLD: Mapping[Refusal, Reason] = {refusal: Reason(refusal.told.value) for refusal in Refusal}


def route(
    member: Member,
    plan: Plan,
    house: House,
    *,
    now: datetime,
    without: Set[int] = frozenset(),
    full: Set[str] = frozenset(),
) -> Deliver | Hold:
    """Decide for one member: the first address, in the order of `core.address_order`, that may be written to in time.

    `member.addresses` come in the order of their rank. `without` names addresses already tried (a fallback), `full` the
    channels that cannot take one more in time: they come last, and where only such a one is left it is taken.
    """
    if member.erased:
        return Hold(Reason.ERASED, trace.head(now))
    if plan.kind is not _ASK and plan.kind in _SERVICE_FOR_THOSE_WHO_SIGNED_UP and not member.signed_up:
        return Hold(Reason.NOT_SIGNED_UP, trace.head(now))
    addresses: Sequence[Address] = member.addresses
    if without:
        addresses = [address for address in addresses if address.id not in without]
    basis = _ONLY
    if len(addresses) > 1:
        addresses, basis = in_order(addresses, plan.order, plan.cost, full)
    if plan.alert and (alarm := _alarm(member, addresses, plan, house, now, full)) is not None:
        return alarm
    starts, waits = _starts(member, plan, house, now)
    recipient = ANYBODY if plan.budget.free else recipient_of(member, house, now)
    told = trace.head(now, basis)
    nearest = _NO_ADDRESS
    for address in addresses:
        verdict = _verdict(member, address, plan, house, now, starts, recipient)
        if isinstance(verdict, tuple):
            at, letters = verdict
            is_full = address.channel in full
            if full and not is_full:
                told += "".join([trace.passed_over(other) for other in addresses if other.channel in full])
            return Deliver(address, at, told + trace.taken(address, at, now, waits + letters, full=is_full))
        told += trace.refused(address, verdict)
        reason = _TOLD[verdict] if isinstance(verdict, Refusal) else verdict
        if _TELLING[reason] < _TELLING[nearest]:
            nearest = reason
    if _GROUP in waits:  # rather at once than never
        return route(replace(member, group_asked_at=None), plan, house, now=now, without=without, full=full)
    return Hold(nearest, told)


def _alarm(
    member: Member, addresses: Sequence[Address], plan: Plan, house: House, now: datetime, full: Set[str]
) -> Deliver | None:
    """An alert: to the best address on each channel whose owner agreed to alerts there, at any hour.

    None where there is no such address, or none with room in the contact budget: then it goes the way of any ask.
    """
    starts, waits = _starts(member, plan, house, now)
    if starts >= plan.expires_at:
        return None
    recipient = recipient_of(member, house, now)
    found: dict[str, tuple[Address, datetime]] = {}
    told = trace.head(now, Basis.ALERT)
    for address in addresses:
        channel = address.channel
        if channel in found or channel not in plan.channels or not address.alerts:
            continue
        reason = consent.objection(address, alert=True) or _barrier(address, plan, now)
        room = reason or _room(member, address, plan, house, starts, recipient)
        if isinstance(room, datetime):
            found[channel] = address, room
        else:
            told += trace.refused(address, room)
    if not found:
        return None
    at = min(room for _, room in found.values())
    best, *also = [address for address, room in found.values() if room == at]
    waits += Wait.BUDGET.value if at > starts else ""
    told += trace.taken(best, at, now, waits, full=best.channel in full)
    told += "".join([trace.joined(address) for address in also])
    return Deliver(best, at, told, tuple(also))


def _verdict(
    member: Member, address: Address, plan: Plan, house: House, now: datetime, starts: datetime, recipient: Recipient
) -> tuple[datetime, str] | Reason | Refusal:
    """When this address may be written to and, as letters of `trace.Wait`, what that waits for; or why it may not."""
    channel = address.channel
    if channel not in (plan.group_channels if member.is_group else plan.channels):
        return Reason.NO_CHANNEL
    if objection := consent.objection(address):
        return objection
    if (plan.windows or plan.barred) and (barrier := _barrier(address, plan, now)):
        return barrier
    at = _awake(member, channel, plan, house, starts)
    waits = _QUIET if at > starts else ""
    # Room may come in quiet hours, and the hours after them may have none: look until both agree.
    while at < plan.expires_at:
        room = _room(member, address, plan, house, at, recipient)
        if isinstance(room, Refusal):
            return room
        if room == at:
            return at, waits
        at = _awake(member, channel, plan, house, room)
        waits = _QUIET + _BUDGET if at > room or _QUIET in waits else _BUDGET
    return Reason.QUIET_HOURS


def _room(
    member: Member, address: Address, plan: Plan, house: House, at: datetime, recipient: Recipient
) -> datetime | Refusal:
    """The first moment from `at` on at which the contact budget lets this ask through, or why it never does."""
    if plan.budget.free:
        return at
    return budget.earliest(
        member.purse,
        plan.budget,
        house.budget,
        channel=address.channel,
        at=at,
        until=plan.expires_at,
        recipient=recipient,
    )


def _starts(member: Member, plan: Plan, house: House, now: datetime) -> tuple[datetime, str]:
    """The first moment at which the ask may come to this member, whatever the hour, and whether it waits for that."""
    at, waits = max(now, plan.earliest), ""
    if plan.starts_at_local is not None:
        local = house.quiet_hours.local_to_utc(plan.starts_at_local, member.zone, member.country)
        if local > at:
            at, waits = local, Wait.LOCAL_START.value
    if plan.group_wait is not None and member.group_asked_at is not None:
        later = wait_until(at, member.group_asked_at, plan.group_wait, plan.expires_at)
        if later > at:
            at, waits = later, waits + _GROUP
    return at, waits


def _awake(member: Member, channel: str, plan: Plan, house: House, at: datetime) -> datetime:
    """`at`, or the end of the member's quiet hours around it."""
    if plan.purpose is _GENERAL:
        window = house.quiet_hours.window(channel, member.zone, member.country, at)
    else:
        window = house.quiet_hours.window(
            channel, member.zone, member.country, at, purpose=plan.purpose.value,
            area=area_of_postcode(member.country, member.postcode),
        )  # fmt: skip
    return max(at, window.opens_at)


def recipient_of(member: Member, house: House, now: datetime) -> Recipient:
    """What the contact budget must know of a member beside the purse."""
    joined = member.joined_at
    if joined is not None and joined < _before(now, house.budget.newcomer_ms):
        joined = None  # that is over, and most people are like this
    if joined is None and not member.said_yes and member.dial is _EVERYTHING and member.paused_until is None:
        return ANYBODY
    return Recipient(
        dial=member.dial,
        paused_until=member.paused_until,
        joined_at=joined,
        joined_by=member.joined_by,
        said_yes=member.said_yes,
    )


@lru_cache(maxsize=64)
def _before(now: datetime, ms: int) -> datetime:
    return now - timedelta(milliseconds=ms)


def _barrier(address: Address, plan: Plan, now: datetime) -> Reason | None:
    """What the provider itself would refuse for everybody whose address is like this one."""
    last = address.last_inbound_at
    if address.channel in plan.windows and (last is None or now - last >= plan.windows[address.channel]):
        return Reason.NO_TEMPLATE
    if plan.kind.is_service or not plan.barred:
        return None
    if last is not None and now - last < plan.replied_within:
        return None
    return Reason.CHANNEL_RULES if address.value.startswith(plan.barred.get(address.channel, ())) else None
