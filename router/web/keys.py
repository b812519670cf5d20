"""What the web application keeps, by name."""

from __future__ import annotations

import asyncio

from aiohttp import web

from router.receive import Receiver
from router.runtime import Runtime
from router.web.auth import Guard, GuessBrake

RUNTIME = web.AppKey("runtime", Runtime)
RECEIVER = web.AppKey("receiver", Receiver)
GUARD = web.AppKey("guard", Guard)
BRAKE = web.AppKey("brake", GuessBrake)
OPENAPI = web.AppKey("openapi", bytes)
IMPORTS = web.AppKey("imports", dict[int, asyncio.Task[object]])
"""Imports under way in this process, by number."""
MAX_UPLOAD = web.AppKey("max_upload", int)
"""Bytes of the largest file that is taken."""
