"""Read the next piece of something long while one works on this one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def one_ahead(pieces: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same pieces; the next is asked for as soon as one is handed out, and only one.

    What `pieces` reads from belongs to it until this is at its end or closed (`contextlib.aclosing`): a connection
    takes one statement at a time.
    """
    end = object()

    async def following() -> T | object:
        return await anext(pieces, end)

    coming = asyncio.create_task(following())
    try:
        while (piece := await coming) is not end:
            coming = asyncio.create_task(following())
            await asyncio.sleep(0)  # so that it begins
            yield piece  # type: ignore[misc]
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
