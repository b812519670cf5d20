"""Organizers' pages in a real Chromium: by day and by night, on a phone and on a desk, and without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, expect

from router.web.app import ENDPOINTS
from router.web.auth import Page as PageAccess
from tests.browser.conftest import CHROMIUM, HEAVIEST, House, entrance, watched

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: install the package chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

OPEN = ["/docs/api", "/ideas", "/open", "/open/{id}", "/open/{id}/card"]
"""For everybody."""
PAGES = OPEN + sorted(
    endpoint.public_path
    for endpoint in ENDPOINTS
    if isinstance(endpoint.access, PageAccess) and endpoint.method == "GET" and endpoint.replies.get(200) == "text/html"
)
LOOKS: dict[str, tuple[int, Literal["dark", "light"]]] = {
    "a phone by night": (360, "dark"),
    "a desk by day": (1280, "light"),
}
"""Each width and each colour once: what is wrong with a colour is so at every width."""


def address_of(path: str, house: House) -> str:
    """Where a page is to be seen that shows one of a kind."""
    examples = {
        "/office/asks/{id}/approve": house.draft,
        "/office/asks/{id}/audience": house.draft,
        "/office/asks/{id}/cancel": house.waiting,
        "/office/asks/{id}/edit": house.draft,
        "/office/asks/{id}/live": house.waiting,
        "/office/asks/{id}/override": house.draft,
        "/office/asks/{id}/pause": house.waiting,
        "/office/asks/{id}/raise": house.draft,
        "/office/asks/{id}": house.launched,
        "/office/events/{id}": house.event,
        "/office/groups/{id}": house.group,
        "/office/ideas/{id}": house.idea,
        "/office/imports/{id}": house.brought_in,
        "/office/inbox/{id}": house.members[0],
        "/office/members/{id}": house.members[0],
        "/office/organizers/{id}": house.admin.id,
        "/open/{id}": house.launched,
    }
    for beginning, number in examples.items():
        if path.startswith(beginning):
            return path.replace("{id}", str(number))
    assert "{" not in path, f"say in tests/browser/test_office.py which example of {path} to look at"
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def inside(house: House, chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A browser in which the admin is signed in."""
    async with entrance(chromium, house) as context:
        yield context


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_everybody(path: str, house: House, inside: BrowserContext) -> None:
    watch = await watched(inside, house)
    response = await watch.page.goto(address_of(path, house))
    assert response is not None
    assert response.status == 200
    is_whole = await watch.page.locator("main").count()
    await expect(watch.page.locator("[hx-trigger=load]")).to_have_count(0)
    for look, (width, colors) in LOOKS.items():
        await watch.page.set_viewport_size({"width": width, "height": 800})
        await watch.page.emulate_media(color_scheme=colors)
        assert await watch.too_wide() == [], look
        if is_whole:  # the part of a page is looked at within it
            assert await watch.axe() == [], look
    assert await watch.weight() <= HEAVIEST
    assert not is_whole or watch.faults == []
    await watch.page.close()


async def test_every_page_opens_without_scripts(house: House, chromium: Browser) -> None:
    bare = []
    async with entrance(chromium, house, java_script_enabled=False) as context:
        page = await context.new_page()
        for path in PAGES:
            await page.goto(address_of(path, house))
            heading = page.locator("main h1")
            is_whole = await page.locator("main").count()
            if is_whole and not (await heading.count() and await heading.first.is_visible()):
                bare.append(path)
    assert bare == []


async def test_the_card_of_an_ask_stands_in_a_frame_and_nothing_else_does(house: House, inside: BrowserContext) -> None:
    paths = [f"/open/{house.launched}/card", f"/open/{house.launched}", "/office"]
    frames = "".join(f'<iframe src="{house.origin}{path}"></iframe>' for path in paths)
    elsewhere = web.Application()

    async def show_frames(_: web.Request) -> web.Response:
        return web.Response(text=frames, content_type="text/html")

    elsewhere.router.add_get("/", show_frames)
    async with TestServer(elsewhere, host="localhost") as server:
        page = await inside.new_page()
        await page.goto(str(server.make_url("/")))
        card, *others = [page.frame_locator("iframe").nth(place) for place in range(len(paths))]
        await expect(card.get_by_role("heading", level=1)).to_have_text("Rent strike on Saturday")
        for other in others:
            await expect(other.locator("main")).to_have_count(0)
        await page.close()
