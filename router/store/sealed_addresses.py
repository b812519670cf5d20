"""Addresses that nobody may read in a copy of the ledger: sealed where they are written, opened here only.

Which channels' they are says `ChannelSpec.sealed_address`. Each is bound to its channel and its keyed hash, not to the
number of its row: the hash is made of the address, so the seal holds wherever merging and importing bring the two.

A `Store` hands what seals and opens to all its connections (`Store.seal_with`).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.sealing import NONCE_BYTES, CannotOpen, KeyRing, Place, is_sealed

log = logging.getLogger(__name__)

OPTION = "outreach_seals"
"""Under which a connection has them among its execution options."""


class Seals(NamedTuple):
    """What seals and opens the addresses of these channels."""

    ring: KeyRing | None
    channels: frozenset[str]

    def keep(self, channel: str, hash_: str, value: str) -> str:
        """An address as it is kept: sealed on these channels, as it is on others."""
        if self.ring is None or channel not in self.channels:
            return value
        return self.ring.seal(value, _place(channel, hash_), secrets.token_bytes(NONCE_BYTES))

    def open(self, channel: str, hash_: str, kept: str) -> str:
        """An address as its channel writes to it. Raises `CannotOpen`."""
        if self.ring is not None:
            return self.ring.open(kept, _place(channel, hash_)) if channel in self.channels else kept
        if is_sealed(kept):
            raise CannotOpen(f"what is kept at {_place(channel, hash_)} is sealed, and no key was given to open it")
        return kept


NO_SEALS = Seals(None, frozenset())


def seals_of(connection: AsyncConnection) -> Seals:
    """What seals and opens addresses on this connection; `NO_SEALS` where its store was given none."""
    assert connection.sync_connection is not None, "it is open"
    found = connection.sync_connection.get_execution_options().get(OPTION, NO_SEALS)
    assert isinstance(found, Seals)
    return found


def opener(connection: AsyncConnection, channel: str) -> Callable[[str, str], str] | None:
    """(hash, as it is kept) → address, for many addresses of one channel; None where that does not seal them.

    What cannot be opened comes back as it is kept, so that one bad address stops no others; `is_sealed` tells it. The
    log says the first.
    """
    seals = seals_of(connection)
    if channel not in seals.channels:
        return None
    shut = False

    def open_one(hash_: str, kept: str) -> str:
        nonlocal shut
        try:
            return seals.open(channel, hash_, kept)
        except CannotOpen as error:
            if not shut:
                log.error("addresses of %s are shut: %s", channel, error)
            shut = True
            return kept

    return open_one


def _place(channel: str, hash_: str) -> Place:
    return Place("address", "value", (channel, hash_))
