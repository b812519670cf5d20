"""Which channel, when, or why not: the one decision that preview, routing and fallback all ask for."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.core import budget, consent
from router.core.attention import ANYBODY, BudgetAsk, Dial, Recipient, Refusal
from router.core.budget_limits import BudgetRules
from router.core.consent import Allow
from router.core.model import Address, AskKind, Member, Purpose, Reason
from router.core.quiet_hours import QuietHours

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
    starts_at_local: datetime | None = None
    """Naive: the hour on each member's own clock before which nothing comes."""


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
    trace: str = ""
    """How it came to this, for `core.trace`."""
    also: tuple[Address, ...] = ()
    """An alert goes to these as well, at the same moment."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing, for this reason."""

    reason: Reason
    trace: str = ""


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


def route(
    member: Member,
    plan: Plan,
    house: House,
    *,
    now: datetime,
    without: Set[int] = frozenset(),
    full: Set[str] = frozenset(),
) -> Deliver | Hold:
    """Decide for one member: the first address in their own order that may and can be written to in time.

    `member.addresses` come in the member's order of preference. `without` names addresses already tried (a fallback),
    `full` the channels that cannot take one more in time.
    """
    if member.erased:
        return Hold(Reason.ERASED)
    if plan.kind in _SERVICE_FOR_THOSE_WHO_SIGNED_UP and not member.signed_up:
        return Hold(Reason.NOT_SIGNED_UP)
    nearest = Reason.NO_ADDRESS
    for address in member.addresses:
        if address.id in without:
            continue
        verdict = _verdict(member, address, plan, house, now)
        if isinstance(verdict, Deliver):
            return verdict
        if _TELLING[verdict] < _TELLING[nearest]:
            nearest = verdict
    return Hold(nearest)


def _verdict(member: Member, address: Address, plan: Plan, house: House, now: datetime) -> Deliver | Reason:
    if address.channel not in (plan.group_channels if member.is_group else plan.channels):
        return Reason.NO_CHANNEL
    allowed = consent.check(address)
    if not isinstance(allowed, Allow):
        return allowed
    if barrier := _barrier(address, plan, now):
        return barrier
    at = _not_before(member, address.channel, plan, house, now)
    recipient = ANYBODY if plan.budget.free else recipient_of(member, house, now)
    # Room may come in quiet hours, and the hours after them may have none: look until both agree.
    while at < plan.expires_at:
        room = budget.earliest(
            member.purse,
            plan.budget,
            house.budget,
            channel=address.channel,
            at=at,
            until=plan.expires_at,
            recipient=recipient,
        )
        if isinstance(room, Refusal):
            return Reason(room.told.value)
        if room == at:
            return Deliver(address, at)
        at = house.quiet_hours.window(address.channel, member.zone, member.country, room).opens_at
        at = max(at, room)
    return Reason.QUIET_HOURS


def recipient_of(member: Member, house: House, now: datetime) -> Recipient:
    """What the contact budget must know of a member beside the purse."""
    joined = member.joined_at
    if joined is not None and now - joined > timedelta(milliseconds=house.budget.newcomer_ms):
        joined = None  # that is over, and most people are like this
    if joined is None and not member.said_yes and member.dial is Dial.EVERYTHING and member.paused_until is None:
        return ANYBODY
    return Recipient(
        dial=member.dial,
        paused_until=member.paused_until,
        joined_at=joined,
        joined_by=member.joined_by,
        said_yes=member.said_yes,
    )


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


def _not_before(member: Member, channel: str, plan: Plan, house: House, now: datetime) -> datetime:
    at = max(now, plan.earliest)
    if plan.starts_at_local is not None:
        at = max(at, house.quiet_hours.local_to_utc(plan.starts_at_local, member.zone, member.country))
    return max(at, house.quiet_hours.window(channel, member.zone, member.country, at).opens_at)
