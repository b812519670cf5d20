"""The web server and the receiver of an installation, in this process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from router.receive import Receiver
from router.runtime import Runtime
from router.web.app import serve_web


@contextlib.asynccontextmanager
async def serving(runtime: Runtime, *, host: str, port: int) -> AsyncIterator[str]:
    """Web server and receiver in this process; gives the address it listens on."""
    async with Receiver(runtime).running() as receiver:
        runner = await serve_web(runtime, receiver, host, port)
        try:
            bound = runner.addresses[0]
            yield f"http://{bound[0]}:{bound[1]}"
        finally:
            await runner.cleanup()
