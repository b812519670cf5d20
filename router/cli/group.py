"""What the commands of ``outreach`` have in common: consoles, settings, an open ledger."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError

from router.app import open_runtime, specs
from router.cli.table import err, out, outreach
from router.core.errors import BadInput
from router.logs import configure_logs
from router.loop import run
from router.policy_changes.keeping import take_rules
from router.runtime import Runtime
from router.settings import Settings, load_settings, secrets_of
from router.store.migrate import is_current, migrate

T = TypeVar("T")


def open_settings() -> Settings:
    """The settings of this process; from here on it logs as they say."""
    settings = load_settings()
    configure_logs(settings.log_level, settings.log, secrets=secrets_of(specs(), settings))
    return settings


def with_runtime(work: Callable[[Runtime], Coroutine[Any, Any, T]]) -> T:
    """Do `work` with everything open. A SQLite ledger is brought up to date first; of another it must be so."""

    async def opened() -> T:
        async with open_runtime(open_settings()) as runtime:
            if not await is_current(runtime.store):
                if not runtime.store.is_sqlite:
                    raise BadInput("the ledger is not up to date; run `outreach migrate` first", place="database")
                await migrate(runtime.store)
            await take_rules(runtime)
            return await work(runtime)

    return run(opened())


def first_problem(error: ValidationError, file: str) -> BadInput:
    """What is wrong first in something that was typed or read from `file`."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return BadInput(first["msg"], place=f"{file}: {place}")


__all__ = ["err", "first_problem", "open_settings", "out", "outreach", "with_runtime"]
