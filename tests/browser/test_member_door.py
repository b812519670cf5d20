"""A member's whole path behind their own door, on a phone by night, without scripts; and in Arabic."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from router.core.phrases import LANGUAGES, say
from router.door import door_link
from router.preferences import Wishes, set_preferences
from tests.browser.conftest import CHROMIUM, HEAVIEST, House, browser_of, watched

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install the package chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("width", "colors"), [(360, "dark"), (1280, "light")])
async def test_the_door_is_for_everybody(
    house: House, chromium: Browser, language: str, width: int, colors: str
) -> None:
    runtime, member, now = house.movement.runtime, house.members[1], house.movement.clock()
    await set_preferences(runtime, member, Wishes(locale=language), by="a test", now=now)
    link = await door_link(runtime, member, now=now)
    looks = {"viewport": {"width": width, "height": 800}, "color_scheme": colors}
    async with browser_of(chromium, house, **looks) as context:
        watch = await watched(context, house)
        for path in ("", f"/why/{house.launched}", "/erase"):
            await watch.page.goto(link + path)
            await expect(watch.page.locator("main h1")).to_be_visible()
            await expect(watch.page.locator("html")).to_have_attribute("lang", language)
            assert await watch.too_wide() == [], path
            assert await watch.axe() == [], path
        assert await watch.weight() <= HEAVIEST
        assert watch.faults == []


async def test_a_member_turns_the_dial_pauses_and_is_erased_without_scripts(house: House, chromium: Browser) -> None:
    [member] = await house.movement.add_members(1, channel="email")  # the others of the house are for other tests
    link = await door_link(house.movement.runtime, member, now=house.movement.clock())
    async with browser_of(chromium, house, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(link)
        await page.get_by_label(say("door.dial", "en")).select_option("weekly")
        await page.get_by_role("button", name=say("door.save", "en")).click()
        await expect(page.get_by_role("status")).to_have_text(say("door.saved", "en"))
        await page.get_by_role("button", name=say("door.pause_days", "en", days=14)).click()
        await expect(page.get_by_role("button", name=say("door.resume", "en"))).to_be_visible()
        await page.get_by_role("link", name=say("door.erase", "en"), exact=True).click()
        await page.get_by_label(say("door.erase_type", "en", word="ERASE")).fill("erase")
        await page.get_by_role("button", name=say("door.erase", "en")).click()
        await expect(page.locator("h1")).to_have_text(say("door.erased", "en"))
        await page.goto(link)
        await expect(page.locator("h1")).to_have_text("We cannot find this page.")
