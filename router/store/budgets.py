"""The contact budget's rows: locked, reserved and refunded. The rule itself is ``core/budget.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from router.core import purse
from router.core.purse import EMPTY, Purse
from router.store.bulk import array, for_update, in_numbers, is_sqlite, numbers, plain_rows, sql


async def lock_budgets(connection: AsyncConnection, holders: Iterable[int]) -> dict[int, Purse]:
    """Read the slots of these holders and hold their rows until the transaction ends (rule 16)."""
    return {holder: purse.decode(slots) for holder, slots in (await lock_slots(connection, holders)).items()}


async def lock_people(connection: AsyncConnection, members: Iterable[int], hashes: Iterable[str]) -> None:
    """Hold the purses of these members, of the owners of these addresses and of their households.

    For transactions that have to do with several people in the order in which these came: two of them would else wait
    for each other. SQLite has one writer anyway.
    """
    wanted, at = sorted(set(members)), sorted(set(hashes))
    if is_sqlite(connection) or not (wanted or at):
        return
    rows = await connection.execute(
        sql(
            "SELECT m.id, m.household_id FROM member m JOIN (SELECT unnest(CAST(:ids AS bigint[])) AS id"
            " UNION SELECT member_id FROM address WHERE hash = ANY(CAST(:hashes AS text[]))) p ON p.id = m.id"
        ),
        {"ids": wanted, "hashes": at},
    )
    await lock_slots(connection, [holder for row in rows for holder in row if holder is not None])


async def lock_slots(connection: AsyncConnection, holders: Iterable[int]) -> dict[int, str]:
    """`lock_budgets`, with each purse as its text."""
    wanted = sorted(set(holders))
    if not wanted:
        return {}
    found = await _lock(connection, wanted)
    if len(found) == len(wanted) or is_sqlite(connection):
        return found
    # A holder without a row has nothing to lock; two campaigns would both find the budget free.
    missing = [holder for holder in wanted if holder not in found]
    made = await connection.execute(
        sql(
            "INSERT INTO contact_budget (holder) SELECT unnest(CAST(CAST(:ids AS text) AS bigint[]))"
            " ON CONFLICT DO NOTHING RETURNING holder, slots"
        ),
        {"ids": array(missing)},
    )
    found |= {row[0]: row[1] for row in plain_rows(made)}
    others = [holder for holder in missing if holder not in found]
    return {**found, **await _lock(connection, others)} if others else found


async def _lock(connection: AsyncConnection, holders: list[int]) -> dict[int, str]:
    rows = await connection.execute(
        sql(
            "SELECT holder, slots FROM contact_budget"
            f" WHERE holder BETWEEN :first AND :last AND holder {in_numbers(connection, 'ids')}"
            f" ORDER BY holder{for_update(connection)}"
        ),
        {"first": holders[0], "last": holders[-1], "ids": numbers(connection, holders)},
    )
    return {row[0]: row[1] for row in plain_rows(rows)}


async def write_budgets(connection: AsyncConnection, changed: Mapping[int, Purse]) -> None:
    """Write the slots of holders that `lock_budgets` locked."""
    await write_slots(connection, {holder: purse.encode(slots) for holder, slots in changed.items()})


async def write_slots(connection: AsyncConnection, changed: Mapping[int, str]) -> None:
    """`write_budgets`, with each purse as its text."""
    if not changed:
        return
    rows = sorted(changed.items())
    if is_sqlite(connection):
        await connection.exec_driver_sql(
            "INSERT INTO contact_budget (holder, slots) VALUES (?, ?)"
            " ON CONFLICT (holder) DO UPDATE SET slots = excluded.slots",
            rows,
        )
        return
    await connection.execute(
        sql(
            "UPDATE contact_budget b SET slots = n.slots"
            " FROM unnest(CAST(CAST(:holders AS text) AS bigint[]), CAST(:slots AS text[])) AS n (holder, slots)"
            " WHERE b.holder = n.holder AND b.holder BETWEEN :first AND :last"
        ),
        {
            "holders": array(row[0] for row in rows),
            "slots": [row[1] for row in rows],
            "first": rows[0][0],
            "last": rows[-1][0],
        },
    )


async def refund(connection: AsyncConnection, spent: Iterable[tuple[int, int]]) -> None:
    """Give back the slots of these (member, delivery) pairs. Call it only with rows that a guarded move changed."""
    by_member: dict[int, list[int]] = defaultdict(list)
    for member_id, delivery_id in spent:
        by_member[member_id].append(delivery_id)
    if not by_member:
        return
    rows = await connection.execute(
        sql(f"SELECT id, coalesce(household_id, id) AS holder FROM member WHERE id {in_numbers(connection, 'ids')}"),
        {"ids": numbers(connection, sorted(by_member))},
    )
    # A member may have joined a household since the slot was reserved: look in both purses.
    holders = {member_id: {member_id, holder} for member_id, holder in rows}
    slots = await lock_budgets(connection, (holder for both in holders.values() for holder in both))
    changed: dict[int, Purse] = {}
    for member_id, delivery_ids in by_member.items():
        for holder in holders.get(member_id, {member_id}):
            before = changed.get(holder, slots.get(holder, EMPTY))
            after = purse.refund(before, delivery_ids)
            if after is not before:
                changed[holder] = after
    await write_budgets(connection, changed)


async def note_answers(connection: AsyncConnection, answers: Mapping[int, datetime]) -> None:
    """These members answered or acted, at these moments: what they were asked no longer counts as unanswered."""
    if not answers:
        return
    rows = await _lock_purses_of(connection, answers)
    if len(rows) < len(answers) and not is_sqlite(connection):
        await _make_purses_of(connection, answers)
        rows = await _lock_purses_of(connection, answers)
    holders: dict[int, int] = {row[0]: row[1] for row in rows}
    purses = {row[1]: purse.decode(row[2]) for row in rows}
    changed: dict[int, Purse] = {}
    for member_id, at in answers.items():
        holder = holders.get(member_id)
        before = changed.get(holder, purses.get(holder, EMPTY)) if holder is not None else EMPTY
        after = purse.answered(before, at)
        if holder is not None and after is not before:
            changed[holder] = after
    await write_budgets(connection, changed)


async def _lock_purses_of(connection: AsyncConnection, members: Iterable[int]) -> Sequence[Any]:
    """(member, who holds their purse, its text) of those who have one, held until the transaction ends."""
    rows = await connection.execute(
        sql(
            "SELECT m.id, b.holder, b.slots FROM member m JOIN contact_budget b"
            f" ON b.holder = coalesce(m.household_id, m.id) WHERE m.id {in_numbers(connection, 'ids')}"
            f" ORDER BY b.holder{for_update(connection, 'b')}"
        ),
        {"ids": numbers(connection, sorted(members))},
    )
    return plain_rows(rows)


async def _make_purses_of(connection: AsyncConnection, members: Iterable[int]) -> None:
    """Without a purse there is nothing to hold against whoever asks them just now."""
    await connection.execute(
        sql(
            "INSERT INTO contact_budget (holder) SELECT DISTINCT coalesce(household_id, id) FROM member"
            f" WHERE id {in_numbers(connection, 'ids')} ORDER BY 1 ON CONFLICT DO NOTHING"
        ),
        {"ids": numbers(connection, sorted(members))},
    )
