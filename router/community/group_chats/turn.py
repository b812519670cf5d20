"""One message or button in a group's chat, and what a handler of it may use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.turn import Asked
from router.core.address import address_hash
from router.core.channel import Inbound
from router.core.keywords_intent import Intent
from router.core.phrases import say
from router.owners import Owner
from router.runtime import Runtime
from router.store.tallies import Moves


class Group(NamedTuple):
    """A group's chat that we know."""

    id: int
    """Its number as a member of kind group."""
    address_id: int
    account: str
    """The only account that can post there, "" for any."""
    locale: str
    title: str
    is_open: bool
    """Whether we may post there now."""


@dataclass(slots=True, kw_only=True)
class GroupTurn:
    """It runs inside the group commit's transaction: quick, and nothing but the ledger."""

    runtime: Runtime
    connection: AsyncConnection
    channel: str
    account: str
    event: Inbound
    inbound_id: int
    group: Group
    person_hash: str
    """The keyed hash of the address of who wrote or pressed."""
    owners: Sequence[Owner]
    """Who of our members that is; empty for somebody we do not know."""
    intent: Intent
    asked: Asked | None
    """What the post asks that they answered; None where it is no answer to a post."""
    ids: Iterator[int]
    moves: Moves
    now: datetime

    def say(self, phrase: str, /, **values: object) -> str:
        """A phrase in the group's language; ``{organization}`` is filled in."""
        return say(phrase, self.group.locale, organization=self.runtime.settings.organization, **values)


async def find_group(runtime: Runtime, connection: AsyncConnection, channel: str, value: str) -> Group | None:
    """The group whose chat this is: by the topic (``-100123/45``) where that has an address of its own, else by the
    chat that the topic belongs to. None for a chat that is in no group of ours.

    A topic is open where its chat is: it has no consent of its own, unless an organizer entered it by itself.
    """
    kind = runtime.specs[channel].address_kind
    found: list[Row[Any]] = []
    for address in dict.fromkeys((value, value.partition("/")[0])):
        row = (
            await connection.execute(
                text(
                    "SELECT m.id, a.id AS address_id, a.account, m.locale, m.first_name, a.state, a.consent"
                    " FROM address a JOIN member m ON m.id = a.member_id"
                    " WHERE a.hash = :hash AND a.channel = :channel AND m.kind = 'group' AND m.erased_at IS NULL"
                ),
                {"hash": address_hash(runtime.key, kind, address), "channel": channel},
            )
        ).first()
        if row is not None and (not found or row.id == found[0].id):
            found.append(row)
    if not found:
        return None
    group = found[0]
    is_open = all(row.state == "active" for row in found) and any(row.consent == "granted" for row in found)
    return Group(group.id, group.address_id, group.account, group.locale, group.first_name, is_open)
