"""Where people join: the page, the text message that a link writes for them, the QR code for a poster."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from router.core.join_links import confirm_token
from router.runtime import Runtime
from router.settings import channel_settings

CONFIRM_DAYS = 7
"""So long an address may take to confirm itself."""

_QUIET_ZONE = 4
"""Modules of white around it, without which scanners miss it (ISO/IEC 18004:2015, 6.3.8)."""


def page_link(runtime: Runtime, code: str) -> str:
    """The page with the form."""
    return f"{_base(runtime)}/join/{code}"


def confirm_link(runtime: Runtime, address_id: int, *, now: datetime) -> str:
    """The page on which an address confirms itself."""
    token = confirm_token(runtime.key, address_id, now + timedelta(days=CONFIRM_DAYS))
    return f"{_base(runtime)}/join/confirm/{token}"


def sms_link(runtime: Runtime, code: str, environment: Mapping[str, str] | None = None) -> str:
    """A link that opens a phone's messages with JOIN and the code written; "" without a number of our own.

    RFC 5724 has ``sms:+15551234567?body=…``; phones of both makers take it.
    """
    number = our_number(runtime, environment)
    return f"sms:{number}?body={quote(f'JOIN {code}')}" if number else ""


def our_number(runtime: Runtime, environment: Mapping[str, str] | None = None) -> str:
    """The first number that people can text; "" where there is none (a messaging service has no one number)."""
    for account in runtime.channels.get("sms", {}):
        found = channel_settings(runtime.specs["sms"], environment, account=account).get("from_number", "")
        if number := found.partition(",")[0].replace(" ", ""):
            return number
    return ""


def qr_svg(address: str) -> bytes:
    """A QR code as a picture that can be printed at any size. A quarter of it may be damaged and it still reads."""
    import segno  # most processes never draw one

    out = io.BytesIO()
    code = segno.make(address, error="q", micro=False)
    code.save(out, kind="svg", border=_QUIET_ZONE, scale=8, light="#ffffff", title=address)
    return out.getvalue()


def _base(runtime: Runtime) -> str:
    return runtime.settings.public_url.rstrip("/")
