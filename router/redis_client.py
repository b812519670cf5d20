"""Connections to Redis, for limits and signals."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from router.core.errors import BadInput

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
