"""``make screenshots``: pictures of the main pages, into ``docs/screens``, and the page that shows them.

A program, no test. It makes a movement at work (`tests.browser.picture_house`) and takes its pictures in a real
Chromium, while one of its asks goes out.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.async_api import Browser, Page, async_playwright

from router.curves import keep_curves
from router.demo.watching import settled
from router.door import door_link
from router.preferences import Wishes, set_preferences
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.picture_house import PictureHouse, picture_house

FOLDER = Path(__file__).parents[2] / "docs" / "screens"
HEAVIEST, HEAVIEST_ALL = 200_000, 2_000_000
"""Bytes of a picture, and of all."""
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}

DOORS = {"en": "A member's own page, from a link in any message.", "ar": "The same in Arabic."}


class Picture(NamedTuple):
    """One page to look at."""

    name: str
    path: str
    says: str
    """What is to be seen, for the page that shows it."""
    size: dict[str, int] = DESK
    colors: Literal["light", "dark"] = "light"
    at: str = ""
    """What to scroll to: a CSS selector."""


def while_it_goes_out(house: PictureHouse) -> list[Picture]:
    """With an ask half out."""
    ask = f"/office/asks/{house.dinners}"
    return [
        Picture("live", f"{ask}/live", "An ask while it goes out: what has left, what it costs, and its curves."),
        Picture("home", "/office", "Where an organizer begins: what goes out, and what waits for them."),
        Picture("live-phone", f"{ask}/live", "The same ask on a telephone.", PHONE),
        Picture("live-dark", f"{ask}/live", "The same by night.", colors="dark", at="#curves"),
    ]


def afterwards(house: PictureHouse) -> list[Picture]:
    """With that ask out."""
    march, dinners = f"/office/asks/{house.march}", f"/office/asks/{house.dinners}"
    rosas = f"/office/events/{house.events[0]}"
    return [
        Picture("editor", f"{march}/edit", "An ask is written, and seen as telephones will show it."),
        Picture("audience", f"{march}/audience", "Whom it is for, counted while it is chosen."),
        Picture("preview", f"{march}/preview", "Before it leaves: who gets it, who is left in peace, what it costs."),
        Picture("results", f"{dinners}/results", "What came of an ask, with how sure that is."),
        Picture("inbox", "/office/inbox", "What people wrote and no rule understood waits for a person."),
        Picture("inbox-phone", "/office/inbox", "The same on a telephone.", PHONE),
        Picture("events", "/office/events", "Evenings that people host, and how full they are."),
        Picture("check-in", f"{rosas}/check-in", "At the door of an evening: who is here?", PHONE),
        Picture("channels", "/office/channels", "The channels and their senders, and how they do."),
        Picture("open", "/open", "What everybody may read of what was asked, and what came of it."),
    ]  # fmt: skip


async def shoot(page: Page, picture: Picture) -> None:
    """Take one picture and keep it."""
    await page.goto(picture.path)
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(1_600)  # what comes by itself is there
    if picture.at:
        await page.locator(picture.at).first.evaluate("one => one.scrollIntoView()")
        await page.wait_for_timeout(300)
    _keep(picture.name, await page.screenshot(animations="disabled"))


def _keep(name: str, png: bytes) -> None:
    small = smaller(png)
    print(f"{name}.png: {len(small):,} bytes")  # noqa: T201
    if len(small) > HEAVIEST:
        raise SystemExit(f"{name}.png is heavier than {HEAVIEST:,} bytes")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(small)


def smaller(png: bytes) -> bytes:
    """The same picture, packed as tightly as zlib can; browsers pack for speed."""
    place, kept, packed = 8, [], b""
    while place < len(png):
        [length] = struct.unpack_from(">I", png, place)
        kind, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length
        if kind == b"IDAT":
            packed += body
        elif kind in (b"IHDR", b"IEND"):
            kept.append((kind, body))
    kept.insert(1, (b"IDAT", zlib.compress(zlib.decompress(packed), 9)))
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in kept
    ]
    return png[:8] + b"".join(parts)


@contextlib.asynccontextmanager
async def looking(browser: Browser, house: PictureHouse, picture: Picture, *, inside: bool) -> AsyncIterator[Page]:
    """A page as this picture wants it; `inside`: the admin's."""
    scale = 1.5 if picture.size is PHONE else 1
    looks: dict[str, Any] = {"viewport": picture.size, "color_scheme": picture.colors, "device_scale_factor": scale}
    context = await browser.new_context(base_url=house.url, **looks)
    if inside:
        name, _, value = house.admin.headers["Cookie"].partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": house.url}])
    yield await context.new_page()
    await context.close()


async def all_pictures(only: list[str]) -> None:
    """Take them; with `only`, those of these names."""
    with tempfile.TemporaryDirectory(prefix="outreach-screens-") as folder:
        async with (
            picture_house(Path(folder)) as house,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            taken: list[Picture] = []

            async def take(pictures: list[Picture], *, inside: bool = True) -> None:
                for picture in pictures:
                    if not only or picture.name in only:
                        async with looking(browser, house, picture, inside=inside) as page:
                            await shoot(page, picture)
                    taken.append(picture)

            await house.is_out(house.dinners, 0.1)
            async with looking(browser, house, while_it_goes_out(house)[0], inside=True) as watcher:
                await watcher.goto(f"/office/asks/{house.dinners}/live")  # so that seconds are seen
                await house.is_out(house.dinners, 0.5)
                await take(while_it_goes_out(house))
                await settled(house.runtime, house.dinners)
            await keep_curves(house.runtime, now=house.runtime.clock())
            await take(afterwards(house))
            for locale, says in DOORS.items():
                await take([await door(house, locale, says)], inside=False)
            await browser.close()
            if not only:
                _tell(taken)


async def door(house: PictureHouse, locale: str, says: str) -> Picture:
    """A member's own page, once they speak this language."""
    runtime = house.runtime
    await set_preferences(runtime, house.member, Wishes(locale=locale), by="a picture", now=runtime.clock())
    link = await door_link(runtime, house.member, now=runtime.clock())
    return Picture(f"door-{locale}", link, says, PHONE)


def _tell(pictures: list[Picture]) -> None:
    whole = sum((FOLDER / f"{picture.name}.png").stat().st_size for picture in pictures)
    if whole > HEAVIEST_ALL:
        raise SystemExit(f"all pictures together are heavier than {HEAVIEST_ALL:,} bytes")
    lines = [
        "# The pages, in pictures",
        "",
        "Made by `make screenshots`: a made-up movement, on simulated providers.",
        "",
    ]
    for picture in pictures:
        width = 390 if picture.size is PHONE else 960
        lines += [picture.says, "", f'<img src="{picture.name}.png" width="{width}" alt="{picture.says}">', ""]
    (FOLDER / "README.md").write_text("\n".join(lines).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    if not CHROMIUM:
        raise SystemExit("no Chromium: install the package chromium")
    asyncio.run(all_pictures(sys.argv[1:]))
