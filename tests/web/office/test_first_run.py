"""The first steps: what is done, what is to do, and a real message to oneself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from aiohttp.test_utils import TestClient
from pydantic import SecretStr
from sqlalchemy import insert

from channels.sandbox import Sandbox
from router.app import open_runtime
from router.core.ask import Ask
from router.core.roles import Role
from router.drafting import save_campaign
from router.office.first_steps import TEN
from router.runtime import Runtime
from router.settings import Settings
from router.store.tables import campaign, member
from tests.support.office import Entered, come_in
from tests.web.conftest import serving


class House(NamedTuple):
    """A new installation, one of whose channels is Telegram's sandbox."""

    runtime: Runtime
    client: TestClient
    sandbox: Sandbox
    ada: Entered


@pytest.fixture
async def house(sqlite_url: str) -> AsyncIterator[House]:
    async with Sandbox() as sandbox:
        environment = {
            name: value for name, value in sandbox.channel_environment().items() if name.startswith("OUTREACH_TELEGRAM")
        }
        settings = Settings(database_url=sqlite_url, secret_key=SecretStr("s" * 40), public_url="http://127.0.0.1:9")
        async with open_runtime(settings, environment=environment) as runtime, serving(runtime) as client:
            ada = await come_in(runtime, Role.ADMIN, name="Ada", now=runtime.clock())
            yield House(runtime, client, sandbox, ada)


async def page_of(house: House, path: str = "/office/start") -> str:
    async with house.client.get(path, headers=house.ada.headers) as response:
        assert response.status == 200
        return await response.text()


async def write(house: House, to: str, once: str) -> tuple[int, str]:
    form = {"csrf": house.ada.csrf, "to": to, "once": once}
    async with house.client.post(
        "/office/start", data=form, headers=house.ada.headers, allow_redirects=False
    ) as response:
        return response.status, await response.text()


def done(page: str) -> list[bool]:
    """Each step in turn."""
    return ['"tag good">done' in step.partition("</h2>")[0] for step in page.split("<h2 ")[1:]]


async def test_a_message_to_oneself_leaves_once_and_is_a_step(house: House) -> None:
    assert done(await page_of(house)) == [True, True, False, False, False]
    for wrong, sentence in (("", "Write where to"), ("nobody", "number"), ("slack:U1", "is not set up")):
        status, page = await write(house, wrong, wrong)
        assert status == 422
        assert sentence in page
    status, page = await write(house, "telegram:42", "k1")
    assert status == 200, page
    assert "Sent by telegram (main)" in page
    assert done(page) == [True, True, True, False, False]
    assert await write(house, "telegram:42", "k1") == (303, "")
    [sent] = house.sandbox.telegram.messages.values()
    assert "A first message from Our movement" in sent.text


async def test_what_is_typed_is_shown_as_text(house: House) -> None:
    status, page = await write(house, '"><script>alert(1)</script>', "k")
    assert status == 422
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


async def test_home_leads_here_until_an_ask_has_left(house: House) -> None:
    assert "/office/start" in await page_of(house, "/office")
    now = house.runtime.clock()
    ask = Ask.model_validate({"title": "Come", "texts": {"en": {"default": {"text": "Come along"}}}})
    number = (await save_campaign(house.runtime, ask, by="Ada", now=now)).id
    assert done(await page_of(house))[3:] == [False, False]
    people = [{"id": 10_000 + one, "joined_at": now, "created_at": now, "updated_at": now} for one in range(TEN)]
    async with house.runtime.store.write() as connection:
        await connection.execute(insert(member), people)
        await connection.execute(campaign.update().where(campaign.c.id == number).values(launched_at=now))
    assert done(await page_of(house))[3:] == [True, True]
    assert "/office/start" not in await page_of(house, "/office")


async def test_without_a_channel_it_says_what_to_set(sqlite_url: str) -> None:
    settings = Settings(database_url=sqlite_url, secret_key=SecretStr("s" * 40), public_url="http://127.0.0.1:9")
    async with open_runtime(settings, environment={}) as runtime, serving(runtime) as client:
        ada = await come_in(runtime, Role.ADMIN, name="Ada", now=runtime.clock())
        async with client.get("/office/start", headers=ada.headers) as response:
            page = await response.text()
    assert done(page) == [True, False, False, False, False]
    assert "OUTREACH_TELEGRAM_TOKEN" in page
    assert "A2P 10DLC" in page
