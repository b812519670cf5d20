"""A running installation with an ask that is out, and a real Chromium to look at it with, started once for all tests.

Nothing is relaxed for the tests: the pages' own policy holds (`bypass_csp` is never set), and axe looks at everything.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from sqlalchemy import insert

from router.community.event_desk import create_event
from router.community.event_model import EventIn
from router.community.proposals.model import Who
from router.community.proposals.submitting import propose
from router.community.seats import take_seat
from router.core.ask import Ask
from router.core.roles import Role
from router.drafting import save_campaign
from router.groups import add_group
from router.office.organizers import Organizer
from router.records.imports import ImportOptions, import_file
from router.store.tables import thread
from tests.support.movement import Movement, everywhere
from tests.support.office import come_in, entered

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
         "--disable-sync"]  # fmt: skip
AXE = (Path(__file__).parent / "vendor" / "axe.js").read_text("utf-8")
HEAVIEST = 150_000
"""Bytes of a page with all that it loads, as they go over the line."""

_FIND = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(({impact}) => impact === 'serious' || impact === 'critical')
    .flatMap(({id, nodes}) => nodes.map(({target, any}) => `${id}: ${target} ${any.map(one => one.message)}`))"""
_TOO_WIDE = """() => {
    const room = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= room) return []
    const wide = [...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > room + 1)
    return wide.slice(0, 5).map(one => `wider than the screen: <${one.localName} class="${one.className}">`)
}"""

_SIZES: dict[str, int] = {}


@dataclass
class House:
    """The installation, and what stands in it."""

    movement: Movement
    admin: Organizer
    launched: int
    """An ask that went out."""
    waiting: int
    """An ask that is launched and begins later."""
    draft: int
    members: list[int]
    group: int
    idea: int
    brought_in: int
    """A file of members that was brought in."""
    event: int
    """An evening to which the first member comes, who also wrote what no rule understood."""

    @property
    def origin(self) -> str:
        return self.movement.runtime.settings.public_url

    async def cookie(self) -> dict[str, Any]:
        """What a browser sends in which the admin is signed in."""
        here = await entered(self.movement.runtime, self.admin, now=self.movement.clock())
        name, _, value = here.headers["Cookie"].partition("=")
        return {"name": name, "value": value, "url": self.origin}


@dataclass
class Watched:
    """A page, and what went wrong on it: errors on the console, broken policies, requests to other hosts."""

    page: Page
    faults: list[str] = field(default_factory=list)
    loaded: list[Any] = field(default_factory=list)

    async def axe(self) -> list[str]:
        """What axe finds serious or critical on the page as it stands."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE)
        found: list[str] = await self.page.evaluate(_FIND)
        return found

    async def too_wide(self) -> list[str]:
        """What reaches beyond the screen's edge, so that a reader has to scroll sideways."""
        found: list[str] = await self.page.evaluate(_TOO_WIDE)
        return found

    async def weight(self) -> int:
        """Bytes that came over the line for it; what the browser had kept counts as when it came first."""
        for request in self.loaded:
            came = await request.sizes()
            size = came["responseBodySize"] + came["responseHeadersSize"]
            _SIZES[request.url] = max(size, _SIZES.get(request.url, 0))
        return sum(_SIZES[request.url] for request in self.loaded)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> AsyncIterator[House]:
    ledger = tmp_path_factory.mktemp("house") / "ledger.sqlite3"
    shutil.copy(sqlite_template, ledger)
    async with everywhere(f"sqlite:///{ledger}") as movement:
        yield await furnished(movement)


async def furnished(movement: Movement) -> House:
    """Forty members, an ask that reached them, a draft, and the admin who looks at them."""
    admin = await come_in(movement.runtime, Role.ADMIN, name="Ada Byron", now=movement.clock())
    members = await movement.add_members(30, then="email")
    members += await movement.add_members(10, channel="email")
    launched = await movement.launch(title="Rent strike on Saturday", goal={"measure": "pledge", "target": 20})
    await movement.work()
    later = movement.clock() + timedelta(days=20)
    waiting = await movement.launch(title="The general assembly", starts_at=later)
    ask = Ask.model_validate({"title": "A letter to the mayor", "texts": {"en": {"default": {"text": "Sign? YES"}}}})
    draft = await save_campaign(movement.runtime, ask, by="Ada Byron", now=movement.clock())
    runtime, now = movement.runtime, movement.clock()
    group = await add_group(
        runtime, channel="telegram", account="main", value="-1001234567890", title="The harbour street",
        tags=["tenants"], by="Ada Byron", now=now,
    )  # fmt: skip
    ids, who, words = await runtime.store.take_ids(2), Who(members[0], "a phone"), "Let us plant trees in the harbour"
    idea = await runtime.store.transact(lambda connection: propose(runtime, connection, who, words, iter(ids), now=now))
    report = await import_file(
        runtime.store, _a_list(), key=runtime.key, default_region="US", by="Ada Byron", now=now,
        options=ImportOptions(file_name="harbour.csv"),
    )  # fmt: skip
    event = await _an_evening(movement, members[0])
    return House(movement, admin.organizer, launched, waiting, draft.id, members, group, idea.number, report.id, event)


async def _an_evening(movement: Movement, guest: int) -> int:
    runtime, now = movement.runtime, movement.clock()
    body = EventIn(title="Dinner in the harbour", starts_at=now + timedelta(days=3), country="GB", area="Camden")
    event = (await create_event(runtime, body, by="Ada Byron", now=now)).id
    await runtime.store.transact(
        lambda connection: take_seat(connection, event_id=event, member_id=guest, seats=2, now=now)
    )
    async with runtime.store.write() as connection:
        await connection.execute(
            insert(thread).values(
                member_id=guest, status="open", channel="sms", inbound_id=0, messages=1, waiting=1, waiting_since=now,
                last_in_at=now,
            )
        )  # fmt: skip
    return event


async def _a_list() -> AsyncIterator[bytes]:
    yield b"first name,email,colour\nGrace,grace@example.org,red\n,nobody,blue\n"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def browser_of(chromium: Browser, house: House, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser of somebody's own, in which nobody is signed in."""
    context = await chromium.new_context(base_url=house.origin, **options)
    context.set_default_timeout(15_000)
    yield context
    await context.close()


@contextlib.asynccontextmanager
async def entrance(chromium: Browser, house: House, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser in which the admin is signed in."""
    async with browser_of(chromium, house, **options) as context:
        await context.add_cookies([await house.cookie()])  # type: ignore[list-item]
        yield context


async def watched(context: BrowserContext, house: House) -> Watched:
    """A new page that is watched."""
    page = await context.new_page()
    watch = Watched(page)
    page.on("console", lambda message: watch.faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: watch.faults.append(str(error)))
    page.on("requestfinished", lambda request: watch.loaded.append(request))

    def is_ours(url: str) -> bool:
        return url.startswith((house.origin + "/", "data:"))

    page.on("request", lambda request: None if is_ours(request.url) else watch.faults.append(f"loads {request.url}"))
    return watch
