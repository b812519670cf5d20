"""A real `Runtime` for tests: shipped rules, a real ledger, adapters where the test brings them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from channels import REGISTRY, SPECS
from router.core.keywords import KeywordTable
from router.core.launch_policy import GuardPolicy
from router.core.policy import read_policy
from router.core.quiet_hours import QuietHours
from router.core.rates import read_channel_rules
from router.core.tone_table import ToneTable
from router.limits import LocalLimits
from router.runtime import Runtime
from router.settings import Settings, load_toml
from router.signals import Signals
from router.store.engine import Store

SECRET = "a secret of the tests, long enough, and of nobody else"


_WEEK = {"day": 3, "week": 3, "month": 30}
PLAIN_BUDGET: dict[str, Any] = {
    "overall": {**_WEEK, "gap_hours": 0},
    "newcomers": {**_WEEK, "first_days": 1, "joining_campaign_days": 0},
    "unanswered": {"widen_after": 99, "widen_by": 1, "month_after": 100},
    "silence": {"days": 3650},
    "dial": {"weekly": 1},
    "urgent": {"day": 1, "week": 2, "month": 3, "ceiling": {"day": 4, "week": 5, "month": 33}, "per_member": 2},
    "thread": {"follow_ups": 4},
    "competing": {"margin": 1},
}
"""Three asks in seven days and no other rule, so that a test of something else can count on its fingers.

The shipped budget has tests of its own (``tests/core/test_budget*.py``, ``tests/store/test_budget.py``).
"""


PLAIN_GUARD: dict[str, Any] = {
    "limits": {"opt_outs": {"default": 1.0}, "complaints": 1.0, "errors": 1.0, "confidence": 0.99},
    "canary": {"above": 10**9, "hours_before_deadline": 3, "size": 1_000, "wait_minutes": 30},
    "ramp": {"above": 10**9, "shares": [0.1, 0.4], "wait_seconds": 60, "tonight_wait_seconds": 15},
}
"""Everything leaves at once and no rate of reactions stops it, for tests of something else.

The shipped guard has tests of its own (``tests/core/test_guarding.py``, ``tests/store/test_guard.py``,
``tests/e2e/test_backlash.py``).
"""


def plain_guard(shipped: GuardPolicy) -> GuardPolicy:
    """`PLAIN_GUARD` in place of the shipped limits and stages."""
    return GuardPolicy.model_validate({**shipped.model_dump(), **PLAIN_GUARD})


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> datetime:
        """Move on, as in ``clock.advance(hours=2)``."""
        self.now += timedelta(**delta)
        return self.now


def build_runtime(store: Store, **overrides: Any) -> Runtime:
    """A `Runtime` over `store`. `overrides` are fields of `Runtime` or of `Settings`, by name.

    The clock is the real one unless ``clock=Clock()`` is given; there are no channels unless ``channels=`` brings some.
    """
    options = {"secret_key": SECRET, "public_url": "https://outreach.example.org", "organization": "Tenants Together"}
    options |= {name: overrides.pop(name) for name in list(overrides) if name in Settings.model_fields}
    settings = overrides.pop("settings", None) or Settings(database_url=store.url.render_as_string(), **options)
    files = _read(settings) if settings.config else _shipped()
    fields: dict[str, Any] = {
        **files,
        "rules": dict(files["rules"]),
        "settings": settings,
        "store": store,
        "specs": SPECS,
        "kinds": REGISTRY,
        "channels": {},
        "limits": LocalLimits(),
        "signals": Signals(),
        "key": settings.secret_key.get_secret_value().encode(),
        "clock": lambda: datetime.now(UTC),
    }
    return Runtime(**{**fields, **overrides})


def _read(settings: Settings) -> dict[str, Any]:
    """What the files of the configuration say, but for budget and guard."""
    policy = read_policy({**load_toml("policy", settings), "budget": PLAIN_BUDGET})
    return {
        "policy": policy.model_copy(update={"guard": plain_guard(policy.guard)}),
        "quiet_hours": QuietHours.from_toml(load_toml("quiet_hours", settings)),
        "keywords": KeywordTable.from_toml(load_toml("keywords", settings)),
        "tone": ToneTable.from_toml(load_toml("tone", settings)),
        "rules": read_channel_rules(load_toml("channels", settings)),
    }


@cache
def _shipped() -> dict[str, Any]:
    """The shipped files, read once for all tests of a process: a third of a test's time, and nothing changes them."""
    return _read(Settings(config=""))


@contextlib.asynccontextmanager
async def running_runtime(store: Store, **overrides: Any) -> AsyncIterator[Runtime]:
    """`build_runtime`, with its channels closed at the end. The store stays open: it is its fixture's."""
    runtime = build_runtime(store, **overrides)
    try:
        yield runtime
    finally:
        for accounts in runtime.channels.values():
            for channel in accounts.values():
                await channel.aclose()
