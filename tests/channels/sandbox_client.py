"""How the tests post to the simulated Twilio."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import aiohttp

from channels.sandbox import Knobs, Sandbox
from channels.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER

PHONE = "+12025550123"
QUICK = Knobs(receipt_delay=0.001, reply_delay=0.001, callback_pause=0.02)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{name}:{password}".encode()).decode()}


async def post(
    http: aiohttp.ClientSession, sandbox: Sandbox, *, auth: tuple[str, str] = (ACCOUNT_SID, AUTH_TOKEN), **form: str
) -> tuple[int, dict[str, Any]]:
    form = {"To": PHONE, "From": FROM_NUMBER, "Body": "Come on Saturday"} | form
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    async with http.post(url, data=form, headers=basic(*auth)) as response:
        return response.status, await response.json()
