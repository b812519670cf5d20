"""A purse: what one person, or one household, has been asked of late. Plain data and how it is kept as text.

Times are whole milliseconds since 1970 UTC. A *slot* is one ask; it counts from the moment it is reserved, whether its
time has come or lies ahead, and is given back once, only where the ask surely reached nobody (DESIGN.md 6, rule 15).
Slots are forgotten after 30 days, the longest window there is; what longer rules need is kept as counters. Nothing in
here is personal: a household shares one purse. Every function returns a new purse, or the same one where it changes
nothing. The rules are in ``core/budget.py``.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

DAY_MS = 86_400_000
KEPT_MS = 30 * DAY_MS
"""Older slots are out of every window."""

SPENT, ANSWERABLE, OVERRIDE, PERMISSION = 1, 2, 4, 8
"""What `Slot.flags` is made of: the provider took it or may have taken it; an answer could be seen; it went over the
normal caps; it asked whether to go on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Slot(NamedTuple):
    """One ask in a purse. `priority` and `deadline` (0: none) are those of its ask, kept until it is spent."""

    at: int
    delivery: int
    channel: str
    flags: int = 0
    priority: int = 0
    deadline: int = 0


class FollowUps(NamedTuple):
    """The deliveries of one campaign's thread that were free, until its deadline."""

    campaign: int
    until: int
    deliveries: tuple[int, ...]


class Purse(NamedTuple):
    """`slots` in order of time; the rest is what is left of slots that were forgotten, and of answers."""

    slots: tuple[Slot, ...] = ()
    threads: tuple[FollowUps, ...] = ()
    missed: tuple[tuple[str, int], ...] = ()
    """channel → answerable asks without an answer since, among the forgotten."""
    quiet_since: int = 0
    """The first of these, 0 where there is none."""
    permission_at: int = 0
    """The last forgotten ask for permission to go on."""
    answered_at: int = 0
    """The last answer or action that ended a silence."""

    def open_since(self) -> int:
        """The first ask that could have been answered and was not, since the last answer; 0 where there is none."""
        if self.quiet_since:
            return self.quiet_since
        return next((slot.at for slot in self.slots if slot.flags & ANSWERABLE and slot.at > self.answered_at), 0)

    def followed_up(self, campaign: int) -> int:
        """How many free follow-ups of this campaign there were."""
        return next((len(thread.deliveries) for thread in self.threads if thread.campaign == campaign), 0)


EMPTY = Purse()


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """What `to_ms` counted, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def reserve(purse: Purse, slot: Slot) -> Purse:
    """One slot more."""
    slots = purse.slots
    place = bisect(slots, slot)
    return Purse((*slots[:place], slot, *slots[place:]), *purse[1:])


def follow_up(purse: Purse, campaign: int, delivery: int, *, until: int) -> Purse:
    """One free follow-up more."""
    ours = [thread for thread in purse.threads if thread.campaign == campaign]
    deliveries = tuple(sorted([*(number for thread in ours for number in thread.deliveries), delivery]))
    thread = FollowUps(campaign, max([until, *(known.until for known in ours)]), deliveries)
    others = (known for known in purse.threads if known.campaign != campaign)
    return purse._replace(threads=tuple(sorted((*others, thread))))


def spend(purse: Purse, deliveries: Iterable[int]) -> Purse:
    """The provider took these, or may have taken them: nobody takes their slots any more."""
    sent = frozenset(deliveries)
    if not any(slot.delivery in sent and not slot.flags & SPENT for slot in purse.slots):
        return purse
    slots = (
        Slot(slot.at, slot.delivery, slot.channel, slot.flags | SPENT) if slot.delivery in sent else slot
        for slot in purse.slots
    )
    return purse._replace(slots=tuple(sorted(slots)))


def refund(purse: Purse, deliveries: Iterable[int]) -> Purse:
    """These surely reached nobody. Refunding twice is the same as refunding once."""
    gone = frozenset(deliveries)
    slots = tuple(slot for slot in purse.slots if slot.delivery not in gone)
    threads = purse.threads
    if any(number in gone for thread in threads for number in thread.deliveries):
        left = (thread._replace(deliveries=tuple(n for n in thread.deliveries if n not in gone)) for thread in threads)
        threads = tuple(thread for thread in left if thread.deliveries)
    if len(slots) == len(purse.slots) and threads is purse.threads:
        return purse
    return purse._replace(slots=slots, threads=threads)


def answered(purse: Purse, at: datetime) -> Purse:
    """Any answer or action: what was asked until then no longer counts as unanswered, on no channel."""
    moment = to_ms(at)
    since = purse.open_since()
    if not since or since > moment:
        return purse
    return purse._replace(missed=(), quiet_since=0, permission_at=0, answered_at=moment)


def forget(purse: Purse, now: datetime) -> Purse:
    """Without what no window can see at `now` or later; its unanswered asks stay as counters."""
    slots, threads = purse.slots, purse.threads
    if not slots and not threads:
        return purse
    moment = to_ms(now)
    before = moment - KEPT_MS
    if any(thread.until <= moment for thread in threads):
        purse = purse._replace(threads=tuple(thread for thread in threads if thread.until > moment))
    if not slots or slots[0].at > before:
        return purse
    old = [slot for slot in slots if slot.at <= before]
    unanswered = [slot for slot in old if slot.flags & ANSWERABLE and slot.at > purse.answered_at]
    missed = Counter(dict(purse.missed)) + Counter(slot.channel for slot in unanswered)
    asked = [slot.at for slot in old if slot.flags & PERMISSION]
    return purse._replace(
        slots=slots[len(old) :],
        missed=tuple(sorted(missed.items())),
        quiet_since=purse.quiet_since or (unanswered[0].at if unanswered else 0),
        permission_at=max((purse.permission_at, *asked)),
    )


def merge(one: Purse, other: Purse) -> Purse:
    """Two purses that turn out to be one household's, or one person's. An answer by either counts for both."""
    answered_at = max(one.answered_at, other.answered_at)
    slots: dict[int, Slot] = {}
    for slot in sorted((*one.slots, *other.slots)):
        known = slots.get(slot.delivery)
        slots[slot.delivery] = slot if known is None or not known.flags & SPENT else known
    purse = Purse(slots=tuple(sorted(slots.values())), answered_at=answered_at)
    numbers: dict[int, set[int]] = {}
    for thread in (*one.threads, *other.threads):
        for number in thread.deliveries:
            if number not in numbers.setdefault(thread.campaign, set()):
                numbers[thread.campaign].add(number)
                purse = follow_up(purse, thread.campaign, number, until=thread.until)
    quiet = [side for side in (one, other) if side.quiet_since > answered_at]
    missed: Counter[str] = Counter()
    for side in quiet:
        missed |= Counter(dict(side.missed))
    return purse._replace(
        missed=tuple(sorted(missed.items())),
        quiet_since=min((side.quiet_since for side in quiet), default=0),
        permission_at=max((side.permission_at for side in (one, other) if side.permission_at > answered_at), default=0),
    )


_json = json.JSONEncoder(separators=(",", ":")).encode

NOTHING = "[]"
"""An empty purse as text."""


def encode(purse: Purse) -> str:
    """As it is kept in ``contact_budget.slots``: ``1764000000000 sms 2;…{…}|17,…``.

    Before the last ``|`` stands all that decides: each slot's moment, channel, flags and, where it has any, priority
    and deadline; then, where there is more to keep, an object of counters. After it stand the numbers of the slots'
    deliveries, in the same order.
    """
    if purse == EMPTY:
        return NOTHING
    slots = ";".join([_row(*slot) for slot in purse.slots])
    numbers = ",".join([str(slot[1]) for slot in purse.slots])
    if purse[1:] == EMPTY[1:]:
        return f"{slots}|{numbers}"
    counters = {
        "threads": purse.threads,
        "missed": dict(purse.missed),
        "quiet_since": purse.quiet_since,
        "permission_at": purse.permission_at,
        "answered_at": purse.answered_at,
    }
    return f"{slots}{_json({name: value for name, value in counters.items() if value})}|{numbers}"


def _row(at: int, _delivery: int, channel: str, flags: int, priority: int, deadline: int) -> str:
    return f"{at} {channel} {flags} {priority} {deadline}" if priority or deadline else f"{at} {channel} {flags}"


def decode(text: str) -> Purse:
    """What `encode` wrote, and the JSON of older ledgers, in whose oldest form every ask counts as spent."""
    if text == NOTHING:
        return EMPTY
    if text[-1] in "]}":
        return _decode_json(text)
    pattern, _, numbers = text.rpartition("|")
    rows, brace, counters = pattern.partition("{")
    slots = []
    for row, number in zip(rows.split(";"), numbers.split(","), strict=True) if rows else ():
        at, channel, *others = row.split(" ")
        slots.append(Slot(int(at), int(number), channel, *map(int, others)))
    return _with_counters(slots, json.loads(brace + counters) if brace else {})


def _decode_json(text: str) -> Purse:
    data: Any = json.loads(text)
    rows, counters = (data, {}) if isinstance(data, list) else (data.get("slots", ()), data)
    return _with_counters(
        [Slot(*row) if len(row) > 3 else Slot(row[0], row[1], row[2], SPENT) for row in rows], counters
    )


def _with_counters(slots: list[Slot], counters: Mapping[str, Any]) -> Purse:
    slots.sort()
    if not counters:
        return Purse(tuple(slots))
    return Purse(
        slots=tuple(slots),
        threads=tuple(
            FollowUps(campaign, until, tuple(numbers)) for campaign, until, numbers in counters.get("threads", ())
        ),
        missed=tuple(sorted(counters.get("missed", {}).items())),
        quiet_since=counters.get("quiet_since", 0),
        permission_at=counters.get("permission_at", 0),
        answered_at=counters.get("answered_at", 0),
    )
