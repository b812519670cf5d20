"""The composition root: the only module that brings channels, store and limits together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from channels import REGISTRY, SPECS
from router.accounts import open_account
from router.core.channel import Channel, ChannelSpec
from router.core.errors import BadInput
from router.core.keywords import KeywordTable
from router.core.ladder import Ladder
from router.core.policy import read_policy
from router.core.quiet_hours import QuietHours
from router.core.rates import UNTOLD, ChannelRules, read_channel_rules
from router.core.tone_table import ToneTable
from router.hosts import MayReach, public_or
from router.limits import Limits, LocalLimits
from router.metrics import Metrics
from router.runtime import Runtime
from router.settings import MAIN, Settings, accounts_of, channel_settings, environment_flag, load_toml, otlp_endpoint
from router.signals import Signals
from router.store.engine import Store
from router.traces import open_traces
from router.wire import HttpWire

log = logging.getLogger(__name__)

_SHORTEST_KEY = 32
_CONNECTIONS = 100
"""Connections of a wire beside those that channels send over: answers, look-ups, other systems."""


def utc_now() -> datetime:
    """The process's clock."""
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    environment: Mapping[str, str] | None = None,
    rules: Mapping[str, ChannelRules] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Runtime]:
    """Open everything a process needs, and close it at the end.

    `environment` and `rules` stand in for the channels' variables and ``channels.toml`` (the demo points them at the
    sandbox). Raises `BadInput` naming the setting that is wrong.
    """
    store, metrics, traces = Store(settings.database_url), Metrics(), open_traces(otlp_endpoint())
    store.took = metrics.took
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, traces.close)  # it waits for the collector
        stack.push_async_callback(store.aclose)
        key = _secret_key(settings, store)
        limits, signals, ask_redis = await _shared(settings, key, stack)
        told = rules or read_channel_rules(load_toml("channels", settings))
        most = _connections(told, environment)
        wire = await stack.enter_async_context(HttpWire(connections=most))
        careful = await stack.enter_async_context(HttpWire(connections=most, may_reach=_reachable(settings)))
        channels = _open_channels(settings, wire, careful, environment)
        for accounts in channels.values():
            for channel in accounts.values():
                stack.push_async_callback(channel.aclose)
        yield Runtime(
            settings=settings,
            store=store,
            policy=read_policy(load_toml("policy", settings)),
            quiet_hours=QuietHours.from_toml(load_toml("quiet_hours", settings)),
            keywords=KeywordTable.from_toml(load_toml("keywords", settings)),
            tone=ToneTable.from_toml(load_toml("tone", settings)),
            rules=told,
            specs=SPECS,
            kinds=REGISTRY,
            channels=channels,
            limits=limits,
            signals=signals,
            key=key,
            clock=clock,
            strangers=careful,
            ladder=Ladder.from_toml(load_toml("ladder", settings)),
            from_names=_from_names(environment),
            environment=environment,
            metrics=metrics,
            traces=traces,
            ask_redis=ask_redis,
        )


async def _shared(
    settings: Settings, key: bytes, stack: contextlib.AsyncExitStack
) -> tuple[Limits, Signals, Callable[[], Awaitable[None]] | None]:
    """Limits and signals: in Redis where one is named, because other processes need them too; else in this process."""
    if not settings.redis_url:
        return LocalLimits(), Signals(), None
    # A laptop has no Redis: its library, which brings OpenTelemetry's, is loaded where there is one.
    from router.redis_client import open_redis, ping
    from router.redis_limits import FallbackLimits, RedisLimits
    from router.redis_signals import RedisSignals

    client = await stack.enter_async_context(open_redis(settings.redis_url))
    # Two installations on one Redis share nothing.
    prefix = f"outreach:{blake2b(key, digest_size=6).hexdigest()}"
    signals = await stack.enter_async_context(RedisSignals(client, prefix=prefix))
    shared = RedisLimits(client, prefix=prefix)
    stack.push_async_callback(shared.aclose)
    limits: Limits = shared
    if settings.redis_down == "share":
        limits = FallbackLimits(limits, LocalLimits(), share=settings.redis_share)
    return limits, signals, lambda: ping(client)


def _open_channels(
    settings: Settings, wire: HttpWire, careful: HttpWire, environment: Mapping[str, str] | None
) -> dict[str, dict[str, Channel]]:
    """One adapter for each account that is set up; a half set-up one is off with one line that says what it lacks."""
    opened: dict[str, dict[str, Channel]] = {}
    for name, spec in SPECS.items():
        for account in accounts_of(spec, environment):
            try:
                over = careful if spec.strangers else wire
                adapter = open_account(REGISTRY[name], account, settings, over, environment)
            except BadInput as error:
                log.warning("channel %s (%s) is off: %s", name, account, error)
                continue
            opened.setdefault(name, {})[account] = adapter
    return opened


def _from_names(environment: Mapping[str, str] | None) -> dict[str, str]:
    """The names in From lines that the operator chose, by channel and account."""
    names: dict[str, str] = {}
    for name, spec in SPECS.items():
        for account in accounts_of(spec, environment):
            if given := channel_settings(spec, environment, account=account).get("from_name"):
                names[name if account == MAIN else f"{name}:{account}"] = given
    return names


def specs() -> list[ChannelSpec]:
    """Every channel that this program knows."""
    return list(SPECS.values())


def _connections(rules: Mapping[str, ChannelRules], environment: Mapping[str, str] | None) -> int:
    """As many as all accounts together may have requests under way at once; fewer would be a limit nobody set."""
    return _CONNECTIONS + sum(
        rules.get(name, UNTOLD).concurrency * len(accounts_of(spec, environment)) for name, spec in SPECS.items()
    )


def _reachable(settings: Settings) -> MayReach:
    """Where addresses that strangers gave us may lead: to the public Internet, and where the operator allows."""
    try:
        return public_or(settings.private_networks.replace(",", " ").split())
    except BadInput as error:
        raise BadInput(error.sentence, place="OUTREACH_PRIVATE_NETWORKS") from None


def _secret_key(settings: Settings, store: Store) -> bytes:
    """The installation's key. On a laptop (SQLite) it is made once and kept beside the ledger."""
    given = settings.secret_key.get_secret_value()
    if given:
        if len(given) < _SHORTEST_KEY:
            raise BadInput(
                f"use at least {_SHORTEST_KEY} characters; `outreach keys` makes one", place="OUTREACH_SECRET_KEY"
            )
        return given.encode()
    if not store.is_sqlite or not store.url.database:
        raise BadInput("is missing; `outreach keys` makes one. Keep it: links and suppressions depend on it",
                       place="OUTREACH_SECRET_KEY")  # fmt: skip
    path = Path(store.url.database).with_suffix(".key")
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip().encode()


def refuse_split_sqlite(settings: Settings) -> None:
    """Web and worker as separate processes must see one ledger; on machines that share no disk SQLite is not one."""
    split = settings.split_disks or environment_flag("DYNO")
    if split and settings.database_url.startswith("sqlite"):
        raise BadInput(
            "web and worker run on separate disks here, so each would have a SQLite ledger of its own; "
            "use postgresql://…, or `outreach serve` in one process",
            place="OUTREACH_DATABASE_URL",
        )
