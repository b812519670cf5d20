"""Members who propose, second and report, for the tests of asks from below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.community.proposals.model import Said, Who
from router.community.proposals.seconding import report, second, withdraw
from router.community.proposals.submitting import propose
from router.core.phrases import LANGUAGES, say
from router.store.engine import Store
from router.store.tables import proposal
from tests.support.ledger import Ledger

IDEA = "Let us plant trees in the harbour street"


def who(member_id: int, **more: Any) -> Who:
    """A member, writing from an address that nobody else has."""
    return Who(**{"member_id": member_id, "address_hash": f"hash of {member_id}"[:22], **more})


async def proposes(
    ledger: Ledger, member_id: int, words: str = IDEA, *, store: Store | None = None, **more: Any
) -> Said:
    """They propose that."""
    ids = await ledger.store.take_ids(2)

    async def work(connection: AsyncConnection) -> Said:
        said = who(member_id, **more)
        return await propose(ledger.runtime, connection, said, words, iter(ids), now=ledger.clock())

    return _sayable(await (store or ledger.store).transact(work))


async def seconds(ledger: Ledger, member_id: int, number: int = 1, *, store: Store | None = None, **more: Any) -> Said:
    """They second that idea."""

    async def work(connection: AsyncConnection) -> Said:
        return await second(ledger.runtime, connection, who(member_id, **more), number, now=ledger.clock())

    return _sayable(await (store or ledger.store).transact(work))


async def all_second(ledger: Ledger, members: Sequence[int], number: int = 1, **more: Any) -> None:
    """Each of them seconds it, one after the other."""
    for member_id in members:
        await seconds(ledger, member_id, number, **more)


async def reports(
    ledger: Ledger, member_id: int, number: int = 1, reason: str = "", *, store: Store | None = None, **more: Any
) -> Said:
    """They report it."""

    async def work(connection: AsyncConnection) -> Said:
        return await report(ledger.runtime, connection, who(member_id, **more), number, reason, now=ledger.clock())

    return _sayable(await (store or ledger.store).transact(work))


async def withdraws(ledger: Ledger, member_id: int, number: int = 1) -> Said:
    """They take it back."""

    async def work(connection: AsyncConnection) -> Said:
        return await withdraw(ledger.runtime, connection, who(member_id), number, now=ledger.clock())

    return _sayable(await ledger.store.transact(work))


def _sayable(said: Said) -> Said:
    """It has words in every language, and all that fills them."""
    for language in LANGUAGES:
        assert say(said.phrase, language, organization="Tenants Together", **said.values)
    return said


async def the_idea(ledger: Ledger, number: int = 1) -> Any:
    """An idea's row."""
    async with ledger.store.read() as connection:
        return (await connection.execute(select(proposal).where(proposal.c.number == number))).one()


async def change(ledger: Ledger, number: int = 1, **columns: Any) -> None:
    """An idea as it would be later."""
    async with ledger.store.write() as connection:
        await connection.execute(proposal.update().where(proposal.c.number == number).values(**columns))
