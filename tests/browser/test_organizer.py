"""An organizer's whole path, with the keyboard alone: invited, writes an ask, has it approved, watches it go out."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from router.core.roles import Role
from router.curves import keep_curves
from router.office.invitations import invite
from tests.browser.conftest import CHROMIUM, House, browser_of, watched
from tests.support.office import PASSWORD
from tests.support.settling import jump, working

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install the package chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

TITLE = "Dinner <img src=x onerror=alert(1)>"
WORDS = "Hi {{ first_name | default('you') }}, dinner on Thursday? <script>alert(1)</script> Reply YES or STOP"
FARTHEST = 120
"""How often Tab is pressed before something counts as out of reach."""


async def reach(page: Page, wanted: Locator) -> None:
    """Go to something with the Tab key, as somebody does who has no mouse."""
    await expect(wanted).to_be_visible()
    for _ in range(FARTHEST):
        if await wanted.evaluate("one => one === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {wanted}")


async def press(page: Page, name: str) -> None:
    """Reach a button or a link by its name and press it; the next page is there when this returns."""
    wanted = page.get_by_role("button", name=name, exact=True).or_(page.get_by_role("link", name=name, exact=True))
    await reach(page, wanted.first)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def write(page: Page, label: str, words: str) -> None:
    """Reach a field by its label and type into it."""
    await reach(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(words)


async def comes_in(page: Page, house: House, name: str, role: Role) -> None:
    """Follow an invitation's link and choose a password."""
    runtime = house.movement.runtime
    link = await invite(runtime, role=role, by="Ada Byron", now=house.movement.clock())
    await page.goto(f"/office/welcome/{link}")
    await write(page, "Your name", name)
    await write(page, "A password", PASSWORD)
    await write(page, "The same again", PASSWORD)
    await press(page, "Come in")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()


def figure(page: Page, words: str) -> Locator:
    """The large number of the card that says `words`."""
    return page.locator(".card", has_text=words).first.locator(".figure")


async def comes_late(route: Route) -> None:
    """On a slow line: the rest of the page is there long before."""
    await asyncio.sleep(0.5)
    await route.continue_()


async def test_an_ask_from_its_first_word_to_its_results(house: House, chromium: Browser) -> None:
    movement = house.movement
    async with browser_of(chromium, house) as authors, browser_of(chromium, house) as approvers:
        author, approver = await watched(authors, house), await watched(approvers, house)
        page = author.page
        await comes_in(page, house, "Cleo Author", Role.AUTHOR)

        await page.goto("/office/asks/new")
        await write(page, "Title", TITLE)
        await write(page, "Text (en, for all channels)", WORDS)
        await press(page, "Save the draft")
        await expect(page).to_have_title(re.compile("Whom it goes to"))
        await press(page, "Save and look at the preview")
        await expect(figure(page, "get it, of")).to_have_text("40")
        await expect(page.get_by_role("button", name="Approve it")).to_have_count(0)
        preview = page.url

        page = approver.page
        await comes_in(page, house, "Bo Approver", Role.APPROVER)
        await page.route("**/static/hx-sse.js*", comes_late)
        await page.goto(preview)
        await expect(page.get_by_role("link", name=TITLE)).to_be_visible()
        await press(page, "Approve it")
        await press(page, "Launch it")
        await expect(page.get_by_role("heading", name="Live")).to_be_visible()
        await expect(figure(page, "have left")).to_have_text("0")
        async with working(movement):
            jump(movement, timedelta(minutes=10))  # its undo time
            await expect(figure(page, "have left")).to_have_text("40", timeout=45_000)
            await expect(page.get_by_text("It is over; receipts may still come in.")).to_be_visible(timeout=30_000)
            await expect(page.locator("#curves canvas")).to_have_count(2)
        await keep_curves(movement.runtime, now=movement.clock() + timedelta(minutes=1))
        await page.goto(preview.replace("/preview", "/results"))
        assert "reached" in await page.locator("main").inner_text()
        await expect(page.locator("#curves canvas").first).to_be_visible()
        assert author.faults == approver.faults == []


async def test_who_uses_the_keyboard_skips_the_rooms(house: House, chromium: Browser) -> None:
    async with browser_of(chromium, house) as context:
        page = await context.new_page()
        await page.goto("/office/sign-in?next=//elsewhere.example.org")
        await write(page, "Your name", "Ada Byron")
        await write(page, "Password", PASSWORD)
        await press(page, "Sign in")
        assert page.url == f"{house.origin}/office"
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        assert page.url.endswith("#content")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.querySelector('main').contains(document.activeElement)")
