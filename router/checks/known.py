"""How every channel stands, by what is known here already: nobody is asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import func, select

from router.core.channel import ChannelSpec
from router.core.model import AskKind, DeliveryStatus
from router.runtime import Runtime
from router.settings import accounts_of, channel_settings, missing_settings
from router.store.tables import campaign, tally
from router.watch import SenderView, list_senders

LATEST = 20
"""Campaigns whose failures are counted."""


class KnownAccount(NamedTuple):
    """One account of a channel."""

    name: str
    is_on: bool
    """Whether this process has it open."""
    missing: list[str]
    """Variables that it still lacks, by name."""


class KnownChannel(NamedTuple):
    """One channel, whether or not it is set up."""

    spec: ChannelSpec
    accounts: list[KnownAccount]
    """Those of which the environment says anything."""
    missing: list[str]
    """Variables that its first account needs, where it has none yet."""
    senders: list[SenderView]
    """Those that were ever out of the ordinary."""
    failures: list[tuple[str, int]]
    """What failed in the latest campaigns: why, and how often."""

    @property
    def is_on(self) -> bool:
        """Whether anything can leave by it."""
        return any(account.is_on for account in self.accounts)


async def known_channels(runtime: Runtime, *, environment: Mapping[str, str] | None = None) -> list[KnownChannel]:
    """All channels that this program knows, those first that are set up."""
    senders, failures = await list_senders(runtime), await _failures(runtime)
    found = [
        KnownChannel(
            spec,
            _accounts(runtime, spec, environment),
            missing_settings(spec, {}),
            [sender for sender in senders if sender.channel == name],
            failures.get(name, []),
        )
        for name, spec in runtime.specs.items()
    ]
    return sorted(found, key=lambda one: (not one.is_on, not one.accounts))


def _accounts(runtime: Runtime, spec: ChannelSpec, environment: Mapping[str, str] | None) -> list[KnownAccount]:
    running = runtime.channels.get(spec.name, {})
    told = accounts_of(spec, environment)
    return [
        KnownAccount(
            name,
            name in running,
            []
            if name in running
            else missing_settings(spec, channel_settings(spec, environment, account=name), account=name),
        )
        for name in dict.fromkeys([*told, *running])
    ]


async def _failures(runtime: Runtime) -> dict[str, list[tuple[str, int]]]:
    latest = (
        select(campaign.c.id)
        .where(campaign.c.kind != AskKind.REPLY.value)
        .order_by(campaign.c.id.desc())
        .limit(LATEST)
        .subquery()
    )
    number = func.sum(tally.c.count)
    query = (
        select(tally.c.channel, tally.c.reason, number)
        .where(tally.c.campaign_id.in_(select(latest.c.id)), tally.c.status == DeliveryStatus.FAILED.value)
        .group_by(tally.c.channel, tally.c.reason)
        .having(number > 0)
        .order_by(number.desc())
    )
    found: dict[str, list[tuple[str, int]]] = {}
    async with runtime.store.read() as connection:
        for channel, reason, number in await connection.execute(query):
            found.setdefault(channel, []).append((reason.replace("_", " ") or "no reason was given", int(number)))
    return found
