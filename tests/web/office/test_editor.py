"""The ask editor: what is typed becomes an ask, errors stand beside the box, others' asks are out of reach."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.core.ask import Ask
from router.core.audience import Tagged
from router.core.content_syntax import ATTRIBUTE, VARIABLES
from router.core.ladder import Rung
from router.core.model import AskKind, Purpose
from router.core.roles import Role
from router.drafting import edit_campaign, save_campaign
from router.runtime import Runtime
from router.store.engine import Store
from router.views import view_campaign
from router.web.office.ask_form import WrongFields, ask_of, blank, fields_in, fields_of
from router.web.office.ask_words import KINDS, PURPOSES, VARIABLE_WORDS, WANTS
from tests.support.ledger import ScriptedChannel
from tests.support.office import Entered, come_in
from tests.support.runtime import Clock, running_runtime
from tests.web.conftest import serving

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}'
TENANTS = Tagged(op="tag", tag="tenants")
TEXT = "texts.en.default.text"
FULL: dict[str, Any] = {
    "title": "Dinner",
    "texts": {
        "en": {
            "default": {
                "text": "Dinner, {{ first_name }}?\nSay yes.",
                "subject": "Dinner",
                "buttons": [{"label": "I come", "reply": "YES"}, {"label": "Read", "link": True}],
            },
            "whatsapp": {
                "text": "Dinner?",
                "template": "HX1",
                "variables": {"1": '{{ first_name | default("a = b") }}'},
            },
        },
        "es": {"default": {"text": "¿Cenamos?"}},
    },
    "second": {"en": {"default": {"text": "Hungry?"}}},
    "link": "https://example.org/dinner",
    "picture": {"url": "https://example.org/table.jpg", "alt": "A table"},
    "channels": ["sms", "whatsapp"],
    "groups": ["west, and north", "group:42"],
    "priority": -2,
    "purpose": "meeting",
    "wants": "attend",
    "keywords": ["RENT"],
    "gathering": {"title": "Dinner", "starts_at_local": "2026-12-05T18:00"},
    "starts_at": "2026-12-01T10:00:00Z",
    "deadline": "2026-12-06T18:00:30Z",
    "goal": {"measure": "yes", "places": {"Oakland": 4}},
    "spend_limit": {"amount": 12.5, "currency": "EUR"},
    "waterfall": [{"channel": "sms", "wait_minutes": 4}],
    "audience": {"op": "tag", "tag": "tenants"},
    "urgent": True,
}


def plain(**changes: str) -> dict[str, str]:
    """A form that can be saved, with `changes` by name (``__`` for the dots)."""
    fields = blank() | {"title": "Dinner", TEXT: "Dinner, {{ first_name }}?"}
    return fields | {name.replace("__", "."): value for name, value in changes.items()}


async def send(client: TestClient, who: Entered, path: str, form: Mapping[str, str]) -> ClientResponse:
    return await client.post(path, data={"csrf": who.csrf, **form}, headers=who.headers, allow_redirects=False)


async def save(runtime: Runtime, clock: Clock, **ask: Any) -> int:
    values = {"title": "Dinner", "texts": {"en": {"default": {"text": "Dinner?"}}}, **ask}
    return (await save_campaign(runtime, Ask.model_validate(values), by="ana", now=clock())).id


async def campaigns(runtime: Runtime) -> int:
    async with runtime.store.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM campaign")) or 0)


# ── fields and asks ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_ask_comes_back_from_its_form_as_it_was() -> None:
    for changes in ({}, {"starts_at": None, "starts_at_local": "2026-12-01T18:00"}, {"kind": "reminder", "about": 7}):
        values = FULL | changes
        if "about" in changes:
            values |= {"wants": "custom", "gathering": None}
        ask = Ask.model_validate(values)
        fields = fields_of(ask)
        form = {name: value.split("\n") if name == "channels" else [value] for name, value in fields.items()}
        form = {name: [one.replace("\n", "\r\n") for one in given] for name, given in form.items()}
        assert ask_of(fields_in(form), audience=ask.audience) == ask


def test_what_is_wrong_is_said_at_its_box() -> None:
    for name, value, box, words in (
        ("title", "", "title", "Write something"),
        ("link", "example", "link", "whole web address"),
        (TEXT, "", TEXT, "Write something"),
        (TEXT, "x" * 20_001, TEXT, "At most 20,000"),
        ("texts.en.default.buttons", "Come", "texts.en.default.buttons", "has no ="),
        ("texts.en.default.buttons", "Come = yes", "texts.en.default.buttons", "cannot be written so"),
        ("deadline", "tomorrow", "deadline", "2026-12-01T18:00"),
        ("goal.target", "many", "goal.target", "whole number"),
        ("goal.places", "Oakland = x", "goal.places", "whole number"),
        ("spend_limit.amount", "lots", "spend_limit.amount", "Write a sum"),
        ("priority", "99", "priority", "less than or equal to 10"),
        ("rest", "{", "rest", "Is no JSON"),
        ("rest", '{"audience": {}}', "rest", "audience is not among them"),
        ("rest", '{"keywords": ["rent"]}', "rest", "cannot be written so"),
        ("starts", "at", "starts_on", "Say when"),
        ("alert", "yes", "", "never for fundraising"),
    ):
        fields = plain() | {name: value} | ({"purpose": "fundraising"} if name == "alert" else {})
        with pytest.raises(WrongFields) as caught:
            ask_of(fields)
        assert words in caught.value.wrong[box], (name, caught.value.wrong)
    with pytest.raises(WrongFields) as caught:
        ask_of(plain(deadline="2026-12-01T18:00", zone="Mars/Port"))
    assert "no time zone" in caught.value.wrong["zone"]


def test_a_moment_is_by_the_clock_that_was_named() -> None:
    fields = plain(deadline="2026-12-01T18:00", zone="America/New_York", starts="local", starts_on="2026-11-30T09:00")
    ask = ask_of(fields)
    assert ask.deadline is not None
    assert ask.deadline.isoformat() == "2026-12-01T23:00:00+00:00"
    assert str(ask.starts_at_local) == "2026-11-30 09:00:00"
    assert fields_of(ask)["deadline"] == "2026-12-01T23:00"


def test_everything_that_may_be_chosen_has_words() -> None:
    assert set(KINDS) == set(AskKind) - {AskKind.REPORT_BACK, AskKind.REPLY}
    assert set(WANTS) == set(Rung)
    assert set(PURPOSES) == set(Purpose)
    assert set(VARIABLE_WORDS) == {*VARIABLES, f"{ATTRIBUTE}.NAME"}


# ── a new ask ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_ask_is_written_once_however_often_its_form_is_sent(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    async with client.get("/office/asks/new", headers=ada.headers) as response:
        page = await response.text()
    found = re.search(r'name="once" value="([^"]+)"', page)
    assert found is not None
    form = plain(texts__en__default__buttons="I come = YES") | {"once": found[1], "do": "save"}
    places = {(await send(client, ada, "/office/asks/new", form)).headers["Location"] for _ in range(2)}
    [place] = places
    assert await campaigns(runtime) == 1
    view = await view_campaign(runtime, int(place.split("/")[3]))
    assert (view.created_by, view.ask.texts["en"]["default"].buttons[0].reply) == (ada.organizer.name, "YES")
    back = await send(client, ada, "/office/asks/new", form | {"title": "Supper"})  # the browser's back, then again
    assert back.headers["Location"] == place
    assert (await view_campaign(runtime, view.id)).title == "Supper"
    both = await asyncio.gather(
        *(send(client, ada, "/office/asks/new", form | {"once": "another key"}) for _ in range(3))
    )
    assert len({response.headers["Location"] for response in both} - {place}) == 1
    assert await campaigns(runtime) == 2
    eve = await come_in(runtime, Role.AUTHOR, name="Eve", now=clock())
    assert (await send(client, eve, "/office/asks/new", form)).headers["Location"] != place
    assert await campaigns(runtime) == 3


async def test_beside_the_form_boxes_have_the_names_that_the_form_gives_them(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())

    async def shown(**values: str) -> str:
        response = await send(client, ada, "/office/asks/preview-words", plain(**values))
        assert response.status == 200
        return await response.text()

    assert "Write something, and see here how it looks" in await shown(texts__en__default__text=" ")
    wrong = await shown(texts__en__default__text="Hello {{ frist_name }}")
    assert "Text (en, for all channels): Line 1 column 10" in wrong
    assert "Text (en, for sms, second text)" in await shown(second__en__sms__text="ACT NOW!!! YOUR LAST CHANCE!!!")
    assert "texts.en" not in wrong


async def test_a_wrong_form_keeps_what_was_typed_and_says_where(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    form = plain(texts__en__default__text="Hello {{ frist_name }}\nsee bit.ly/x", deadline="2020-01-01T10:00")
    response = await send(client, ada, "/office/asks/new", form)
    page = await response.text()
    assert response.status == 422
    assert "Hello {{ frist_name }}" in page
    assert 'id="texts.en.default.text-wrong">Line 1 column 10: ' in page
    assert "did you mean first_name?" in page
    assert "public link shortener" in page  # beside it, with all else that is wrong
    response = await send(client, ada, "/office/asks/new", plain(deadline="2020-01-01T10:00"))
    assert 'id="deadline-wrong">The deadline has passed' in await response.text()
    response = await send(client, ada, "/office/asks/new", plain(kind="report_back"))
    assert response.status == 422
    assert await campaigns(runtime) == 0


async def test_boxes_come_and_go_without_a_script(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    form = plain()

    async def press(do: str, **more: str) -> str:
        response = await send(client, ada, "/office/asks/new", form | {"do": do} | more)
        return await response.text()

    assert 'name="texts.es.default.text"' in await press("add-locale", new_locale="es")
    assert "write a language as in en" in (await press("add-locale", new_locale="english!")).lower()
    assert 'name="texts.en.sms.text"' in await press("add-words:en", **{"words.en": "sms"})
    assert 'name="second.en.default.text"' in await press("add-second:en.default")
    form |= {"texts.es.default.text": "Hola"}
    page = await press("show")
    assert '<option value="en" selected>en</option>' in page
    assert "drop:texts.en.default" not in page
    page = await press("show", default_locale="es")
    assert "drop:texts.en.default" in page
    assert "drop:texts.es.default" not in page
    assert 'name="texts.es.default.text"' not in await press("drop:texts.es.default")
    assert "Dinner, Wilhelmina-Alexandra?" in await press("show")
    assert await campaigns(runtime) == 0


async def test_hostile_words_are_shown_as_text(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    boxes = {name: HOSTILE for name in blank() if name not in ("default_locale", "starts")}
    more = {f"texts.en.default.{part}": HOSTILE for part in ("subject", "buttons", "template", "variables")}
    readable = plain(title=HOSTILE, texts__en__default__text="ACT NOW!!! <script>alert(1)</script>")
    for form in (boxes | more, readable):
        for do in ("save", "show", "test", "words"):
            path = "/office/asks/preview-words" if do == "words" else "/office/asks/new"
            response = await send(client, ada, path, form | {"do": do, "default_locale": "en", "once": HOSTILE})
            page = await response.text()
            assert response.status in (200, 422) or form is readable
            assert "<script>alert" not in page
            assert "<img" not in page
            assert ">49" not in page
            assert "&lt;script&gt;alert(1)" in page or do == "words" or response.status == 303


async def test_a_paste_without_end_is_refused(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    headers = ada.headers | {"Content-Type": "application/x-www-form-urlencoded"}
    paste = io.BytesIO(b"title=" + b"x" * 5_000_000)
    async with client.post("/office/asks/new", data=paste, headers=headers) as response:
        assert response.status == 413
    response = await send(client, ada, "/office/asks/new", plain(texts__en__default__text="x" * 500_000))
    assert response.status == 422


async def test_the_words_are_shown_as_phones_show_them(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    form = plain(texts__en__default__text="Rent 🏠 strike today, {{ first_name }}! LAST CHANCE", title="")
    headers = ada.headers | {"HX-Request": "true"}
    form |= {"csrf": ada.csrf, "texts.es.default.text": "Huelga"}
    async with client.post("/office/asks/preview-words", data=form, headers=headers) as response:
        part = await response.text()
    assert "<html" not in part
    assert "Tenants Together: Rent 🏠 strike today, Wilhelmina-Alexandra! LAST CHANCE" in part
    assert "2 segments in UCS-2, 0.0166 USD each" in part
    assert "🏠</span>" in part
    assert "Tenants Together: Huelga" in part
    assert "<mark>LAST CHANCE</mark>" in part


# ── an ask that is there ──────────────────────────────────────────────────────────────────────────────────────────


async def test_other_words_keep_the_audience_and_the_state_decides(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    number = await save(runtime, clock, audience=TENANTS.model_dump(), keywords=["RENT"])
    path = f"/office/asks/{number}/edit"
    async with client.get(path, headers=ada.headers) as response:
        assert "Dinner?" in await response.text()
    form = fields_of((await view_campaign(runtime, number)).ask) | {"title": "Supper", "version": "1"}
    assert (await send(client, ada, path, form)).headers["Location"] == f"/office/asks/{number}"
    view = await view_campaign(runtime, number)
    assert (view.title, view.ask.audience, view.ask.keywords, view.text_version) == ("Supper", TENANTS, ["RENT"], 2)
    assert (await send(client, ada, path, form)).status == 303
    assert (await view_campaign(runtime, number)).text_version == 2
    async with runtime.store.write() as connection:
        await connection.execute(text("UPDATE campaign SET status = 'running'"))
    response = await send(client, ada, path, form | {"title": "Lunch", "version": "2"})
    assert response.status == 422
    assert 'role="alert"' in await response.text()


async def test_of_two_tabs_the_second_is_told_before_it_replaces(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    number = await save(runtime, clock)
    ask = (await view_campaign(runtime, number)).ask
    await edit_campaign(runtime, number, ask.model_copy(update={"title": "Theirs"}), by="bo", now=clock())
    form = fields_of(ask) | {"title": "Mine", "version": "1"}
    response = await send(client, ada, f"/office/asks/{number}/edit", form)
    page = await response.text()
    assert response.status == 422
    assert "Somebody saved other words meanwhile" in page
    assert 'name="version" value="2"' in page
    await send(client, ada, f"/office/asks/{number}/edit", form | {"version": "2"})
    assert (await view_campaign(runtime, number)).title == "Mine"


async def test_an_organizer_of_a_part_reaches_no_asks_but_those_for_it(
    client: TestClient, runtime: Runtime, clock: Clock
) -> None:
    captain = await come_in(runtime, Role.AUTHOR, audience=TENANTS, now=clock())
    others = await save(runtime, clock)
    for method in ("GET", "POST"):
        async with client.request(
            method, f"/office/asks/{others}/edit", headers=captain.headers | {"X-CSRF": captain.csrf}
        ) as response:
            assert response.status == 404
            assert "Dinner" not in await response.text()
    response = await send(client, captain, "/office/asks/new", plain() | {"once": "a key"})
    own = int(response.headers["Location"].split("/")[3])
    assert (await view_campaign(runtime, own)).ask.audience == TENANTS
    async with client.get(f"/office/asks/{own}/edit", headers=captain.headers) as response:
        assert response.status == 200
    response = await send(client, captain, "/office/asks/new", plain(groups="all"))
    assert response.status == 422
    assert "others than your part" in await response.text()


async def test_a_test_goes_to_oneself_and_says_so(client: TestClient, runtime: Runtime, clock: Clock) -> None:
    ada = await come_in(runtime, Role.AUTHOR, now=clock())
    for to, words in (
        ("", "write a mailbox"),
        ("12", "test_to-wrong"),
        ("ada@example.org", "email is not set up"),
    ):
        response = await send(client, ada, "/office/asks/new", plain() | {"do": "test", "test_to": to})
        page = await response.text()
        assert response.status == 422
        assert words in page.lower() or words in page, to
        assert 'id="test_to-wrong"' in page


async def test_the_real_message_goes_to_oneself(store: Store, clock: Clock) -> None:
    sms = ScriptedChannel()
    async with running_runtime(
        store, clock=clock, channels={"sms": {"main": sms}}, organization="Tenants Together"
    ) as runtime:
        ada = await come_in(runtime, Role.AUTHOR, now=clock())
        form = plain() | {"do": "test", "test_to": "+1 202 555 0123"}
        async with serving(runtime) as client:
            page = await (await send(client, ada, "/office/asks/new", form)).text()
        assert "Sent by sms (main) to " in page
        assert "+12025550123" not in page
        assert "+1 202 555 0123" not in page
        [message] = sms.handed
        assert (message.to, message.text) == ("+12025550123", "Tenants Together: Dinner, Wilhelmina-Alexandra?")
        assert await campaigns(runtime) == 0
