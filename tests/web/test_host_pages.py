"""Opening one's own event on a form: by the link of a message, once, with a sentence for what cannot be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import select, text

from router.core.ask import Ask
from router.core.links import action_token
from router.core.model import DeliveryRef
from router.runtime import Runtime
from router.store.campaigns import write_ask
from router.store.tables import event, to_ms
from tests.support.runtime import Clock

REF = DeliveryRef(202611, 90)
GOOD = {"seats": "6", "address": "12 Example Street", "postcode": "NW1 7JR"}


async def invite(runtime: Runtime, clock: Clock, link: str = "", **fields: Any) -> str:
    """One member who was asked to host; the path of their form."""
    values: dict[str, Any] = {
        "title": "Open your door",
        "wants": "host",
        "gathering": {"title": "Dinner", "starts_at_local": "2026-12-03T19:00"},
        "texts": {"en": {"default": {"text": "Reply HOST"}}},
        "link": link,
        **fields,
    }
    ask = Ask.model_validate(values)
    now = {"now": to_ms(clock()), "link": link, "end": to_ms(clock() + timedelta(days=3))}
    async with runtime.store.write() as connection:
        for row in (
            "INSERT INTO member (id, country, zone, first_name, joined_at, created_at, updated_at)"
            " VALUES (1, 'GB', 'Europe/London', 'Yasmin', :now, :now, :now)",
            "INSERT INTO address (id, member_id, channel, value, hash, consent, created_at)"
            " VALUES (2, 1, 'sms', '+447700900123', 'hash', 'granted', :now)",
            "INSERT INTO campaign (id, month, title, kind, status, link, created_by, created_at, launched_at,"
            " expires_at) VALUES (3, 202611, 'Open', 'ask', 'running', :link, 'tests', :now, :now, :end)",
            "INSERT INTO delivery (month, id, campaign_id, member_id, channel, address_id, status, sent_at)"
            " VALUES (202611, 90, 3, 1, 'sms', 2, 'sent', :now)",
        ):
            await connection.execute(text(row), {name: value for name, value in now.items() if f":{name}" in row})
        await write_ask(connection, 3, 1, ask, by="tests", now=clock())
    return f"/host/{action_token(runtime.key, REF)}"


async def events(runtime: Runtime) -> list[Any]:
    async with runtime.store.read() as connection:
        return list((await connection.execute(select(event))).all())


async def send(client: TestClient, path: str, **fields: str) -> tuple[int, str]:
    async with client.post(path, data={**GOOD, **fields}) as response:
        assert "script-src" not in response.headers["Content-Security-Policy"]
        return response.status, await response.text()


async def test_a_form_makes_an_event_of_its_own_host_once(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock)
    async with client.get(path) as response:
        page = await response.text()
        assert response.status == 200
    assert "It begins on Thursday, 3 December 2026, 19:00" in page
    assert await events(runtime) == [], "looking at it opens nothing"
    answers = await asyncio.gather(*[send(client, path) for _ in range(4)])
    assert {status for status, _ in answers} == {200}
    [made] = await events(runtime)
    assert (made.host_id, made.capacity, made.address, made.status) == (1, 6, "12 Example Street", "proposed")
    assert f"/e/{made.id}/" in answers[0][1]
    async with client.get(path) as response:
        assert "An organizer looks at your event" in await response.text()
    async with runtime.store.read() as connection:
        rows = await connection.execute(text("SELECT kind, source FROM action ORDER BY kind"))
        assert [tuple(row) for row in rows] == [("host", "page"), ("yes", "page")]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"seats": "many"}, "how many guests"),
        ({"seats": "0"}, "how many guests"),
        ({"seats": "99999"}, "how many guests"),
        ({"address": " "}, "street, number and postcode"),
        ({"postcode": ""}, "street, number and postcode"),
    ],
)
async def test_what_cannot_be_is_said_beside_the_form_and_what_was_written_stays(
    client: TestClient, runtime: Runtime, clock: Clock, fields: dict[str, str], says: str
) -> None:
    path = await invite(runtime, clock)
    status, page = await send(client, path, **fields)
    assert (status, await events(runtime)) == (422, [])
    assert says in page
    assert 'value="12 Example Street"' in page or "address" in fields


async def test_an_ask_without_a_day_asks_for_it(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock, gathering=None)
    assert (await send(client, path))[0] == 422
    assert (await send(client, path, starts="2020-01-01T19:00"))[0] == 422
    assert (await send(client, path, starts="2026-12-05T18:30"))[0] == 200
    [made] = await events(runtime)
    assert made.starts_at.isoformat() == "2026-12-05T18:30:00+00:00"


async def test_words_are_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock)
    _, page = await send(client, path, seats="<script>alert(1)</script>", address='"><b>x')
    assert "<script>" not in page
    assert "<b>x" not in page


async def test_an_ask_that_is_over_opens_nothing(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock, deadline=(clock() + timedelta(hours=1)).isoformat())
    clock.advance(hours=2)
    status, page = await send(client, path)
    assert (status, await events(runtime)) == (422, [])
    assert "over now" in page


@pytest.mark.parametrize("token", ["x", "a" * 40, "%00"])
async def test_a_link_that_is_not_ours_leads_nowhere(client: TestClient, token: str) -> None:
    async with client.get(f"/host/{token}") as response:
        assert response.status == 404


async def test_an_ask_that_has_nothing_to_host_has_no_form(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock, wants="custom", gathering=None)
    async with client.get(path) as response:
        assert response.status == 404


async def test_a_link_to_our_form_leads_to_ones_own(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    path = await invite(runtime, clock, link=f"{runtime.settings.public_url}/host")
    clock.advance(hours=1)
    async with client.get(
        f"/a/{action_token(runtime.key, REF)}", headers={"User-Agent": "Mozilla/5.0"}, allow_redirects=False
    ) as response:
        assert response.status == 302
        assert response.headers["Location"] == f"{runtime.settings.public_url}{path}"
