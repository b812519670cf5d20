"""Notifications in a real Firefox: our page subscribes it, a worker sends, and Firefox itself decrypts and shows it.

The adapter posts over the router's own wire to the endpoint that Firefox was given; only the push service is ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.core.join_links import join_token
from tests.browser.autopush import Autopush
from tests.browser.firefox import FIREFOX, Firefox
from tests.support.movement import Movement, everywhere

pytestmark = pytest.mark.skipif(not FIREFOX, reason="no Firefox: install the package firefox-esr")

DECRYPTED = 100
"""What Firefox acknowledges a message with that it could read."""
_STATE = "return document.querySelector('[data-state]:not([hidden])').dataset.state"
_SHOWN = """
return navigator.serviceWorker.ready
    .then((registration) => registration.getNotifications())
    .then((shown) => shown.map(({title, body}) => ({title, body})));
"""


async def comes(firefox: Firefox, body: str, is_there: Callable[[Any], bool]) -> Any:
    """What a function on the page returns, once it is what is waited for."""
    found = await firefox.evaluate(body)
    async with asyncio.timeout(30):
        while not is_there(found):
            await asyncio.sleep(0.05)
            found = await firefox.evaluate(body)
    return found


async def subscribed(firefox: Firefox, movement: Movement, member: int) -> None:
    """A member follows their link and presses the button."""
    runtime = movement.runtime
    link = join_token(runtime.key, member, movement.clock() + timedelta(days=1))
    await firefox.goto(f"{runtime.settings.public_url}/push/{link}")
    await comes(firefox, _STATE, lambda state: state == "off")
    await firefox.click("#allow")
    await comes(firefox, _STATE, lambda state: state == "on")


async def test_firefox_reads_what_a_worker_sends(sqlite_url: str, tmp_path: Path) -> None:
    async with (
        everywhere(sqlite_url) as movement,
        Autopush() as autopush,
        Firefox.running(tmp_path / "profile", autopush.prefs) as firefox,
    ):
        [member] = await movement.add_members(1, channel="email")
        await subscribed(firefox, movement, member)
        words = {"en": {"default": {"subject": "Samstag", "text": "Kommst du, {{ first_name }}? 🎉 عشاء"}}}
        campaign = await movement.launch(texts=words, channels=["webpush"])
        await movement.work()
        [shown] = await comes(firefox, _SHOWN, bool)
        assert (shown["title"], shown["body"]) == ("Samstag", "Kommst du, Ana0? 🎉 عشاء")
        assert autopush.acknowledged == [DECRYPTED]
        assert await movement.statuses(campaign) == {"sent": 1}

        # Whoever stops gets nothing more, and the browser has no subscription left.
        await firefox.click("#stop")
        await comes(firefox, _STATE, lambda state: state == "off")
        later = await movement.launch(texts=words, channels=["webpush"])
        await movement.work()
        assert await movement.statuses(later) == {"held": 1}
        assert autopush.acknowledged == [DECRYPTED]
