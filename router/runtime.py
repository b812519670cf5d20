"""What the processes share while they run. ``app.py`` makes one `Runtime`; everybody else is handed it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.core.channel import Channel, ChannelSpec, Wire
from router.core.keywords import KeywordTable
from router.core.ladder import Ladder, default_ladder
from router.core.policy import Policy
from router.core.quiet_hours import QuietHours
from router.core.rates import UNTOLD, ChannelRules
from router.core.sealing import KeyRing, key_ring
from router.core.tone_table import ToneTable
from router.limits import Limits
from router.logs import about
from router.metrics import Metrics
from router.settings import Settings
from router.signals import Signals
from router.store.engine import Store
from router.store.sealed_addresses import Seals
from router.traces import Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The open resources and loaded rules of one process."""

    settings: Settings
    store: Store
    policy: Policy
    quiet_hours: QuietHours
    keywords: KeywordTable
    tone: ToneTable
    rules: Mapping[str, ChannelRules]
    """channel → its rates, concurrency and price, from ``config/channels.toml``."""
    specs: Mapping[str, ChannelSpec]
    """Every channel this program knows, switched on or not."""
    kinds: Mapping[str, type[Channel]] = field(default_factory=dict)
    """The same by what makes its adapters, for whoever checks an account that is not set up."""
    channels: Mapping[str, Mapping[str, Channel]]
    """channel → account → adapter; only what is set up."""
    limits: Limits
    signals: Signals
    key: bytes = field(repr=False)
    """The installation's secret: signs links and hashes addresses."""
    clock: Callable[[], datetime]
    """Aware UTC now. Called once per entry point; what lies below gets `now` as an argument."""
    ladder: Ladder = field(default_factory=default_ladder)
    """What to ask of somebody next, by what they did."""
    strangers: Wire | None = field(default=None, repr=False)
    """Connections to addresses that people gave us: never into a private network."""
    from_names: Mapping[str, str] = field(default_factory=dict)
    """``email`` or ``email:ACCOUNT`` → the name in its From line, where the operator gave it one."""
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    """What stands in for this process's variables, for what channels' settings say (the demo); None for those."""

    metrics: Metrics = field(default_factory=Metrics)
    """What this process counts."""
    traces: Traces = field(default_factory=Traces)
    ask_redis: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Raises `Unavailable` unless Redis answers; None where there is none."""

    def __post_init__(self) -> None:
        """What the ledger keeps of these channels' addresses is sealed."""
        sealed = frozenset(name for name, spec in self.specs.items() if spec.sealed_address)
        self.store.seal_with(Seals(self.ring, sealed))

    @contextlib.contextmanager
    def at(self, work: str, **about_it: str | int) -> Iterator[None]:
        """A piece of work as logs and traces tell it: what is logged within says what it is about."""
        with about(**about_it), self.traces.span(work, about_it):
            yield

    def adopt(self, policy: Policy, quiet_hours: QuietHours) -> None:
        """Other rules hold from now on (`policy_changes.keeping`): the one thing that changes in a running process.

        Whoever reads ``runtime.policy`` reads a plain attribute all the same, and has the new one the next time.
        """
        object.__setattr__(self, "policy", policy)
        object.__setattr__(self, "quiet_hours", quiet_hours)

    @property
    def ring(self) -> KeyRing:
        """What secrets in the ledger are sealed with."""
        return key_ring(self.settings.sealing_keys(self.key))

    def rules_of(self, channel: str) -> ChannelRules:
        """The rules of a channel; slow and careful ones where ``config/channels.toml`` has none for it."""
        return self.rules.get(channel, UNTOLD)
