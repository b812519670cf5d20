"""Connections of a pool that rested are asked whether they are alive before they are used."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine

BELIEVED = 5.0
"""Seconds for which a connection that was just used is believed to be alive. To ask takes three round trips, and a
blast takes a connection a hundred times a second."""


def ask_the_rested(engine: AsyncEngine) -> None:
    """Replace connections that died while nobody used them, where `pool_pre_ping` would ask at each use."""
    pool, dialect = engine.sync_engine, engine.dialect
    errors = (dialect.loaded_dbapi.Error, OSError)

    @event.listens_for(pool, "checkin")
    def rest(_: Any, record: Any) -> None:
        record.info["since"] = time.monotonic()

    @event.listens_for(pool, "checkout")
    def ask(connection: Any, record: Any, _: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("it was closed by the other side")
        if time.monotonic() - record.info.get("since", time.monotonic()) <= BELIEVED:
            return
        try:
            dialect.do_ping(connection)
        except errors as error:
            raise DisconnectionError("it does not answer any more") from error
