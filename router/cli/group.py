"""What the commands of ``outreach`` have in common: consoles, settings, an open ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError

from router.app import open_runtime
from router.cli.table import err, out, outreach
from router.core.errors import BadInput
from router.loop import run
from router.runtime import Runtime
from router.settings import Settings, load_settings
from router.store.migrate import is_current, migrate

T = TypeVar("T")


def open_settings() -> Settings:
    """The settings of this process; from here on it logs as they say."""
    settings = load_settings()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel("WARNING")
    return settings


def with_runtime(work: Callable[[Runtime], Coroutine[Any, Any, T]]) -> T:
    """Do `work` with everything open. A SQLite ledger is brought up to date first; of another it must be so."""

    async def opened() -> T:
        async with open_runtime(open_settings()) as runtime:
            if not await is_current(runtime.store):
                if not runtime.store.is_sqlite:
                    raise BadInput("the ledger is not up to date; run `outreach migrate` first", place="database")
                await migrate(runtime.store)
            return await work(runtime)

    return run(opened())


def first_problem(error: ValidationError, file: str) -> BadInput:
    """What is wrong first in something that was typed or read from `file`."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return BadInput(first["msg"], place=f"{file}: {place}")


__all__ = ["err", "first_problem", "open_settings", "out", "outreach", "with_runtime"]
