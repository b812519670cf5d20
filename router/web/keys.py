"""What the web application keeps, by name."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from router.gauges import Gauges
from router.receive import Receiver
from router.runtime import Runtime
from router.web.auth import Guard, GuessBrake

RUNTIME = web.AppKey("runtime", Runtime)
RECEIVER = web.AppKey("receiver", Receiver)
GUARD = web.AppKey("guard", Guard)
BRAKE = web.AppKey("brake", GuessBrake)
FORM_BRAKE = web.AppKey("form_brake", GuessBrake)
"""Slows down whoever fills in form after form."""
OPENAPI = web.AppKey("openapi", bytes)
GAUGES = web.AppKey("gauges", Gauges)
IMPORTS_UNDER_WAY = web.AppKey("imports_under_way", set[asyncio.Task[Any]])
"""Imports that this process is at."""
MAX_UPLOAD = web.AppKey("max_upload", int)
"""Bytes of the largest file that is taken."""
