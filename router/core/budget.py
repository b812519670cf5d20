"""The contact budget: how often one person may be asked, over all campaigns and channels (FACTS.md 4.0, 4.2).

The law: in *every* window of 1, 7 and 30 days, wherever it lies, the asks reserved and spent stay within the cap that
was in force when the last of them was placed, and neighbours keep their gap; asks that were deferred and lie ahead
count as well. `earliest` finds the first moment that keeps it, `book` writes it down, `pick_victim` names what may
give way. What is kept is a `Purse` (``core/purse.py``); what is allowed are `BudgetRules` (``core/budget_limits.py``).

An override by a second approver adds to every cap and skips every gap, newcomers' and dialled-down ones too, up to the
ceiling. It lifts neither a pause, nor "urgent only" for what is not urgent, nor silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from datetime import datetime

from router.core import purse as purses
from router.core.attention import ANYBODY, BudgetAsk, Dial, Recipient, Refusal
from router.core.budget_limits import BudgetRules, ChannelRules, Limits
from router.core.purse import ANSWERABLE, OVERRIDE, PERMISSION, SPENT, Purse, Slot, from_ms, to_ms

_Counted = tuple[Sequence[int], Limits]
"""Moments in order, and the limits that they keep."""

_NEVER = 1 << 62
"""Later than any moment."""


def earliest(
    purse: Purse,
    ask: BudgetAsk,
    rules: BudgetRules,
    *,
    channel: str,
    at: datetime,
    until: datetime,
    recipient: Recipient = ANYBODY,
) -> datetime | Refusal:
    """The first moment from `at` on, before `until`, with room on this channel; or why there is none.

    `at` must lie before `until`. The refusal is that of the rule that holds out longest.
    """
    if ask.free:
        return at
    dial = recipient.dial
    if dial is Dial.PAUSED:
        return Refusal.PAUSED
    if recipient.paused_until is not None and recipient.paused_until > at:
        at = recipient.paused_until
        if at >= until:
            return Refusal.PAUSED
    if ask.thread is not None and _in_thread(purse, ask, rules, at, recipient):
        return at
    if dial is Dial.URGENT_ONLY and not ask.urgent:
        return Refusal.DIAL
    if not purse.slots and not purse.quiet_since:
        return at
    begin, end = to_ms(at), to_ms(until)
    silence = _silence(purse, ask, rules, end)
    if silence is not None:
        end, verdict = silence
        if begin >= end:
            return verdict
    found = _first(purse, ask, rules, channel, recipient, begin, end)
    if found == begin:
        return at
    if isinstance(found, int):
        return from_ms(found)
    return found if silence is None else silence[1]


def book(
    purse: Purse,
    ask: BudgetAsk,
    rules: BudgetRules,
    *,
    delivery: int,
    channel: str,
    at: datetime,
    now: datetime,
    recipient: Recipient = ANYBODY,
) -> Purse:
    """`purse` with this ask reserved at `at`, which `earliest` found, and without what no rule can see any more."""
    purse = purses.forget(purse, now)
    if ask.free:
        return purse
    if ask.thread is not None and _in_thread(purse, ask, rules, at, recipient):
        return purses.follow_up(purse, ask.thread.campaign, delivery, until=to_ms(ask.thread.until))
    moment = to_ms(at)
    flags = ANSWERABLE if ask.answerable and channel not in ask.unseen else 0
    flags |= PERMISSION if ask.permission else 0
    usual = (
        _keeping(purse, ask, rules, channel, recipient, moment, moment + 1, raised=False) if ask.override else moment
    )
    if usual != moment:
        flags |= OVERRIDE
    deadline = 0 if ask.deadline is None else to_ms(ask.deadline)
    return purses.reserve(purse, Slot(moment, delivery, channel, flags, ask.priority, deadline))


def pick_victim(
    purse: Purse,
    ask: BudgetAsk,
    rules: BudgetRules,
    *,
    channel: str,
    at: datetime,
    until: datetime,
    recipient: Recipient = ANYBODY,
    without: Set[int] = frozenset(),
) -> Slot | None:
    """The reserved slot of a clearly less important ask whose giving way makes room before `until` (DESIGN.md 6, 16).

    None where there is room anyway, or where no single one would make it. `without` names deliveries that could not be
    taken, because they turned out to be on their way.
    """

    def has_room(left: Purse) -> bool:
        found = earliest(left, ask, rules, channel=channel, at=at, until=until, recipient=recipient)
        return isinstance(found, datetime)

    if not lesser(purse, ask, rules) or has_room(purse):
        return None
    return weakest(purse, ask, rules, has_room, without=without)


def lesser(purse: Purse, ask: BudgetAsk, rules: BudgetRules) -> list[Slot]:
    """The reserved slots of clearly less important asks."""
    return [slot for slot in purse.slots if not slot.flags & SPENT and slot.priority + rules.margin <= ask.priority]


def weakest(
    purse: Purse,
    ask: BudgetAsk,
    rules: BudgetRules,
    makes_room: Callable[[Purse], bool],
    *,
    without: Set[int] = frozenset(),
) -> Slot | None:
    """The first of the `lesser` slots whose purse without it `makes_room`; None where no single one does.

    The least important goes first; among equals the one with most time left to find another slot, then the latest,
    then the last to come.
    """
    for slot in sorted(lesser(purse, ask, rules), key=_worth):
        if slot.delivery not in without and makes_room(purses.refund(purse, (slot.delivery,))):
            return slot
    return None


def _worth(slot: Slot) -> tuple[int, float, int, int]:
    return slot.priority, -slot.deadline if slot.deadline else float("-inf"), -slot.at, -slot.delivery


def _in_thread(purse: Purse, ask: BudgetAsk, rules: BudgetRules, at: datetime, recipient: Recipient) -> bool:
    thread = ask.thread
    return (
        thread is not None
        and recipient.said_yes
        and at < thread.until
        and purse.followed_up(thread.campaign) < rules.follow_ups
    )


def _silence(purse: Purse, ask: BudgetAsk, rules: BudgetRules, end: int) -> tuple[int, Refusal] | None:
    """From when on this ask may not come because nobody answers, and why; None where that is not before `end`."""
    if not purse.quiet_since and purse.slots[0].at + rules.silence_ms >= end:
        return None
    since = purse.open_since()
    silent = since + rules.silence_ms
    if not since or silent >= end:
        return None
    if purse.permission_at >= silent or any(s.flags & PERMISSION and s.at >= silent for s in purse.slots):
        return silent, Refusal.LET_GO
    return None if ask.permission else (silent, Refusal.SILENT)


def _first(
    purse: Purse, ask: BudgetAsk, rules: BudgetRules, channel: str, recipient: Recipient, begin: int, end: int
) -> int | Refusal:
    """The first moment in [begin, end) that keeps every limit, in the usual way or, with an override, above it."""
    usual = _keeping(purse, ask, rules, channel, recipient, begin, end, raised=False)
    if not ask.override or usual == begin:
        return usual
    raised = _keeping(purse, ask, rules, channel, recipient, begin, end, raised=True)
    if isinstance(usual, Refusal) or isinstance(raised, Refusal):
        return raised if isinstance(usual, Refusal) else usual
    return min(usual, raised)


def _keeping(
    purse: Purse,
    ask: BudgetAsk,
    rules: BudgetRules,
    channel: str,
    recipient: Recipient,
    begin: int,
    end: int,
    *,
    raised: bool,
) -> int | Refusal:
    """`_first` for one set of limits. These change at a few moments: whoever is new stops being new, asks pile up."""
    row = rules.channels.get(channel)
    slots = purse.slots
    moments = [slot[0] for slot in slots]
    own = [slot[0] for slot in slots if slot[2] in row.covers] if row else []
    overridden = [slot[0] for slot in slots if slot[3] & OVERRIDE] if raised else []
    widened, monthly = _unanswered(purse, rules, row)
    new_until = joining_until = 0
    if recipient.joined_at is not None:
        joined = to_ms(recipient.joined_at)
        new_until = joined + rules.newcomer_ms
        followed = ask.thread.campaign if ask.thread else 0
        if recipient.joined_by and recipient.joined_by in (ask.campaign, followed):
            joining_until = joined + rules.joining_ms
    overall = rules.overall_raised if raised else rules.overall
    turned_down = 0 if recipient.dial is Dial.EVERYTHING else 2
    moment = begin
    while True:
        counted: list[_Counted] = [(moments, overall[turned_down + (joining_until <= moment < new_until)])]
        if row:
            step = (moment >= widened) + (moment >= monthly)
            counted.append((own, (row.raised if raised else row.limits)[step]))
        if raised:
            counted.append((overridden, rules.overrides))
        free, refusal = _past_limits(moment, counted)
        change = min([cut for cut in (joining_until, new_until, widened, monthly) if cut > moment], default=_NEVER)
        if free < change or change >= end:
            return free if refusal is None or free < end else refusal
        moment = change


def _unanswered(purse: Purse, rules: BudgetRules, row: ChannelRules | None) -> tuple[int, int]:
    """The moments from which on this channel's gap is widened, and from which on there is one ask in 30 days."""
    if row is None:
        return _NEVER, _NEVER
    missed = sum(n for channel, n in purse.missed if channel in row.covers)
    since = purse.answered_at
    pile = [slot[0] for slot in purse.slots if slot[3] & ANSWERABLE and slot[0] > since and slot[2] in row.covers]
    return _nth(pile, rules.widen_after - missed), _nth(pile, rules.month_after - missed)


def _nth(moments: Sequence[int], n: int) -> int:
    if n <= 0:
        return 0
    return moments[n - 1] if n <= len(moments) else _NEVER


def _past_limits(moment: int, counted: Iterable[_Counted]) -> tuple[int, Refusal | None]:
    """`moment`, or the end of what is forbidden around it, and whose limit that was.

    One more ask breaks a limit of `n` in `span` where `n` neighbours and it lie within less than `span`; so each run of
    `n` neighbours that close forbids an open interval, and what these intervals leave free is free.
    """
    refusal = None
    while True:
        before = moment
        for moments, limits in counted:
            for n, span, because in limits:
                for last in range(n - 1, len(moments)):
                    if moments[last] - moment >= span:
                        break
                    first = moments[last - n + 1]
                    if moment - first < span and moments[last] - first < span:
                        moment, refusal = first + span, because
        if moment == before:
            return moment, refusal
