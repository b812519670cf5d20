"""``outreach check``: what is set up, who we are at each provider, and what is to be mended.

Nothing is changed and nobody is written to; each account makes the cheapest call that proves its credentials.

findings    what a check can find
around      database, Redis, the public address
accounts    one account of a channel and its credentials
webhooks    how its provider reaches us
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime

from router.checks.accounts import Looking, check_account
from router.checks.around import check_database, check_public_address, check_redis
from router.checks.findings import Finding, Report
from router.core.channel import Channel, ChannelSpec
from router.core.errors import BadInput
from router.core.standing import State
from router.runtime import Runtime
from router.settings import accounts_of, missing_settings
from router.watch import list_notices, list_senders
from router.wire import HttpWire

__all__ = ["Finding", "Report", "check_installation"]


async def check_installation(
    runtime: Runtime,
    kinds: Mapping[str, type[Channel]],
    *,
    now: datetime,
    only: Collection[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Report:
    """Look at everything, or at the channels `only` and what they stand on. `kinds` are all channels by name, of which
    only those that are set up are asked for.

    Raises `BadInput` where `only` names something else.
    """
    for name in only:
        if name not in kinds:
            raise BadInput(f"is no channel; choose among {', '.join(kinds)}", place=name)
    chosen = {name: spec for name, spec in runtime.specs.items() if name in only or not only}
    accounts = {name: accounts_of(spec, environment) for name, spec in chosen.items()}
    async with HttpWire() as wire:
        looking = Looking(runtime=runtime, wire=wire, environment=environment, now=now)
        url = runtime.settings.redis_url
        database, *around = await asyncio.gather(
            check_database(runtime.store),
            check_public_address(wire, runtime.settings),
            *([check_redis(url)] if url else []),
        )
        found = await asyncio.gather(
            *(check_account(looking, kinds[name], account) for name, names in accounts.items() for account in names)
        )
    absent = [name for name, names in accounts.items() if not names]
    readable = not (database.mend or database.advice)
    senders = await list_senders(runtime) if readable else []
    return Report(
        around=(database, *around),
        accounts=(*found, *(_not_set_up(chosen[name]) for name in absent if name in only)),
        absent=tuple(name for name in absent if name not in only),
        resting=tuple(one for one in senders if one.state is State.OPEN and one.channel in chosen),
        notices=tuple(await list_notices(runtime)) if readable else (),
    )


def _not_set_up(spec: ChannelSpec) -> Finding:
    """A channel that was asked for by name, and of which the environment says nothing."""
    missing = " and ".join(missing_settings(spec, {}))
    return Finding(subject=spec.name, says="not set up", mend=(f"set {missing}; docs/connect.md says how",))
