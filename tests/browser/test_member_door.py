"""A member's whole path behind their own door, on a phone by night, without scripts; and in Arabic."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from router.core.phrases import LANGUAGES
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


@pytest.mark.parametrize(
    ("language", "direction", "colors", "seats"),
    [("ar", "rtl", "dark", "المقاعد المتبقية"), ("es", "ltr", "light", "Plazas libres")],
)
async def test_a_stranger_on_a_phone_reads_open_pages_in_their_language(
    house: House, chromium: Browser, language: str, direction: str, colors: str, seats: str
) -> None:
    looks = {"viewport": {"width": 360, "height": 800}, "color_scheme": colors, "locale": language}
    async with browser_of(chromium, house, **looks) as context:
        watch = await watched(context, house)
        for path in ("/door", "/ideas", "/open", f"/e/{house.event}"):
            await watch.page.goto(path)
            await expect(watch.page.locator("html")).to_have_attribute("lang", language)
            await expect(watch.page.locator("html")).to_have_css("direction", direction)
            assert await watch.too_wide() == [], path
            assert await watch.axe() == [], path
        await expect(watch.page.locator("dt").last).to_have_text(seats)
        await watch.page.get_by_role("link", name="Deutsch").click()
        await expect(watch.page.locator("dt").last).to_have_text("Freie Plätze")
        assert watch.faults == []


async def test_a_member_turns_the_dial_pauses_and_is_erased_without_scripts(house: House, chromium: Browser) -> None:
    [member] = await house.movement.add_members(1, channel="email")  # the others of the house are for other tests
    link = await door_link(house.movement.runtime, member, now=house.movement.clock())
    async with browser_of(chromium, house, java_script_enabled=False) as context:
        page = await context.new_page()
        await page.goto(link)
        await page.get_by_label("How much may we write?").select_option("weekly")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_have_text("Saved. It holds from now on.")
        await page.get_by_role(
            "button",
            name="Leave me in peace for 14 days",
        ).click()
        await expect(page.get_by_role("button", name="End the pause")).to_be_visible()
        await page.get_by_role("link", name="Erase me", exact=True).click()
        await page.get_by_label("This cannot be undone. Type ERASE to confirm.").fill("erase")
        await page.get_by_role("button", name="Erase me").click()
        await expect(page.locator("h1")).to_have_text(
            "Done. You are erased, and we will not write to you again. Thank you for the way we went together."
        )
        await page.goto(link)
        await expect(page.locator("h1")).to_have_text("We cannot find this page.")
