"""The address of a PostgreSQL as platforms print it, and what our driver makes of it."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from router.core.errors import BadInput

STATEMENTS = 500
"""Prepared statements that a connection to PostgreSQL remembers; with the driver's 100 they push one another out."""

PLACE = "OUTREACH_DATABASE_URL"

_KEPT = frozenset({"host", "port", "ssl", "target_session_attrs", "timeout", "command_timeout"})
"""What may stand behind the ``?`` and is the driver's own (asyncpg.connect)."""

_YES_OR_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_postgres_url(url: URL) -> tuple[URL, dict[str, Any]]:
    """The same address for our driver, and what to connect with. Raises `BadInput` for an option that nobody knows.

    ``sslmode=…`` means what it means to libpq, on which platforms' addresses count. ``pgbouncer=true`` (the word that
    Prisma and Supabase use) says that a pooler in transaction mode stands in between.
    """
    options = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    pooled = _YES_OR_NO.get(options.pop("pgbouncer", "false").lower())
    if pooled is None:
        raise BadInput("say pgbouncer=true, or leave it out", place=PLACE)
    arguments: dict[str, Any] = {} if "sslmode" not in options else {"ssl": options.pop("sslmode")}
    if unknown := sorted(options.keys() - _KEPT):
        raise BadInput(f"leave out {unknown[0]}=…: it is not known here", place=PLACE)
    arguments |= _POOLED if pooled else {"prepared_statement_cache_size": STATEMENTS}
    left = {name: value for name, value in url.query.items() if name in _KEPT}
    return url.set(drivername="postgresql+asyncpg", query=left), arguments


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection through a pooler that lends a server for one transaction at a time.

    Every statement of ours is in a transaction; what SQLAlchemy asks of a new connection is not. The driver prepares
    and executes in two steps, and the second could come to another server than the first.
    """

    async def set_type_codec(self, *arguments: Any, **more: Any) -> None:
        """As the driver's, on one server."""
        async with self.transaction():
            await super().set_type_codec(*arguments, **more)


_POOLED: dict[str, Any] = {
    "connection_class": PooledConnection,
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    # The one statement without a name is forgotten with the next; named ones would pile up on the pooler's servers.
    "prepared_statement_name_func": str,
}
"""Nothing may be remembered on a server from one transaction to the next."""
