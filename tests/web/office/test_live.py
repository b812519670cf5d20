"""An ask while it goes out: figures that move by themselves, at the cost of one viewer for however many there are."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.launch_policy import SpendPolicy
from router.core.model import DeliveryRef, DeliveryStatus, Reason
from router.core.roles import Role
from router.curves import keep_curves
from router.launch import cancel_campaign, pause_campaign
from router.live import per_second, read_live
from router.office.organizers import change_organizer
from router.office.sessions import read_session, sign_out, still_signed_in
from router.store.engine import Store
from router.web.office.feeds import FEEDS, Feed, Feeds
from tests.support.ledger import Ledger, soon
from tests.support.office import Entered, come_in, entered
from tests.support.runtime import Clock
from tests.web.conftest import serving


class CountingStore(Store):
    """A ledger that counts how often it is asked."""

    asked = 0

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        self.asked += 1
        async with super().read() as connection:
            yield connection


@pytest.fixture
async def store(sqlite_url: str) -> AsyncIterator[CountingStore]:
    store = CountingStore(sqlite_url)
    yield store
    await store.aclose()


@pytest.fixture
def ledger(store: CountingStore, clock: Clock) -> Ledger:
    return Ledger(store, clock=clock)


@pytest.fixture
async def client(ledger: Ledger) -> AsyncIterator[TestClient]:
    """Rounds and looks at sessions come quicker than in earnest."""
    async with serving(ledger.runtime, feeds=Feeds(ledger.runtime, every=0.05, checked_every=0.1)) as client:
        yield client


class Stream:
    """The events of one viewer."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self) -> tuple[str, str]:
        """The next event: its name, "" for a message, and its data; ("end", "") after the last."""
        async with asyncio.timeout(10):
            name, lines = "", []
            while line := (await self.response.content.readline()).decode():
                match line.rstrip("\n").partition(": "):
                    case ("", "", ""):
                        if name or lines:
                            return name, "\n".join(lines)
                    case ("event", _, name):
                        pass
                    case ("data", _, data):
                        lines.append(data)
            return "end", ""

    async def until(self, name: str) -> str:
        """The data of the next event of this name."""
        while True:
            found, data = await self.next()
            if found == name:
                return data
            assert found != "end", f"no {name} before the end"


@contextlib.asynccontextmanager
async def watching(client: TestClient, who: Entered, campaign: int, seen: str = "running") -> AsyncIterator[Stream]:
    path = f"/office/asks/{campaign}/live/events?seen={seen}"
    async with client.get(path, headers=who.headers) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        yield Stream(response)


async def test_the_page_needs_no_scripts(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, Role.VIEWER, now=ledger.clock())
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    await ledger.send()
    async with client.get(f"/office/asks/{campaign}/live", headers=ada.headers) as response:
        page = await response.text()
    assert '<p class="figure">3</p><p>have left</p>' in page
    assert f'hx-sse:connect="/office/asks/{campaign}/live/events?seen=running"' in page
    assert "Pause it" not in page
    assert "style=" not in page


async def test_the_figures_move(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    async with watching(client, ada, campaign) as stream:
        assert '<p class="figure">0</p><p>have left</p>' in (await stream.until(""))
        assert json.loads(await stream.until("points"))[-1]["delivered"] == {"sms": 0}
        ledger.clock.advance(seconds=1)
        await ledger.send()
        while '<p class="figure">3</p><p>have left</p>' not in await stream.until(""):
            pass
        ledger.clock.advance(seconds=1)
        [first, *_] = await ledger.rows(campaign)
        await ledger.receipt(DeliveryRef(first.month, first.id), DeliveryStatus.DELIVERED)
        await soon(lambda: feed_of(client, campaign).points[-1].delivered == {"sms": 1})


async def test_whoever_comes_later_sees_the_curves_so_far(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route()
    async with watching(client, ada, campaign) as stream:
        await stream.until("points")
        ledger.clock.advance(seconds=5)
        await ledger.send()
        await stream.until("points")
    async with watching(client, ada, campaign) as stream:
        points = json.loads(await stream.until("points"))
    assert points[0]["rates"] == {}
    assert points[-1]["at"] - points[0]["at"] == 5_000


async def test_minutes_and_the_months_money_without_scripts(client: TestClient, ledger: Ledger) -> None:
    spend = SpendPolicy(month={"EUR": 500.0})
    ledger.runtime.adopt(ledger.runtime.policy.model_copy(update={"spend": spend}), ledger.runtime.quiet_hours)
    ada = await come_in(ledger.runtime, Role.VIEWER, now=ledger.clock())
    await ledger.add_members(3)
    campaign = await ledger.launch_and_route(spend_limit={"amount": 9.0, "currency": "EUR"})
    await ledger.send()
    month = ledger.clock().year * 100 + ledger.clock().month
    for of, micros in ((campaign, 1_250_000), (campaign + 1, 80_000_000)):
        await ledger.execute(
            "INSERT INTO spending VALUES (:month, :of, 'EUR', :micros)", month=month, of=of, micros=micros
        )
    await keep_curves(ledger.runtime, now=ledger.clock.advance(minutes=1))
    at = f"/office/asks/{campaign}"
    for end in ("/live", "/results"):
        async with client.get(at + end, headers=ada.headers) as response:
            page = " ".join((await response.text()).split())
        assert "From minute to minute" in page
        assert '<td class="number">3</td> <td class="number">0</td> <td class="number">0</td> </tr>' in page
    async with client.get(at + "/live", headers=ada.headers) as response:
        page = await response.text()
    assert '<p class="figure">1.25 EUR</p>\n    <p>spent of at most 9.00 EUR</p>' in page
    assert "All asks this month: 81.25 of at most 500.00 EUR" in page
    async with client.get(at + "/curves.json", headers=ada.headers) as response:
        points = await response.json()
    assert [point["left"] for point in points] == [{"sms": 0}, {"sms": 3}]
    assert points[-1]["rates"]["sms"] > 0
    async with watching(client, ada, campaign) as stream:
        await stream.until("points")
    async with client.get(at + "/curves.json", headers=ada.headers) as response:
        first, *seen = await response.json()
    assert first == points[0]
    assert points[1] not in seen, "a minute in which somebody looked is told by what was seen then"
    assert seen[-1]["left"] == {"sms": 3}
    async with client.get(at + "/curves.json", allow_redirects=False) as response:
        assert response.status == 303, "they are for those who are signed in"


def viewers_of(client: TestClient, campaign: int) -> int:
    feed = client.app[FEEDS].feed_of(campaign)  # type: ignore[union-attr]
    return 0 if feed is None else len(feed.viewers)


def feed_of(client: TestClient, campaign: int) -> Feed:
    feed = client.app[FEEDS].feed_of(campaign)  # type: ignore[union-attr]
    assert feed is not None
    return feed


async def test_fifty_viewers_cost_what_one_costs(client: TestClient, ledger: Ledger, store: CountingStore) -> None:
    people = [await come_in(ledger.runtime, Role.VIEWER, name=f"Ada {n}", now=ledger.clock()) for n in range(5)]
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()

    async def cost_of(viewers: int) -> float:
        """Reading transactions for each round, while so many look."""
        async with contextlib.AsyncExitStack() as stack:
            for n in range(viewers):
                stream = await stack.enter_async_context(watching(client, people[n % 5], campaign))
                await stream.until("points")
            assert viewers_of(client, campaign) == viewers
            feed = feed_of(client, campaign)
            begun, asked = feed.rounds, store.asked
            await soon(lambda: feed.rounds >= begun + 20)
            return (store.asked - asked) / (feed.rounds - begun)

    one = await cost_of(1)
    await soon(lambda: viewers_of(client, campaign) == 0)
    assert await cost_of(50) <= one + 0.5
    await soon(lambda: viewers_of(client, campaign) == 0)


async def test_nobody_looks_and_nothing_is_read(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    async with watching(client, ada, campaign) as stream:
        await stream.until("points")
        feed = feed_of(client, campaign)
    await soon(lambda: viewers_of(client, campaign) == 0)
    await soon(lambda: feed.is_over)


async def test_a_session_that_ends_ends_its_stream_alone(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    there = await entered(ledger.runtime, ada.organizer, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    async with watching(client, ada, campaign) as here, watching(client, there, campaign) as other:
        await here.until("points")
        await other.until("points")
        session = await read_session(ledger.runtime, ada.token, now=ledger.clock())
        assert session is not None
        await sign_out(ledger.runtime, session)
        await here.until("over")
        assert await here.next() == ("end", "")
        await ledger.send()
        assert "have left" in await other.until("")
    async with client.get(f"/office/asks/{campaign}/live/events", headers=ada.headers, allow_redirects=False) as gone:
        assert gone.status == 303


async def test_whose_rights_change_comes_in_anew(ledger: Ledger) -> None:
    ada, ben = [await come_in(ledger.runtime, name=name, now=ledger.clock()) for name in ("Ada", "Ben")]
    sessions = [await read_session(ledger.runtime, one.token, now=ledger.clock()) for one in (ada, ben)]
    known = [session for session in sessions if session is not None]
    both = {session.token_hash for session in known}
    assert await still_signed_in(ledger.runtime, known, now=ledger.clock()) == both
    await change_organizer(ledger.runtime, ben.organizer.id, role=Role.VIEWER, by="Ada", now=ledger.clock())
    assert await still_signed_in(ledger.runtime, known, now=ledger.clock()) == {known[0].token_hash}
    assert await still_signed_in(ledger.runtime, known, now=ledger.clock() + timedelta(hours=13)) == set()


async def test_another_state_is_another_page(client: TestClient, ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    async with watching(client, ada, campaign) as stream:
        await stream.until("points")
        await pause_campaign(ledger.runtime, campaign, by="Ada", reason="", now=ledger.clock())
        await stream.until("over")
        assert await stream.next() == ("end", "")
    async with watching(client, ada, campaign, seen="paused") as stream:
        await stream.until("points")
        await cancel_campaign(ledger.runtime, campaign, by="Ada", now=ledger.clock())
        await stream.until("over")
    async with client.get(f"/office/asks/{campaign}/live", headers=ada.headers) as response:
        assert "hx-sse" not in await response.text()


async def test_the_server_stops_although_somebody_looks(ledger: Ledger) -> None:
    ada = await come_in(ledger.runtime, now=ledger.clock())
    await ledger.add_members(1)
    campaign = await ledger.launch_and_route()
    async with serving(ledger.runtime) as client, watching(client, ada, campaign) as stream:
        await stream.until("points")
        async with asyncio.timeout(5):
            await client.server.close()
        assert await stream.next() == ("end", "")


async def test_what_the_figures_say(ledger: Ledger) -> None:
    await ledger.add_members(4)
    campaign = await ledger.launch_and_route(spend_limit={"amount": 9.0, "currency": "EUR"})
    before = await read_live(ledger.runtime, campaign)
    await ledger.send()
    first, second, third, _ = await ledger.rows(campaign)
    for row, status in ((first, DeliveryStatus.DELIVERED), (second, DeliveryStatus.READ)):
        await ledger.receipt(DeliveryRef(row.month, row.id), status)
    await ledger.receipt(DeliveryRef(third.month, third.id), DeliveryStatus.FAILED)
    for variant in (0, 1):
        row = "INSERT INTO reaction (campaign_id, channel, kind, variant, count) VALUES (:id, 'sms', 'opt_out', :of, 2)"
        await ledger.execute(row, id=campaign, of=variant)
    live = await read_live(ledger.runtime, campaign)
    sms = live.channels["sms"]
    # What failed waits to be tried once more.
    assert (sms.left, sms.delivered, sms.failed, sms.waiting, sms.opt_outs) == (3, 2, 1, 1, 4)
    assert sum(live.failures.values()) == 1
    assert set(live.failures) <= set(Reason)
    assert live.spend_limit is not None
    assert per_second(before, live, 2.0) == {"sms": 2.0}
    assert per_second(None, live, 2.0) == {}


async def test_while_all_wait_for_their_hour_it_says_when_the_next_may_leave(ledger: Ledger) -> None:
    await ledger.add_members(2)
    ledger.clock.advance(hours=5)  # midnight in Paris
    campaign = await ledger.launch_and_route()
    live = await read_live(ledger.runtime, campaign)
    assert live.all.waiting == 2
    assert live.next_at == datetime(2026, 11, 21, 8, tzinfo=UTC)
    ledger.clock.advance(hours=9)
    assert (await read_live(ledger.runtime, campaign)).next_at is None  # they may leave now
    await ledger.send()
    assert (await read_live(ledger.runtime, campaign)).next_at is None
