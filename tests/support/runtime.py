"""A real `Runtime` for tests: shipped rules, a real ledger, adapters where the test brings them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from channels import REGISTRY
from router.core.keywords import KeywordTable
from router.core.policy import read_policy
from router.core.quiet_hours import QuietHours
from router.core.rates import read_channel_rules
from router.limits import LocalLimits
from router.runtime import Runtime
from router.settings import Settings, load_toml
from router.signals import Signals
from router.store.engine import Store

SECRET = "a secret of the tests, long enough, and of nobody else"


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
    fields: dict[str, Any] = {
        "settings": settings,
        "store": store,
        "policy": read_policy(load_toml("policy", settings)),
        "quiet_hours": QuietHours.from_toml(load_toml("quiet_hours", settings)),
        "keywords": KeywordTable.from_toml(load_toml("keywords", settings)),
        "rules": read_channel_rules(load_toml("channels", settings)),
        "specs": {name: channel.spec for name, channel in REGISTRY.items()},
        "channels": {},
        "limits": LocalLimits(),
        "signals": Signals(),
        "key": settings.secret_key.get_secret_value().encode(),
        "clock": lambda: datetime.now(UTC),
    }
    return Runtime(**{**fields, **overrides})


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
