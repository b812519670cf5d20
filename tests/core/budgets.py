"""What the tests of the contact budget share: the shipped rules, and times as whole hours around one Thursday."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from router.core.attention import ANYBODY, BudgetAsk, Recipient, Refusal
from router.core.budget import book, earliest
from router.core.budget_limits import rules_of
from router.core.budget_policy import read_budget
from router.core.purse import ANSWERABLE, EMPTY, SPENT, Purse, Slot, reserve, to_ms
from router.settings import load_settings, load_toml

FILE = load_toml("policy", load_settings())
SECTION = read_budget(FILE, file="policy.toml")
RULES = rules_of(SECTION)
NOW = datetime(2026, 11, 19, tzinfo=UTC)
DAY = 24


def when(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


def ms(hour: float) -> int:
    return to_ms(when(hour))


def hour_of(moment: datetime) -> float:
    return (moment - NOW) / timedelta(hours=1)


def ask(**values: Any) -> BudgetAsk:
    return BudgetAsk(**{"campaign": 1, **values})


def asked(*hours: float, channel: str = "sms", flags: int = SPENT, first: int = 1) -> Purse:
    """A purse of asks at these hours, numbered from `first`."""
    return add(EMPTY, (Slot(ms(hour), first + n, channel, flags) for n, hour in enumerate(hours)))


def add(purse: Purse, slots: Iterable[Slot]) -> Purse:
    for slot in slots:
        purse = reserve(purse, slot)
    return purse


def unanswered(*hours: float, channel: str = "sms") -> Purse:
    return asked(*hours, channel=channel, flags=SPENT | ANSWERABLE)


def find(
    purse: Purse,
    asking: BudgetAsk | None = None,
    *,
    channel: str = "sms",
    at: float = 0,
    until: float = 40 * DAY,
    who: Recipient = ANYBODY,
) -> float | Refusal:
    """`earliest`, in hours."""
    found = earliest(purse, asking or ask(), RULES, channel=channel, at=when(at), until=when(until), recipient=who)
    return hour_of(found) if isinstance(found, datetime) else found


def placed(
    purse: Purse,
    asking: BudgetAsk,
    at: float,
    *,
    delivery: int = 99,
    channel: str = "sms",
    now: float = 0,
    who: Recipient = ANYBODY,
) -> Purse:
    return book(purse, asking, RULES, delivery=delivery, channel=channel, at=when(at), now=when(now), recipient=who)
