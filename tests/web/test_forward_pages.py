"""The page behind a link that was passed on, and the member's own page: no names, no scripts, no ranking."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.community.forwarding import forward_link, shared_link
from router.core.links import action_token
from router.core.model import DeliveryRef
from router.core.phrases import LANGUAGES
from router.runtime import Runtime
from tests.web.conftest import MakeHeaders
from tests.web.test_campaigns import post
from tests.web.test_giving import launched
from tests.web.test_join_pages import EVIL, Page

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"}
FORM = {"first_name": "Bo", "phone": "+33639980021", "agree_sms": "yes", "postcode": "75011", "language": "fr"}
ANA = {"external_id": "crm-7", "first_name": "Anastasia", "phone": "+33639980009"}
ASK: dict[str, Any] = {
    "title": f"Stop the rent rise {EVIL}",
    "wants": "sign",
    "link": "https://sign.example.org/rents?lang=en",
    "texts": {
        "en": {
            "default": {"text": f"Hello {{{{ first_name | default('friend') }}}}, sign here: {{{{ link }}}} {EVIL}"}
        },
        "ar": {"default": {"text": "وقع هنا"}},
    },
}


@pytest.fixture
async def link(client: TestClient, admin: dict[str, str], runtime: Runtime) -> DeliveryRef:
    """Ana was asked to sign, and passes it on."""
    campaign = await launched(client, admin, goal=None, **ASK)
    ana = (await post(client, "/members", admin, ANA))["member_id"]
    return await asked(runtime, campaign, ana, 99)


async def asked(runtime: Runtime, campaign: int, member: int, number: int) -> DeliveryRef:
    async with runtime.store.write() as connection:
        await connection.execute(
            text(
                "INSERT INTO delivery (month, id, campaign_id, member_id, channel, status)"
                " VALUES (202611, :id, :campaign, :member, 'sms', 'sent')"
            ),
            {"id": number, "campaign": campaign, "member": member},
        )
    return DeliveryRef(202611, number)


def path_of(address: str) -> str:
    return address.removeprefix("https://outreach.example.org")


async def rows(runtime: Runtime, statement: str) -> list[tuple[Any, ...]]:
    async with runtime.store.read() as connection:
        return [tuple(row) for row in (await connection.execute(text(statement))).all()]


async def look(client: TestClient, path: str, *, status: int = 200, **headers: str) -> str:
    async with client.get(path, headers={**BROWSER, **headers}) as response:
        assert (response.status, response.content_type) == (status, "text/html")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
        return await response.text()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_ask_is_shown_and_not_who_passed_it_on(
    client: TestClient, runtime: Runtime, link: DeliveryRef, language: str
) -> None:
    path = path_of(forward_link(runtime, link))
    page = await look(client, path, **{"Accept-Language": language})
    for secret in ("Anastasia", "39980009", "crm-7", ">99<"):
        assert secret not in page
    assert ("وقع هنا" if language == "ar" else "Hello friend, sign here: https://sign.example.org/rents") in page
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 2
    tags = Page(page).tags
    assert not {name for name, _ in tags} & {"script", "style", "img", "iframe"}
    assert not any(attribute.startswith("on") or attribute == "style" for _, a in tags for attribute in a)
    [form] = [a for name, a in tags if name == "form"]
    assert form == {"method": "post", "action": path}
    [button] = [a for name, a in tags if name == "a" and "hreflang" not in a]
    assert button["href"] == f"https://sign.example.org/rents?lang=en&via={path.rpartition('/')[2]}"
    [words] = [a for name, a in tags if name == "blockquote"]
    assert words["lang"] == ("ar" if language == "ar" else "en")


async def test_people_are_counted_and_programs_are_not(client: TestClient, runtime: Runtime, link: DeliveryRef) -> None:
    path = path_of(forward_link(runtime, link))
    for headers in ({"User-Agent": "WhatsApp/2.24.11.79 A"}, {"User-Agent": "TelegramBot (like TwitterBot)"}, {}):
        async with client.get(path, headers=headers) as response:
            assert response.status == 200
    async with client.head(path, headers=BROWSER) as response:
        assert response.status == 200
    await look(client, path, **{"Sec-Purpose": "prefetch"})
    assert await rows(runtime, "SELECT * FROM forward") == []
    for _ in range(3):
        await look(client, path)
    assert await rows(runtime, "SELECT opened FROM forward") == [(3,)]
    assert await rows(runtime, "SELECT kind, source FROM action") == [("shared", "forward")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("status = 'cancelled'", "This was called off."),
        ("expires_at = 1", "This is over."),
    ],
)
async def test_what_is_over_says_so_and_still_lets_people_join(
    client: TestClient, runtime: Runtime, link: DeliveryRef, change: str, says: str
) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text(f"UPDATE campaign SET {change}"))
    path = path_of(forward_link(runtime, link))
    page = await look(client, path)
    assert says in page
    assert not [a for name, a in Page(page).tags if name == "a" and "hreflang" not in a], "it leads nowhere any more"
    async with client.post(path, data=FORM) as response:
        assert response.status == 200
    assert len(await rows(runtime, "SELECT * FROM forwarded")) == 1


async def test_the_form_says_the_same_whoever_is_known_here(
    client: TestClient, runtime: Runtime, link: DeliveryRef
) -> None:
    path = path_of(forward_link(runtime, link))
    pages = set()
    for more in ({}, {}, {"website": "https://spam.example.org"}, {"phone": ANA["phone"]}):
        async with client.post(path, data={**FORM, **more}) as response:
            pages.add((response.status, await response.text()))
    assert len(pages) == 1
    assert "join_thanks" not in str(pages)
    assert await rows(runtime, "SELECT count(*), count(joined) FROM forwarded") == [(1, 0)]
    assert await rows(runtime, "SELECT first_name, locale FROM member WHERE first_name <> 'Anastasia'") == [
        ("Bo", "fr")
    ]
    assert await rows(runtime, "SELECT count(*) FROM forward") == [(0,)], "to send the form is not to open the link"


@pytest.mark.parametrize("changes", [{"agree_sms": ""}, {"phone": ""}, {"phone": "12"}])
async def test_a_form_that_cannot_be_used_comes_back(
    client: TestClient, runtime: Runtime, link: DeliveryRef, changes: dict[str, str]
) -> None:
    async with client.post(path_of(forward_link(runtime, link)), data={**FORM, **changes}) as response:
        assert response.status == 422
        page = await response.text()
    assert 'value="75011"' in page
    assert 'role="alert"' in page
    assert "sign here" in page
    assert await rows(runtime, "SELECT count(*) FROM forwarded") == [(0,)]


async def test_a_token_that_is_forged_foreign_or_of_nothing_gets_a_page(
    client: TestClient, runtime: Runtime, link: DeliveryRef
) -> None:
    good, own = (path_of(make(runtime, link)) for make in (forward_link, shared_link))
    gone = DeliveryRef(202611, 4711)
    swapped = good.replace("/f/", "/shared/"), own.replace("/shared/", "/f/")
    foreign = f"/f/{action_token(runtime.key, link)}"
    for path in (*swapped, foreign, good[:-1] + "_", "/f/x", "/shared/x", path_of(forward_link(runtime, gone))):
        page = await look(client, path, status=404)
        assert "not complete, or is too old" in page
        async with client.post(path, data=FORM) as response:
            assert response.status in (404, 405)
    assert await rows(runtime, "SELECT count(*) FROM forwarded") == [(0,)]


# ── the member's own page ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_member_sees_what_their_own_links_brought_and_nobody_elses(
    client: TestClient, runtime: Runtime, admin: dict[str, str], link: DeliveryRef
) -> None:
    mine = path_of(shared_link(runtime, link))
    assert "Opened: 0" in await look(client, mine), "before anybody followed it"
    [[campaign, ana]] = await rows(runtime, "SELECT campaign_id, member_id FROM delivery")
    bob = (await post(client, "/members", admin, {"phone": "+33639980031", "first_name": "Bob"}))["member_id"]
    friend = (await post(client, "/members", admin, {"phone": "+33639980032", "first_name": "Cleo"}))["member_id"]
    secret = await launched(client, admin, goal=None, title="Only Bob was asked")
    theirs = [await asked(runtime, campaign, bob, 777_001), await asked(runtime, secret, bob, 777_002)]
    for ref, times in ((link, 2), (theirs[0], 4), (theirs[1], 6)):
        for _ in range(times):
            await look(client, path_of(forward_link(runtime, ref)))
    told = {"external_id": "s-1", "kind": "signed", "member_id": friend}
    via = path_of(forward_link(runtime, link)).rpartition("/")[2]
    await post(client, "/actions", admin, {**told, "via": via}, status=201)
    page = await look(client, mine)
    assert [line for line in ("Opened: 2", "Joined: 0", "Took part: 1") if line not in page] == []
    assert forward_link(runtime, link) in page
    assert "<script" not in page
    others = [forward_link(runtime, ref) for ref in theirs]
    for other in ("Bob", "Cleo", "Anastasia", "Opened: 4", "Opened: 6", *others):
        assert other not in page
    numbers = {int(number) for number in re.findall(r"\d+", re.sub(r"https://\S+", "", page))}
    assert not numbers & {ana, bob, friend, campaign, secret, 99, 777_001, 777_002}


async def test_who_is_gone_has_no_page(client: TestClient, runtime: Runtime, link: DeliveryRef) -> None:
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE member SET erased_at = 1"))
    await look(client, path_of(shared_link(runtime, link)), status=404)
    await look(client, path_of(forward_link(runtime, link)))
    assert await rows(runtime, "SELECT * FROM forward") == []


# ── through the API ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_staff_may_look_at_one_members_numbers(
    client: TestClient, runtime: Runtime, bearer: MakeHeaders, link: DeliveryRef
) -> None:
    await look(client, path_of(forward_link(runtime, link)))
    [[campaign, ana]] = await rows(runtime, "SELECT campaign_id, member_id FROM delivery")
    headers = await bearer("campaigns:read")
    async with client.get(f"/api/v1/members/{ana}/forwards", headers=headers) as response:
        found: Mapping[str, Any] = await response.json()
    [one] = found["forwards"]
    assert (one["campaign_id"], one["opened"], one["joined"], one["acted"]) == (campaign, 1, 0, 0)
    async with client.get("/api/v1/members/4711/forwards", headers=headers) as response:
        assert response.status == 404
    async with client.get(f"/api/v1/members/{ana}/forwards", headers=await bearer("members:write")) as response:
        assert response.status == 403


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"via": "x"}, 404, "via"),
        ({"via": "../../etc/passwd"}, 404, "via"),
        ({"ref": "y"}, 422, ""),
        ({"campaign_id": 4711}, 422, "campaign_id"),
    ],
)
async def test_an_action_with_a_link_that_cannot_be_meant(
    client: TestClient, runtime: Runtime, admin: dict[str, str], link: DeliveryRef, more: dict[str, Any], status: int,
    field: str,
) -> None:  # fmt: skip
    [[_, ana]] = await rows(runtime, "SELECT campaign_id, member_id FROM delivery")
    via = path_of(forward_link(runtime, link)).rpartition("/")[2]
    body = {"external_id": "s-1", "kind": "signed", "member_id": ana, "via": via, **more}
    problem = await post(client, "/actions", admin, body, status=status)
    assert field in [error["field"] for error in problem["errors"]]
    assert await rows(runtime, "SELECT count(*) FROM action") == [(0,)]
