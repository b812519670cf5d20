"""A member's own door: they see and change what concerns them, take it along, lock it, and are erased."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import insert, text

from router.core.address import address_hash
from router.core.catalogue import translator
from router.core.phrases import LANGUAGES
from router.door import door_link
from router.runtime import Runtime
from router.store.tables import action, address, campaign, consent, delivery, member, report_back, suppression, to_ms
from router.web.page_words import channel_name
from tests.support.runtime import Clock
from tests.web.conftest import MakeHeaders

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}'
PHONE, MAIL = "+33639980001", "bo@example.org"
BO, ASK = 2, 50


@pytest.fixture
async def home(runtime: Runtime, clock: Clock) -> str:
    """The path of Bo's page, who got one ask by text message, and acted on it."""
    now, long_ago = clock(), clock() - timedelta(days=365)
    async with runtime.store.write() as connection:
        for row in (
            insert(member).values(
                id=BO,
                first_name=EVIL,
                locale="en",
                zone="Europe/Paris",
                joined_at=long_ago,
                created_at=now,
                updated_at=now,
                attributes={},
            ),
            insert(campaign).values(
                id=ASK, month=202611, title=EVIL, kind="action", status="finished", created_by="ana", created_at=now
            ),
            insert(delivery).values(
                month=202611,
                id=51,
                campaign_id=ASK,
                member_id=BO,
                channel="sms",
                address_id=102,
                status="sent",
                sent_at=to_ms(now),
            ),
            insert(action).values(
                id=52, member_id=BO, campaign_id=ASK, kind="signed", source="api", external_id="1", at=now
            ),
            insert(report_back).values(id=53, campaign_id=ASK, kind="result", text=EVIL, by="ana", at=now),
        ):
            await connection.execute(row)
        for number, (channel, kind, value) in enumerate((("sms", "phone", PHONE), ("email", "email", MAIL))):
            hash_ = address_hash(runtime.key, kind, value)
            await connection.execute(
                insert(address).values(
                    id=102 + number,
                    member_id=BO,
                    channel=channel,
                    value=value,
                    hash=hash_,
                    consent="granted",
                    created_at=now,
                )
            )
            await connection.execute(
                insert(consent).values(
                    id=202 + number,
                    member_id=BO,
                    channel=channel,
                    address_hash=hash_,
                    state="granted",
                    source="form",
                    wording=EVIL,
                    at=now,
                    recorded_at=now,
                )
            )
    link = await door_link(runtime, BO, now=now)
    return link.removeprefix("https://outreach.example.org")  # fmt: skip


async def see(client: TestClient, path: str, *, status: int = 200, **headers: str) -> str:
    response = await client.get(path, headers=headers)
    assert response.status == status
    return await response.text()


async def give(client: TestClient, path: str, form: Mapping[str, str], *, status: int = 200) -> str:
    response = await client.post(path, data=form)
    assert response.status == status
    return await response.text()


async def row_of(runtime: Runtime, what: str) -> Any:
    async with runtime.store.read() as connection:
        return (await connection.execute(text(f"SELECT {what} FROM member WHERE id = {BO}"))).one()


WISHES = {"do": "wishes", "dial": "weekly", "locale": "en", "zone": "Europe/Paris", "may.sms": "on", "may.email": "on"}


async def test_all_that_concerns_them_stands_there_and_nothing_of_it_is_markup(client: TestClient, home: str) -> None:
    shown = await see(client, home)
    assert "<script>" not in shown
    assert "<img" not in shown
    assert "49" not in re.findall(r"\d+", shown)
    assert shown.count("&lt;script&gt;") >= 4
    assert "signed" in shown
    assert "<li>text message: Mon–Sun 09:00-20:00</li>" in shown
    assert "<li>email: Mon–Sun 07:00-21:00</li>" in shown
    why = await see(client, f"{home}/why/{ASK}")
    assert "We sent it to you by text message at Fri 20 Nov 19:00." in why
    assert "<script>" not in why


async def test_looking_changes_nothing_and_a_strange_link_opens_nothing(
    client: TestClient, runtime: Runtime, clock: Clock, home: str
) -> None:
    before = await row_of(runtime, "*")
    for path in ("", f"/why/{ASK}", "/data.json", "/data.zip", "/erase"):
        assert (await client.get(home + path)).status == 200
        await see(client, home[:-1] + ("A" if home[-1] != "A" else "B") + path, status=404)
    assert await row_of(runtime, "*") == before
    await see(client, f"{home}/why/99", status=404)
    clock.advance(days=30)
    await see(client, home, status=404)
    await give(client, home, WISHES, status=404)


async def test_wishes_hold_at_once(client: TestClient, runtime: Runtime, home: str) -> None:
    form = {**WISHES, "locale": "de", "zone": "Europe/Berlin", "place.email": "1", "place.sms": "2"}
    form.pop("may.sms")
    shown = await give(client, home, form)
    assert translator("de").gettext("Saved. It holds from now on.") in shown
    assert 'lang="de"' in shown
    assert tuple(await row_of(runtime, "dial, locale, zone")) == ("weekly", "de", "Europe/Berlin")
    async with runtime.store.read() as connection:
        rows = await connection.execute(text("SELECT channel, consent, rank FROM address ORDER BY channel"))
        assert [tuple(row) for row in rows] == [("email", "granted", 0), ("sms", "revoked", 1)]
    await give(client, home, {**WISHES, "locale": "de"})
    async with runtime.store.read() as connection:
        evidence = await connection.execute(
            text("SELECT state, wording FROM consent WHERE channel = 'sms' AND id < 200 ORDER BY id")
        )
        words = translator("de").gettext(
            "%(organization)s may write to me by %(channel)s.", organization="Tenants Together", channel="SMS"
        )
        assert [tuple(row) for row in evidence] == [("revoked", ""), ("granted", words)]


async def test_what_cannot_be_saved_changes_nothing(
    client: TestClient, runtime: Runtime, clock: Clock, home: str
) -> None:
    before = await row_of(runtime, "dial, zone, paused_until")
    shown = await give(client, home, {**WISHES, "zone": EVIL}, status=422)
    assert "We do not know this time zone. Write it like Europe/Berlin. Nothing was changed." in shown
    assert "<script>" not in shown
    await give(client, home, {**WISHES, "dial": "louder"}, status=422)
    await give(client, home, {"do": "nonsense"}, status=422)
    async with runtime.store.write() as connection:
        hash_ = address_hash(runtime.key, "phone", PHONE)
        await connection.execute(
            insert(suppression).values(address_hash=hash_, channel="sms", reason="stop", at=clock())
        )
        await connection.execute(text("UPDATE address SET consent = 'revoked' WHERE channel = 'sms'"))
    assert (
        "You once told us to stop there. Write START to us from there if you want our messages again."
        " Nothing was changed." in await give(client, home, WISHES, status=422)
    )
    assert await row_of(runtime, "dial, zone, paused_until") == before


async def test_a_pause_and_its_end(client: TestClient, runtime: Runtime, clock: Clock, home: str) -> None:
    await give(client, home, {"do": "pause"})
    assert (await row_of(runtime, "paused_until")).paused_until == to_ms(clock() + timedelta(days=14))
    assert "End the pause" in await see(client, home)
    await give(client, home, {"do": "resume"})
    assert (await row_of(runtime, "paused_until")).paused_until is None


async def test_they_take_all_of_it_along_and_no_cell_is_a_formula(
    client: TestClient, runtime: Runtime, home: str
) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET last_name = '=1+1'"))
    own = json.loads(await see(client, f"{home}/data.json"))
    assert [one["value"] for one in own["addresses"]] == [MAIL, PHONE]
    assert own["consents"][0]["wording"] == EVIL
    response = await client.get(f"{home}/data.zip")
    with zipfile.ZipFile(io.BytesIO(await response.read())) as archive:
        person = archive.read("person.csv").decode()
        assert PHONE in archive.read("addresses.csv").decode()
    assert "'=1+1" in person


async def test_a_lost_phone_is_cut_off_by_the_page_itself(client: TestClient, runtime: Runtime, home: str) -> None:
    assert "Done. No link opens your page any more. Answer WHY to any message of ours to get a new one." in await give(
        client, home, {"do": "shut"}
    )
    await see(client, home, status=404)
    await give(client, home, WISHES, status=404)


async def test_erasing_asks_for_a_word_and_is_for_good(client: TestClient, runtime: Runtime, home: str) -> None:
    shown = await give(client, f"{home}/erase", {"word": "yes"}, status=422)
    assert "That was another word, so nothing was erased." in shown
    assert (await row_of(runtime, "erased_at")).erased_at is None
    await give(client, f"{home}/erase", {"word": " erase "})
    assert tuple(await row_of(runtime, "first_name, erased_at IS NOT NULL")) == ("", 1)
    await give(client, f"{home}/erase", {"word": "ERASE"}, status=404)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_it_speaks_their_language(
    client: TestClient, runtime: Runtime, clock: Clock, home: str, language: str
) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET locale = ''"))
    shown = await see(client, home, **{"Accept-Language": f"{language}-XX"})
    assert f'lang="{language}"' in shown
    assert ('dir="rtl"' in shown) is (language == "ar")
    speak = translator(language)
    assert speak.gettext("What you wish") in shown.replace("&#39;", "'")
    why = await see(client, f"{home}/why/{ASK}", **{"Accept-Language": language})
    by, when = channel_name(speak, "sms"), speak.moment(clock(), "Europe/Paris")
    assert speak.gettext("We sent it to you by %(channel)s at %(when)s.", channel=by, when=when) in why.replace(
        "&#39;", "'"
    )


async def test_the_api_makes_the_link_and_makes_it_void(client: TestClient, bearer: MakeHeaders, home: str) -> None:
    path, headers = f"/api/v1/members/{BO}/door", await bearer("admin")
    assert (await client.post(path)).status == 401
    assert (await client.post(path, headers=await bearer("campaigns:read"))).status == 403
    made = await client.post(path, headers=headers, json={"days": 1})
    link = (await made.json())["link"]
    await see(client, link.removeprefix("https://outreach.example.org"))
    assert (await client.delete(path, headers=headers)).status == 204
    await see(client, link.removeprefix("https://outreach.example.org"), status=404)
    await see(client, home, status=404)
    for work in (client.post, client.delete):
        assert (await work("/api/v1/members/999/door", headers=headers)).status == 404
