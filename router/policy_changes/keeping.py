"""Which rules this process obeys: settled with the ledger when it starts, looked at again once a minute.

The ledger decides, so that all processes agree and a change that falls due needs no restart. Where the files of two
machines differ, each obeys the stricter of its own and the ledger's, and the operator is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.changes_policy import ChangesPolicy
from router.core.errors import BadInput, Unavailable
from router.core.policy_changes import Settlement, Standing, come_due, in_process, settle, strays
from router.core.policy_values import FILES, Values, kept, rules_from, values_of
from router.core.policy_words import short
from router.policy_changes.book import (
    Numbers,
    anybody_was_asked,
    lock_rules,
    read_standing,
    write_due,
    write_settlement,
)
from router.policy_changes.voices import count_reachable, count_voices
from router.runtime import Runtime
from router.settings import Settings, load_toml
from router.store.notices import clear, notify
from router.store.tables import notice

log = logging.getLogger(__name__)

LOOK = 60.0
"""Seconds between looks at what is in force."""

NOTICE = "policy"
"""The kind of what the operator is told."""


@dataclass(frozen=True, slots=True)
class OwnRules:
    """The values of this process's files."""

    apart: Values
    """Those that hold as they stand here."""
    kept: Values
    """Those that the ledger has a word in."""

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Raises `BadInput` where a file cannot be used."""
        values = values_of({name: load_toml(name, settings) for name in FILES})
        rules_from(values)
        own = kept(values)
        return cls({key: value for key, value in values.items() if key not in own}, own)

    def stands(self, values: Values) -> bool:
        """Whether these values make rules together with the rest of the files."""
        try:
            rules_from({**self.apart, **values})
        except BadInput:
            return False
        return True


class Keeper:
    """Keeps the rules of one process as the ledger has them."""

    def __init__(self, runtime: Runtime, own: OwnRules | None = None) -> None:
        self._runtime = runtime
        self._own = own or OwnRules.read(runtime.settings)
        self._obeyed: Mapping[str, Any] | None = None
        self._told: set[str] = set()

    async def take(self) -> None:
        """Obey what is in force; the ledger is only read. Raises `BadInput` where that cannot stand."""
        async with self._runtime.store.read() as connection:
            standing = await read_standing(connection)
        self._obey(standing)

    async def begin(self, *, now: datetime) -> None:
        """Settle with the ledger what these files change, then obey it: for a process that starts to serve."""
        standing = await self._decide(now, files=True)
        async with self._runtime.store.read() as connection:
            told = await _open_notices(connection)
        agreed = [key for key in sorted(told) if standing.in_force.get(key) == self._own.kept.get(key)]
        if agreed:
            async with self._runtime.store.write() as connection:
                for key in agreed:
                    await clear(connection, NOTICE, key, now=now)

    async def look(self, *, now: datetime) -> None:
        """Obey what took effect since, and tell the operator where files differ."""
        await self._tell_strays(await self._decide(now, files=False), now)

    async def _decide(self, now: datetime, *, files: bool) -> Standing:
        async with self._runtime.store.read() as connection:
            standing = await read_standing(connection)
            plan = self._plan(standing, free=not await anybody_was_asked(connection)) if files else Settlement()
        if plan or any(one.effective_at <= now for one in standing.announced.values()):
            # Each key is written of three times at most: withdrawn, announced, in force.
            numbers = await self._runtime.store.take_ids(4 * len({*standing.in_force, *self._own.kept}) + 1)

            async def work(connection: AsyncConnection) -> Standing:
                return await self._write(connection, Numbers(numbers), now, files=files)

            standing = await self._runtime.store.transact(work)
        self._obey(standing)
        return standing

    async def _write(self, connection: AsyncConnection, numbers: Numbers, now: datetime, *, files: bool) -> Standing:
        await lock_rules(connection)
        standing = await read_standing(connection)
        if files:
            plan = self._plan(standing, free=not await anybody_was_asked(connection))
            ahead = self._changes(standing).notice
            await write_settlement(connection, standing, self._own.kept, plan, ahead=ahead, numbers=numbers, now=now)
            standing = await read_standing(connection)
        due = [key for key, one in standing.announced.items() if one.effective_at <= now]
        refused = await self._refused(connection, standing, due) if due else {}
        yes, no = come_due(standing, now, refused=refused.__getitem__, stands=self._own.stands)
        await write_due(connection, standing, yes, no, numbers=numbers, now=now)
        for key in no:
            sentence = f"Members refused {key} = {short(standing.announced[key].value)}. Put it back in the file."
            await notify(connection, NOTICE, key, sentence, now=now)
        for key in sorted({*due} - {*yes, *no} - await _open_notices(connection)):
            sentence = f"{key} cannot take effect: it contradicts other rules that are in force. Put it back."
            await notify(connection, NOTICE, key, sentence, now=now)
        return await read_standing(connection) if due else standing

    def _plan(self, standing: Standing, *, free: bool) -> Settlement:
        return settle(standing, self._own.kept, free=free or not standing.in_force, stands=self._own.stands)

    def _changes(self, standing: Standing) -> ChangesPolicy:
        """How changes come about by the rules in force."""
        values = {**self._own.kept, **standing.in_force}
        return ChangesPolicy.model_validate(
            {name: values[f"policy.changes.{name}"] for name in ChangesPolicy.model_fields}
        )

    async def _refused(self, connection: AsyncConnection, standing: Standing, due: list[str]) -> dict[str, bool]:
        rules, voices = self._changes(standing), await count_voices(connection)
        reachable = await count_reachable(connection)
        return {key: rules.stops(**voices.get(key, _NONE), reachable=reachable) for key in due}

    def _obey(self, standing: Standing) -> None:
        """Put the rules into the runtime, the one place from which everything reads them."""
        if not standing.in_force:
            return  # never started to serve: the files hold
        values = in_process(standing.in_force, self._own.kept, stands=self._own.stands)
        if values == self._obeyed:
            return
        policy, quiet_hours = rules_from({**self._own.apart, **values})
        if self._obeyed is not None:
            log.info("rules in force have changed: %s", ", ".join(_changed(self._obeyed, values)))
        self._runtime.adopt(policy, quiet_hours)
        self._obeyed = values

    async def _tell_strays(self, standing: Standing, now: datetime) -> None:
        """A notice for each value in which our files differ from another process's; gone once they agree."""
        found = set(strays(standing, self._own.kept))
        if not found and not self._told:
            return

        async def tell(connection: AsyncConnection) -> None:
            open_ = await _open_notices(connection)
            for key in sorted(found - open_):
                own, other = short(self._own.kept.get(key)), short(standing.in_force.get(key))
                await notify(
                    connection, NOTICE, key,
                    f"{key} is {own} in the files of one process and {other} by those of another. The stricter holds."
                    " Give all of them the same files, and start them again.", now=now,
                )  # fmt: skip
            for key in sorted(self._told - found):
                await clear(connection, NOTICE, key, now=now)

        await self._runtime.store.transact(tell)
        self._told = found


async def _open_notices(connection: AsyncConnection) -> set[str]:
    query = select(notice.c.subject).where(notice.c.kind == NOTICE, notice.c.cleared_at.is_(None))
    return set((await connection.execute(query)).scalars())


_NONE = {"seconds": 0, "objections": 0}


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


async def take_rules(runtime: Runtime) -> None:
    """For a command: obey what is in force. Raises `BadInput`."""
    await Keeper(runtime).take()


@contextlib.asynccontextmanager
async def keeping_rules(runtime: Runtime) -> AsyncIterator[None]:
    """For a process that serves: settle what its files change, then follow the ledger. Raises `BadInput`."""
    keeper = Keeper(runtime)
    await keeper.begin(now=runtime.clock())
    task = asyncio.create_task(_look_again(runtime, keeper))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look_again(runtime: Runtime, keeper: Keeper) -> None:
    while True:
        await asyncio.sleep(LOOK)
        try:
            await keeper.look(now=runtime.clock())
        except (Unavailable, BadInput) as error:
            log.warning("the rules stay as they are: %s", error)
