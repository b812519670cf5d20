"""The list of asks and the page of one: what stands there, for whom, and that it is only text."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from router.core.ask import Ask
from router.core.audience import Tagged
from router.core.model import CampaignStatus
from router.core.roles import Role
from router.drafting import save_campaign
from router.office.asks import SHELVES, list_asks
from router.runtime import Runtime
from router.web.office.asks import NEXT, STATES
from tests.support.ledger import Ledger
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&gt;&lt;img src=x onerror=alert(2)&gt;{{ 7*7 }}"
_BUTTON = {"label": "<b>x</b>", "reply": "YES"}
TENANTS = Tagged(op="tag", tag="tenants")


async def save(runtime: Runtime, *, by: str = "Bo", **ask: Any) -> int:
    """Save a draft."""
    whole = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}} | ask
    return (await save_campaign(runtime, Ask.model_validate(whole), by=by, now=runtime.clock())).id


async def read(client: TestClient, who: Entered, path: str, status: int = 200) -> str:
    """A page, as it came."""
    async with client.get(path, headers=who.headers, allow_redirects=False) as response:
        page = await response.text()
        assert response.status == status, page
        return page


@pytest.fixture
async def ada(runtime: Runtime, clock: Clock) -> Entered:
    return await come_in(runtime, Role.AUTHOR, name="Ada", now=clock())


async def test_the_list_goes_on_page_by_page(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    numbers = [await save(runtime, title=f"Ask {place:03}") for place in range(53)]
    first = await read(client, ada, "/office/asks")
    assert first.count('<th scope="row">') == 50
    assert f"/office/asks/{numbers[-1]}" in first
    path = f"/office/asks?before={numbers[3]}"
    assert path in first
    second = await read(client, ada, path)
    assert [f"Ask {place:03}" in second for place in range(5)] == [True, True, True, False, False]
    assert "Older ones" not in second


async def test_the_list_is_narrowed_by_state(client: TestClient, runtime: Runtime, ada: Entered, clock: Clock) -> None:
    ledger = Ledger(runtime.store, clock=clock)
    await ledger.add_members(3)
    await save(runtime, title="A draft of ours")
    running = await ledger.launch_and_route(title="On its way")
    await ledger.send()
    page = await read(client, ada, "/office/asks?show=running")
    assert "On its way" in page
    assert "A draft of ours" not in page
    assert page.count('<td class="number">3</td>') == 2  # whom it goes to, whom it reached
    assert f"/office/asks/{running}" not in await read(client, ada, "/office/asks?show=drafts")
    assert "There is none here" in await read(client, ada, "/office/asks?show=over")
    assert {state for states in SHELVES.values() for state in states} == set(CampaignStatus)
    await read(client, ada, "/office/asks?show=all", 422)
    await read(client, ada, "/office/asks?before=x", 422)


async def test_who_sees_a_part_of_the_members_sees_the_asks_for_it(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    eve = await come_in(runtime, Role.AUTHOR, name="Eve", audience=TENANTS, now=clock())
    ours = await save(runtime, title="For tenants", audience=TENANTS.model_dump())
    others = await save(runtime, title="For all of us")
    page = await read(client, eve, "/office/asks")
    assert "For tenants" in page
    assert "For all of us" not in page
    assert "Of your part of the members: all members" in await read(client, eve, f"/office/asks/{ours}")
    for path in ("", "/results", "/results/compared", "/results.csv", "/acted.csv"):
        assert "For all of us" not in await read(client, eve, f"/office/asks/{others}{path}", 404)


async def test_whoever_sees_few_of_many_finds_them_by_going_on(runtime: Runtime, clock: Clock) -> None:
    eve = (await come_in(runtime, Role.AUTHOR, audience=TENANTS, now=clock())).organizer
    ours = await save(runtime, audience=TENANTS.model_dump())
    for _ in range(3):
        await save(runtime)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("router.office.asks._AT_ONCE", 1)
        patch.setattr("router.office.asks._MOST_LOOKS", 2)
        first = await list_asks(runtime, eve)
        assert not first.asks
        assert first.next
        second = await list_asks(runtime, eve, before=first.next)
    assert [one.id for one in second.asks] == [ours]


async def test_the_page_of_an_ask(client: TestClient, runtime: Runtime, ada: Entered) -> None:
    number = await save(
        runtime,
        title="Rents",
        texts={
            "en": {"default": {"text": "Sign, {{ first_name }}?", "buttons": [{"label": "I sign", "reply": "YES"}]}},
            "es": {"default": {"text": "¿Firmas?"}},
        },
        wants="sign",
        audience=TENANTS.model_dump(),
    )
    page = await read(client, ada, f"/office/asks/{number}")
    for words in ("Sign, {{ first_name }}?", "¿Firmas?", "I sign", "members who have the tag tenants", "Bo wrote it"):
        assert words in page, words
    assert f'class="button" href="/office/asks/{number}/preview"' in page
    assert f"/office/asks/{number}/edit" in page


async def test_a_viewer_is_offered_nothing_to_change(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    vic = await come_in(runtime, Role.VIEWER, now=clock())
    number = await save(runtime)
    page = await read(client, vic, f"/office/asks/{number}")
    assert "/edit" not in page
    assert "/office/asks/new" not in await read(client, vic, "/office/asks")
    assert "acted.csv" not in await read(client, vic, f"/office/asks/{number}/results")
    await read(client, vic, f"/office/asks/{number}/acted.csv", 403)


async def test_an_ask_that_is_not_there(client: TestClient, ada: Entered) -> None:
    for path in ("", "/results", "/results.csv", "/acted.csv"):
        assert "no campaign 77" in await read(client, ada, f"/office/asks/77{path}", 404)


async def test_all_that_people_wrote_is_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, name=HOSTILE[:80], now=clock())
    words = HOSTILE.replace("{{ 7*7 }}", "")
    number = await save(
        runtime,
        by=HOSTILE,
        title=HOSTILE,
        texts={
            "en": {"default": {"text": words, "subject": words, "buttons": [{"label": "<b>x</b>", "reply": "YES"}]}}
        },
        picture={"url": "https://example.org/<b>", "alt": HOSTILE},
        audience={"op": "tag", "tag": HOSTILE},
        groups=[HOSTILE],
    )
    for path in ("", f"/asks/{number}", "/asks", f"/asks/{number}/results"):
        page = await read(client, ada, f"/office{path}")
        assert SHOWN in page, path
        for tag in ("<script>alert", "<img", "<b>", ">49<"):
            assert tag not in page, (path, tag)


def test_every_state_has_its_words_and_its_next_step() -> None:
    assert STATES.keys() == NEXT.keys() == set(CampaignStatus)
