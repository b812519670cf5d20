"""Signals between the parts of a process: wake up, paused, revoked.

They only shorten waits. Whatever they say is also in the ledger and is checked there again before anything leaves,
so a lost signal costs seconds, never a wrong message.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum


class Wake(StrEnum):
    """What there may be to do."""

    PLAN = "plan"
    """Start a campaign that is due, finish one that is done."""
    ROUTE = "route"
    """A campaign is running whose audience is not routed."""
    SEND = "send"
    """A batch is open."""


class Signals:
    """In-process signals. `revoked` and `halted` are read before each single send."""

    def __init__(self) -> None:
        self._work = {work: asyncio.Event() for work in Wake}
        self.revoked: set[tuple[str, str]] = set()
        """(address hash, channel) that said STOP since this process started."""
        self.halted: set[int] = set()
        """Campaigns that were paused or cancelled."""

    def wake(self, *works: Wake) -> None:
        """There may be work of these kinds, of any where none is named: do not wait for the next poll."""
        for work in works or Wake:
            self._work[work].set()

    async def wait_for(self, work: Wake, seconds: float) -> None:
        """Wait until `wake` or until `seconds` have passed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work[work].wait(), seconds)
        self._work[work].clear()

    def revoke(self, address_hash: str, channel: str) -> None:
        """From now on nothing is sent to this address on this channel by this process."""
        self.revoked.add((address_hash, channel))

    def restore(self, address_hash: str, channel: str) -> None:
        """START: the address may be written to again."""
        self.revoked.discard((address_hash, channel))

    def halt(self, campaign_id: int) -> None:
        """Pause or cancel: stop this campaign's sends that have not started."""
        self.halted.add(campaign_id)

    def proceed(self, campaign_id: int) -> None:
        """Resume."""
        self.halted.discard(campaign_id)
        self.wake()
