"""Two receivers at once that have to do with the same people in different order: none has to begin anew."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.channel import Event, Inbound, Receipt, Received
from router.core.errors import FailureClass
from router.core.model import DeliveryRef, DeliveryStatus
from router.store.engine import Store
from tests.support.ledger import Ledger

T = TypeVar("T")
PEOPLE = 40


class Counting(Store):
    """A ledger that counts how often a transaction had to begin anew."""

    anew = 0

    async def transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        tries = itertools.count()

        async def counted(connection: AsyncConnection) -> T:
            self.anew += next(tries) > 0
            return await work(connection)

        return await super().transact(counted)


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[list[Ledger]]:
    """Two installations on one ledger; at the end none of their transactions has begun anew."""
    stores = [Counting(url), Counting(url)]
    try:
        yield [Ledger(store) for store in stores]
        assert [store.anew for store in stores] == [0, 0]
    finally:
        for store in stores:
            await store.aclose()


def replies(ledger: Ledger, senders: Sequence[str], words: str, tag: str) -> list[Event]:
    return [
        Inbound(event_id=f"{tag}-{sender}", sender=sender, recipient="+1", text=words, at=ledger.clock())
        for sender in senders
    ]


async def failures(ledger: Ledger, campaign: int) -> list[Event]:
    return [
        Receipt(
            event_id=f"failed-{row.id}", status=DeliveryStatus.FAILED, at=ledger.clock(), code="30003",
            delivery=DeliveryRef(row.month, row.id), failure=FailureClass.RECIPIENT_TRANSIENT,
        )
        for row in await ledger.rows(campaign)
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["STOP", "MORE"])
@pytest.mark.parametrize("known", [True, False], ids=["members", "strangers"])
async def test_replies_of_the_same_people_in_opposite_order(postgresql_url: str, known: bool, words: str) -> None:
    async with opened(postgresql_url) as ledgers:
        people = await ledgers[0].add_members(PEOPLE) if known else range(PEOPLE)
        phones = phones_of(people)
        for turn in range(3):
            groups = [phones, phones[::-1]]
            events = [replies(ledgers[0], group, words, f"{turn}-{place}") for place, group in enumerate(groups)]
            await together(ledgers, events)


async def test_failures_and_replies_of_the_same_people(postgresql_url: str) -> None:
    """One receiver refunds those to whom the other listens."""
    async with opened(postgresql_url) as ledgers:
        phones = phones_of(await ledgers[0].add_members(PEOPLE))
        campaigns = [await ledgers[0].launch_and_route() for _ in range(2)]
        await ledgers[0].send()
        told = [await failures(ledgers[0], campaign) for campaign in campaigns]
        events = [
            [*told[0], *replies(ledgers[0], phones[::-1], "MORE", "a")],
            [*told[1][::-1], *replies(ledgers[0], phones, "MORE", "b")],
        ]
        await together(ledgers, events)


def phones_of(people: Sequence[int]) -> list[str]:
    """As `Ledger.add_members` gives them."""
    return [f"+3363998{number % 10_000:04d}" for number in people]


async def together(ledgers: Sequence[Ledger], events: Sequence[Sequence[Event]]) -> None:
    """Let each receiver commit its events as one group, all at the same time."""
    await asyncio.gather(*(one.submit(Received(events=tuple(some))) for one, some in zip(ledgers, events, strict=True)))
