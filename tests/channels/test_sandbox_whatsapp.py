"""The simulated provider of WhatsApp, as Twilio speaks for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from channels.sandbox import Sandbox
from channels.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER
from channels.sandbox.twilio_content import ASK, NOTICE
from tests.channels.sandbox_client import PHONE, QUICK, basic, post
from tests.channels.sandbox_hooks import Hooks

WHATSAPP = f"whatsapp:{PHONE}"
BRITON = "whatsapp:+447700900123"


@pytest.fixture
async def whatsapp(hooks: Hooks) -> AsyncIterator[Sandbox]:
    async with Sandbox(knobs=QUICK, webhooks={"whatsapp": f"{hooks.url}/hooks/whatsapp"}) as sandbox:
        yield sandbox


async def post_whatsapp(http: aiohttp.ClientSession, sandbox: Sandbox, **form: str) -> tuple[int, dict[str, Any]]:
    return await post(http, sandbox, **({"To": BRITON, "From": f"whatsapp:{FROM_NUMBER}"} | form))


def template(sid: str, *values: str) -> dict[str, str]:
    return {"Body": "", "ContentSid": sid, "ContentVariables": json.dumps(dict(enumerate(values, 1)))}


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"To": "whatsapp:447700900123"}, 21211),
        ({"From": FROM_NUMBER}, 21910),
        ({"To": PHONE}, 21910),
        ({"Body": ""}, 21602),
        ({"MediaUrl": "ftp://example.org/a.jpg"}, 21620),
        (template("HX" + "0" * 32), 21655),
        (template(ASK.sid, "Amal", "", "YES|1-1", "NO|1-1"), 21656),
        ({"ContentSid": ASK.sid, "ContentVariables": "{"}, 21656),
        ({"ContentSid": ASK.sid, "ContentVariables": "[]"}, 21656),
    ],
)
async def test_what_whatsapp_over_twilio_refuses(
    whatsapp: Sandbox, http: aiohttp.ClientSession, form: dict[str, str], code: int
) -> None:
    assert (await post_whatsapp(http, whatsapp, **form))[1].get("code") == code
    assert len(whatsapp.memory.accepted) == 0


async def test_free_words_reach_only_who_wrote_within_a_day(hooks: Hooks, http: aiohttp.ClientSession) -> None:
    now = 1_800_000_000.0
    async with Sandbox(knobs=QUICK, clock=lambda: now) as sandbox:

        async def outcome() -> list[str | None]:
            hooks.calls.clear()
            assert (await post_whatsapp(http, sandbox, StatusCallback=hooks.url))[0] == 201
            await sandbox.idle()
            return [call.form.get("ErrorCode") or call.form["MessageStatus"] for call in hooks.calls]

        assert await outcome() == ["63016"]
        sandbox.phones.reply(BRITON, "hello")
        sandbox.phones.reply("+447700900123", "an SMS opens no window")
        await sandbox.idle()
        assert await outcome() == ["sent", "delivered", "read"]
        assert hooks.calls[-1].form["EventType"] == "READ"
        now += 86_399
        assert await outcome() == ["sent", "delivered", "read"]
        now += 1
        assert await outcome() == ["63016"]


async def test_templates_need_approval_all_their_values_and_no_us_number(
    whatsapp: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    pending = whatsapp.contents.add("Hello {{1}}")

    async def outcome(**form: str) -> str:
        hooks.calls.clear()
        assert (await post_whatsapp(http, whatsapp, StatusCallback=hooks.url, **form))[0] == 201
        await whatsapp.idle()
        return hooks.calls[-1].form.get("ErrorCode") or hooks.calls[-1].form["MessageStatus"]

    ask = template(ASK.sid, "Amal", "come on Saturday.", "YES|1-1", "NO|1-1")
    assert await outcome(**ask) == "read"
    assert whatsapp.memory.accepted[-1].text == "Hi Amal, come on Saturday. See you there?"
    assert await outcome(**ask, To=WHATSAPP) == "63049"
    assert await outcome(**template(NOTICE.sid, "Amal", "it moved."), To=WHATSAPP) == "read"
    assert await outcome(**template(ASK.sid, "Amal")) == "63028"
    assert await outcome(**template(pending, "Amal")) == "63016"
    whatsapp.phones.reply(BRITON, "hello")
    await whatsapp.idle()
    assert await outcome(**template(pending, "Amal")) == "read"


async def test_a_button_is_pressed_and_stop_is_left_to_us(
    whatsapp: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    sent = await post_whatsapp(http, whatsapp, **template(ASK.sid, "Amal", "come!", "YES|202611-17", "NO|202611-17"))
    whatsapp.phones.answer(BRITON, "yes")
    await whatsapp.idle()
    (call,) = hooks.calls
    assert call.url == whatsapp.webhooks["whatsapp"]
    assert RequestValidator(AUTH_TOKEN).validate(call.url, call.form, call.headers["X-Twilio-Signature"])
    pressed = (call.form["Body"], call.form["ButtonText"], call.form["ButtonPayload"])
    assert pressed == ("Yes, I am in", "Yes, I am in", "YES|202611-17")
    assert call.form["OriginalRepliedMessageSid"] == sent[1]["sid"]
    assert (call.form["From"], call.form["To"]) == (BRITON, f"whatsapp:{FROM_NUMBER}")
    for how in (whatsapp.phones.answer, whatsapp.phones.reply):
        how(BRITON, "STOP")
        await whatsapp.idle()
        assert hooks.calls[-1].form["Body"] == "STOP"
        assert not {"OptOutType", "ButtonPayload"} & hooks.calls[-1].form.keys()
    assert (await post_whatsapp(http, whatsapp))[0] == 201
    conversation = whatsapp.memory.conversation(BRITON)
    assert conversation is not None
    assert "provider" not in [entry.side for entry in conversation.entries]
    assert conversation.entries[0].text == "Hi Amal, come! See you there?\n[Yes, I am in] [Not this time]"


async def test_people_press_buttons_by_script(whatsapp: Sandbox, hooks: Hooks, http: aiohttp.ClientSession) -> None:
    whatsapp.turn(p_yes=1)
    await post_whatsapp(http, whatsapp, **template(ASK.sid, "Amal", "come!", "YES|202611-17", "NO|202611-17"))
    await whatsapp.idle()
    assert hooks.calls[0].form["ButtonPayload"] == "YES|202611-17"
    await post_whatsapp(http, whatsapp, To="whatsapp:+447700900124", **template(NOTICE.sid, "Li", "thanks."))
    await whatsapp.idle()
    assert hooks.calls[1].form["Body"] == "YES"
    assert "ButtonPayload" not in hooks.calls[1].form


async def test_templates_are_made_over_twilios_content_api(whatsapp: Sandbox, http: aiohttp.ClientSession) -> None:
    auth, url = basic(ACCOUNT_SID, AUTH_TOKEN), f"{whatsapp.http_url}/v1/Content"
    action = {"type": "QUICK_REPLY", "title": "I am in", "id": "YES|{{2}}"}
    types = {"twilio/quick-reply": {"body": "Hi {{1}}", "actions": [action]}}
    async with http.post(url, json={"language": "en", "types": types}, headers=auth) as response:
        made = await response.json()
    assert made["types"] == {"twilio/quick-reply": {"body": "Hi {{1}}", "actions": [action]}}
    approval = f"{url}/{made['sid']}/ApprovalRequests/whatsapp"
    async with http.post(approval, json={"name": "ask", "category": "UTILITY"}, headers=auth) as response:
        assert response.status == 201
    await post_whatsapp(http, whatsapp, **template(made["sid"], "Amal", "202611-17"))
    assert whatsapp.memory.accepted[-1].text == "Hi Amal"
    assert whatsapp.memory.accepted[-1].code == 0
    async with http.get(f"{url}/{made['sid']}", headers=auth) as response:
        assert (await response.json())["sid"] == made["sid"]
    for bad in (b"{", b"[]", b'{"types": []}', b'{"types": {"twilio/text": 1}}'):
        async with http.post(url, data=bad, headers=auth) as response:
            assert response.status == 400
    async with http.get(f"{url}/HX1", headers=auth) as response:
        assert response.status == 404
