"""Databases for the faults: those that are there, fresh for each, or some of our own that may be killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.support.databases import Databases
from tests.support.postgres import admin_url
from tests.support.redis import NONE, OwnRedis, redis_url


@contextlib.contextmanager
def database() -> Iterator[str]:
    """A migrated, empty PostgreSQL database of its own, dropped at the end."""
    if admin_url() is None:
        raise Missing("PostgreSQL")
    with Databases() as databases, databases.fresh() as url:
        yield url


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A Redis of its own."""
    if OwnRedis.program() is None:
        url = redis_url()
        if url is None:
            raise Missing(NONE)
        yield url
        return
    server = OwnRedis()
    try:
        server.start()
        yield server.url
    finally:
        server.close()


class Missing(Exception):
    """Something is not on this machine, so that this fault cannot be made. The message says what."""
