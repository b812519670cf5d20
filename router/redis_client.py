"""Connections to Redis, for limits and signals."""

from __future__ import annotations

import asyncio

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from router.core.errors import BadInput, Unavailable

TIMEOUT = 1.0
"""Seconds that one call may take, connecting included."""

_CONNECTIONS = 32


def open_redis(url: str) -> Redis:
    """A client for ``redis://``, ``rediss://`` or ``unix://``; ``async with`` it. It connects with its first call.

    It never repeats a call by itself: a `take` whose answer was lost may have been granted. Raises `BadInput` where
    `url` cannot be one.
    """
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=TIMEOUT,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError:
        raise BadInput("use redis://host:6379/0, or rediss:// with TLS", place="OUTREACH_REDIS_URL") from None
    return Redis.from_pool(pool)


def at_node(client: Redis, host: str, port: int) -> Redis:
    """A client as this one, to another node of the same cluster. Close it with ``aclose``."""
    pool = client.connection_pool
    about = {**pool.connection_kwargs, "host": host, "port": port}
    return Redis.from_pool(
        BlockingConnectionPool(
            connection_class=pool.connection_class, max_connections=_CONNECTIONS, timeout=TIMEOUT, **about
        )
    )


async def ping(client: Redis) -> None:
    """Raises `Unavailable` unless Redis answers within `TIMEOUT`."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await client.ping()
    except (RedisError, OSError) as error:
        raise Unavailable("Redis does not answer") from error
