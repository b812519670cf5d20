"""The sandbox's Twilio: real sockets, Twilio's own SDK as client, every knob."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from channels.sandbox import Knobs, Sandbox
from channels.sandbox.server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER
from tests.channels.sandbox_client import PHONE, QUICK, basic, post
from tests.channels.sandbox_hooks import Hooks


@pytest.fixture
async def sandbox(hooks: Hooks) -> AsyncIterator[Sandbox]:
    async with Sandbox(knobs=QUICK, webhooks={"sms": f"{hooks.url}/hooks/sms?a=1"}) as sandbox:
        yield sandbox


def sdk(sandbox: Sandbox) -> Client:
    """Twilio's own client, its requests led to the sandbox."""

    class ToSandbox(TwilioHttpClient):
        def request(self, method: str, url: str, *more: Any, **named: Any) -> Any:
            for host in ("https://api.twilio.com", "https://messaging.twilio.com"):
                url = url.replace(host, sandbox.http_url)
            return super().request(method, url, *more, **named)

    return Client(ACCOUNT_SID, AUTH_TOKEN, http_client=ToSandbox(pool_connections=False, timeout=5))


async def test_twilios_own_sdk_sends_and_looks_up(sandbox: Sandbox) -> None:
    client = sdk(sandbox)
    words = 'Grüße, "quoted" \\ & = + % 100%zz \n新しい 🎉'
    sent = await asyncio.to_thread(
        client.messages.create,
        to=PHONE,
        from_=FROM_NUMBER,
        body=words,
        status_callback="http://127.0.0.1:9/?d=202611-7",
    )
    assert (sent.status, sent.to, sent.from_, sent.body) == ("queued", PHONE, FROM_NUMBER, words)
    assert sent.sid.startswith("SM")
    assert len(sent.sid) == 34
    by_service = await asyncio.to_thread(
        client.messages.create, to=PHONE, messaging_service_sid="MG" + "a" * 32, body="x"
    )
    assert (by_service.status, by_service.from_) == ("accepted", None)
    assert by_service.messaging_service_sid == "MG" + "a" * 32
    first, second = sandbox.memory.accepted
    assert (first.to, first.text, first.delivery, first.sid) == (PHONE, words, "202611-7", sent.sid)
    assert second.delivery == ""
    await asyncio.sleep(0.01)
    fetched = await asyncio.to_thread(client.messages(sent.sid).fetch)
    assert (fetched.status, fetched.body) == ("delivered", words)
    with pytest.raises(TwilioRestException) as lost:
        await asyncio.to_thread(client.messages("SM" + "0" * 32).fetch)
    assert (lost.value.status, lost.value.code) == (404, 20404)


async def test_sdk_lists_both_directions_by_page_and_date(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    for number in range(5):
        await post(http, sandbox, Body=str(number))
    await post(http, sandbox, To="+12025550199", Body="other")
    sandbox.phones.reply(PHONE, "hello you")
    await sandbox.idle()
    client = sdk(sandbox)

    async def bodies(**filters: Any) -> list[str]:
        return [m.body for m in await asyncio.to_thread(client.messages.list, **filters)]

    assert await bodies(to=PHONE, page_size=2) == ["4", "3", "2", "1", "0"]
    assert await bodies(to=FROM_NUMBER) == ["hello you"]
    assert await bodies(from_=PHONE) == ["hello you"]
    assert await bodies(limit=2) == ["hello you", "other"]
    now = datetime.now(UTC)
    assert await bodies(date_sent_after=now + timedelta(minutes=1)) == []
    assert len(await bodies(date_sent_after=now - timedelta(minutes=1))) == 7
    assert await bodies(date_sent_before=now - timedelta(minutes=1)) == []
    (inbound,) = await asyncio.to_thread(client.messages.list, to=FROM_NUMBER)
    assert (inbound.direction, inbound.status) == ("inbound", "received")


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"To": "12025550123"}, 400, 21211),
        ({"To": "+0123456789"}, 400, 21211),
        ({"To": "+1202555012３"}, 400, 21211),
        ({"To": ""}, 400, 21604),
        ({"From": ""}, 400, 21603),
        ({"Body": ""}, 400, 21602),
        ({"Body": "x" * 1601}, 400, 21617),
        ({"Body": "🎉" * 801}, 400, 21617),
        ({"ValidityPeriod": "0"}, 400, 21624),
        ({"ValidityPeriod": "36001"}, 400, 21624),
        ({"StatusCallback": "ftp://x"}, 400, 21609),
        ({"Body": "x" * 1600}, 201, None),
        ({"Body": "🎉" * 800}, 201, None),
        ({"ValidityPeriod": "36000"}, 201, None),
    ],
)
async def test_what_twilio_refuses(
    sandbox: Sandbox, http: aiohttp.ClientSession, form: dict[str, str], status: int, code: int | None
) -> None:
    got, answer = await post(http, sandbox, **form)
    assert got == status
    assert answer.get("code") == code
    assert len(sandbox.memory.accepted) == (status == 201)
    if code:
        assert answer["status"] == status
        assert answer["more_info"].endswith(str(code))
        assert answer["message"]


@pytest.mark.parametrize("auth", [(ACCOUNT_SID, "wrong"), ("ACother", AUTH_TOKEN), ("", "")])
async def test_wrong_credentials(sandbox: Sandbox, http: aiohttp.ClientSession, auth: tuple[str, str]) -> None:
    status, answer = await post(http, sandbox, auth=auth)
    assert (status, answer["code"]) == (401, 20003)
    assert len(sandbox.memory.accepted) == 0


async def test_receipts_are_signed_over_the_whole_address(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    callback = f"{hooks.url}/hooks/sms/main?d=202611-17&x=a%20b%2bc%7e"
    _, sent = await post(http, sandbox, StatusCallback=callback)
    await sandbox.idle()
    assert [call.form["MessageStatus"] for call in hooks.calls] == ["sent", "delivered"]
    for call in hooks.calls:
        assert call.url == callback
        assert call.form["MessageSid"] == sent["sid"]
        assert call.form["To"] == PHONE
        assert RequestValidator(AUTH_TOKEN).validate(callback, call.form, call.headers["X-Twilio-Signature"])
        assert not RequestValidator("x").validate(callback, call.form, call.headers["X-Twilio-Signature"])
    assert sandbox.memory.accepted[0].delivery == "202611-17"


async def test_undelivered_with_its_code(sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession) -> None:
    sandbox.turn(undelivered_rate=1, undelivered_codes=[30005], p_yes=1)
    _, sent = await post(http, sandbox, StatusCallback=f"{hooks.url}/?d=202611-1")
    await sandbox.idle()
    assert [call.form["MessageStatus"] for call in hooks.calls] == ["sent", "undelivered"], "and nobody answers it"
    assert hooks.calls[1].form["ErrorCode"] == "30005"
    assert "ErrorCode" not in hooks.calls[0].form
    fetched = await asyncio.to_thread(sdk(sandbox).messages(sent["sid"]).fetch)
    assert (fetched.status, fetched.error_code) == ("undelivered", 30005)


async def test_refuse_and_fail_name_single_phones(sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession) -> None:
    sandbox.turn(refuse={"+12025550101": 21610}, fail={"+12025550102": 30003})
    assert (await post(http, sandbox, To="+12025550101"))[1]["code"] == 21610
    assert (await post(http, sandbox, To="+12025550102", StatusCallback=hooks.url))[0] == 201
    await sandbox.idle()
    assert hooks.calls[-1].form["ErrorCode"] == "30003"


async def test_accepted_messages_are_never_merged(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    callback = "http://127.0.0.1:9/?d=202611-5"
    sandbox.turn(no_receipts=1)
    sids = {(await post(http, sandbox, StatusCallback=callback))[1]["sid"] for _ in range(3)}
    assert len(sids) == 3
    assert [row.delivery for row in sandbox.memory.accepted] == ["202611-5"] * 3
    assert sandbox.memory.duplicates() == {"202611-5": 3}
    async with http.get(f"{sandbox.http_url}/sandbox/accepted") as response:
        assert {row["sid"] for row in await response.json()} == sids


async def test_error_and_throttle_come_before_acceptance(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    sandbox.turn(error_rate=1)
    status, answer = await post(http, sandbox)
    assert (status, answer["code"]) == (500, 20500)
    sandbox.turn(error_rate=0, throttle_rate=1, retry_after=7)
    url = f"{sandbox.http_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    async with http.post(url, data={"To": PHONE}, headers=basic(ACCOUNT_SID, AUTH_TOKEN)) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert (await response.json())["code"] == 20429
    assert len(sandbox.memory.accepted) == 0


async def test_rates_are_shares_and_the_seed_repeats_them(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    async def run(seed: int) -> list[int]:
        sandbox.turn(error_rate=0.4, seed=seed)
        return [(await post(http, sandbox))[0] for _ in range(60)]

    first, again, other = await run(3), await run(3), await run(4)
    assert first == again != other
    assert 10 < Counter(first)[500] < 40


async def test_latency_and_jitter(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    sandbox.turn(latency=0.08, jitter=0.02)
    started = time.monotonic()
    task = asyncio.create_task(post(http, sandbox))
    await asyncio.sleep(0.04)
    assert len(sandbox.memory.accepted) == 1, "accepted at once, answered later"
    assert (await task)[0] == 201
    assert 0.08 <= time.monotonic() - started < 1


async def test_timeout_after_accept(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    sandbox.turn(timeout_after_accept=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(post(http, sandbox), 0.2)
    assert len(sandbox.memory.accepted) == 1


async def test_drop_after_accept(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    sandbox.turn(drop_after_accept=1)
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await post(http, sandbox)
    assert len(sandbox.memory.accepted) == 1


@pytest.mark.parametrize(
    ("knobs", "statuses"),
    [
        ({"no_receipts": 1}, []),
        ({"duplicate_receipts": 1}, ["sent", "sent", "delivered", "delivered"]),
        ({"out_of_order": 1}, ["delivered", "sent"]),
    ],
)
async def test_bad_receipts(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession, knobs: dict[str, float], statuses: list[str]
) -> None:
    sandbox.turn(**knobs)
    await post(http, sandbox, StatusCallback=f"{hooks.url}/")
    await sandbox.idle()
    assert [call.form["MessageStatus"] for call in hooks.calls] == statuses


async def test_receipt_delay(sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession) -> None:
    sandbox.turn(receipt_delay=0.1)
    await post(http, sandbox, StatusCallback=f"{hooks.url}/")
    started = time.monotonic()
    await sandbox.idle()
    assert 0.18 < time.monotonic() - started < 2


async def test_stop_is_confirmed_passed_on_and_blocks_until_start(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    await post(http, sandbox)
    sandbox.phones.reply(PHONE, " stop\n")
    await sandbox.idle()
    (call,) = hooks.calls
    assert call.url == sandbox.webhooks["sms"]
    assert RequestValidator(AUTH_TOKEN).validate(call.url, call.form, call.headers["X-Twilio-Signature"])
    assert call.form["OptOutType"] == "STOP"
    assert (call.form["From"], call.form["To"], call.form["Body"]) == (PHONE, FROM_NUMBER, " stop\n")
    conversation = sandbox.memory.conversation(PHONE)
    assert conversation is not None
    assert [entry.side for entry in conversation.entries] == ["arrived", "written", "provider"]
    status, answer = await post(http, sandbox)
    assert (status, answer["code"]) == (400, 21610)
    assert (await post(http, sandbox, MessagingServiceSid="MG" + "a" * 32, From=""))[1]["code"] == 21610
    assert (await post(http, sandbox, To="+12025550177"))[0] == 201, "others are not blocked"
    sandbox.phones.reply(PHONE, "UNSTOP")
    await sandbox.idle()
    assert hooks.calls[-1].form["OptOutType"] == "START"
    assert (await post(http, sandbox))[0] == 201


@pytest.mark.parametrize(
    ("text", "keyword"),
    [("Help", "HELP"), ("YES", None), ("please stop", None), ("STOPALL", "STOP"), ("optout", "STOP"), ("yes!", None)],
)
async def test_what_twilio_takes_for_a_keyword(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession, text: str, keyword: str | None
) -> None:
    await post(http, sandbox)
    async with http.post(f"{sandbox.http_url}/sandbox/reply", json={"phone": PHONE, "text": text}) as response:
        assert response.status == 202
    await sandbox.idle()
    assert hooks.calls[0].form.get("OptOutType") == keyword


async def test_twiml_answers_reach_the_phone_unless_it_is_blocked(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    hooks.answer = "<Response><Message><Body>Tom &amp; Li</Body></Message></Response>"
    await post(http, sandbox)
    sandbox.phones.reply(PHONE, "hi")
    await sandbox.idle()
    assert sandbox.memory.accepted[-1].text == "Tom & Li"
    sandbox.phones.reply(PHONE, "STOP")
    await sandbox.idle()
    assert len(sandbox.memory.accepted) == 2


async def test_people_answer_by_script_the_same_for_the_same_seed(hooks: Hooks, http: aiohttp.ClientSession) -> None:
    people = [f"+1202555{n:04d}" for n in range(100, 200)]

    async def run(order: list[str]) -> dict[str, str]:
        hooks.calls.clear()
        knobs = Knobs(p_yes=0.4, p_stop=0.2, p_help=0.1, reply_delay=0.001)
        async with Sandbox(knobs=knobs, webhooks={"sms": hooks.url}) as sandbox:
            for phone in order * 2:
                await post(http, sandbox, To=phone)
            await sandbox.idle()
            assert len(hooks.calls) == sum(Counter(call.form["Body"] for call in hooks.calls).values())
        return {call.form["From"]: call.form["Body"] for call in hooks.calls}

    first = await run(people)
    assert len(hooks.calls) == len(first), "one answer for each phone, however much it gets"
    assert first == await run(people[::-1])
    words = Counter(first.values())
    assert 25 < words["YES"] < 55
    assert 8 < words["STOP"] < 35
    assert 2 < words["HELP"] < 22


async def test_callbacks_wait_for_a_server_that_comes_back(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    late = Hooks()
    await late.open()
    await late.close()
    sandbox.turn(callback_tries=20, callback_pause=0.05, out_of_order=0)
    await post(http, sandbox, StatusCallback=f"{late.url}/")
    await asyncio.sleep(0.1)
    await late.open()
    await sandbox.idle()
    assert [call.form["MessageStatus"] for call in late.calls] == ["sent", "delivered"]
    await late.close()


async def test_callbacks_give_up_and_say_so(sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession) -> None:
    hooks.statuses = [503, 403]
    await post(http, sandbox, StatusCallback=f"{hooks.url}/")
    await sandbox.idle()
    assert len(hooks.calls) == 2, "Twilio does not repeat what was answered, whatever the answer"
    await post(http, sandbox, StatusCallback="http://127.0.0.1:9/")
    await sandbox.idle()
    counters = sandbox.stats()["counters"]
    assert counters["callbacks_answered_503"] == counters["callbacks_answered_403"] == 1
    assert counters["callbacks_answered_0"] == 2


async def test_closing_drops_what_is_pending_within_a_second(http: aiohttp.ClientSession) -> None:
    sandbox = Sandbox(knobs=Knobs(receipt_delay=60, timeout_after_accept=1))
    await sandbox.start()
    task = asyncio.create_task(post(http, sandbox, StatusCallback="http://127.0.0.1:9/"))
    await asyncio.sleep(0.2)
    assert len(sandbox.memory.accepted) == 1
    started = time.monotonic()
    await sandbox.aclose()
    assert time.monotonic() - started < 1
    with pytest.raises(aiohttp.ClientError):
        await task
    await sandbox.idle()
    assert sandbox.stats()["callbacks_pending"] == 0


async def test_controls_over_http(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    url = sandbox.http_url + "/sandbox"
    async with http.post(f"{url}/knobs", json={"p_yes": 0.5, "refuse": {PHONE: 21211}}) as response:
        assert (await response.json())["p_yes"] == 0.5
    assert sandbox.knobs.refuse == {PHONE: 21211}
    for bad in (
        {"p_yes": 2},
        {"nonsense": 1},
        {"latency": "soon"},
        {"latency": -1},
        {"p_yes": 0.9, "p_stop": 0.2},
        [1],
    ):
        async with http.post(f"{url}/knobs", json=bad) as response:
            assert response.status == 400
            assert (await response.json())["error"]
    assert sandbox.knobs.p_yes == 0.5
    async with http.get(f"{url}/accepted") as response:
        assert await response.json() == []
    sandbox.turn(refuse={})
    for _ in range(1203):
        sandbox.memory.accepted.add("twilio", PHONE, FROM_NUMBER, "202611-1", "x", 1.0)
    async with http.get(f"{url}/accepted?after=3") as response:
        rows = await response.json()
    assert len(rows) == 1200
    assert rows[0].keys() == {"provider", "to", "delivery", "sid", "at"}
    async with http.get(f"{url}/stats?duplicates=1") as response:
        stats = await response.json()
    assert (stats["accepted"], stats["duplicates"]) == (1203, {"202611-1": 1203})
    async with http.post(f"{url}/settings", json={"webhooks": {"sms": "http://127.0.0.1:9/x"}}) as response:
        assert (await response.json())["webhooks"]["sms"] == "http://127.0.0.1:9/x"
    assert sandbox.webhooks["sms"] == "http://127.0.0.1:9/x"
    async with http.delete(f"{url}/accepted") as response:
        assert (await response.json())["accepted"] == 0
    assert (await post(http, sandbox))[1]["sid"].endswith(f"{1203:x}"), "names are not used twice"
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
        async with http.delete(f"{url}/accepted", headers=headers) as response:
            assert response.status == 403
    async with http.get(f"{url}/nothing") as response:
        assert response.status == 404


async def test_words_are_kept_for_the_newest_only(http: aiohttp.ClientSession) -> None:
    async with Sandbox(keep_texts=3, keep_conversations=2) as sandbox:
        for number in range(5):
            await post(http, sandbox, To=f"+1202555010{number}", Body=str(number))
        assert [row.text for row in sandbox.memory.accepted] == ["", "", "2", "3", "4"]
        assert [c.address[-1] for c in sandbox.memory.conversations()] == ["4", "3"]


def test_the_environment_points_the_channels_at_it() -> None:
    environment = Sandbox(host="127.0.0.1", port=1, smtp_port=2).channel_environment()
    assert environment["OUTREACH_SMS_API_URL"] == "http://127.0.0.1:1"
    assert environment["OUTREACH_EMAIL_PORT"] == "2"
    assert Knobs().calm


async def test_as_a_process_it_says_where_it_is_and_ends_on_sigterm(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "channels.sandbox",
        "--fast",
        "--knobs",
        '{"retry_after": 3}',
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    settings = json.loads(await process.stdout.readline())
    async with http.get(settings["http_url"] + "/sandbox/knobs") as response:
        knobs = await response.json()
    assert (knobs["retry_after"], knobs["no_receipts"]) == (3, 1)
    os.kill(process.pid, signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert await process.stdout.read() == b""


async def test_the_account_and_its_webhooks_can_be_read(sandbox: Sandbox) -> None:
    sandbox.webhooks["whatsapp"] = "https://router.example.org/hooks/whatsapp"
    client = sdk(sandbox)
    assert (await asyncio.to_thread(client.api.accounts(ACCOUNT_SID).fetch)).status == "active"
    (number,) = await asyncio.to_thread(client.incoming_phone_numbers.list, phone_number=FROM_NUMBER)
    assert (number.sms_url, number.sms_method) == (sandbox.webhooks["sms"], "POST")
    assert await asyncio.to_thread(client.incoming_phone_numbers.list, phone_number=PHONE) == []
    service = client.messaging.v1.services("MG" + "a" * 32)
    assert (await asyncio.to_thread(service.fetch)).use_inbound_webhook_on_number
    (member,) = await asyncio.to_thread(service.phone_numbers.list)
    assert member.phone_number == FROM_NUMBER
    (member,) = await asyncio.to_thread(service.channel_senders.list)
    assert member.sender == f"whatsapp:{FROM_NUMBER}"
    (sender,) = await asyncio.to_thread(client.messaging.v2.channels_senders.list, channel="whatsapp")
    assert (sender.sender_id, sender.webhook["callback_url"]) == (
        f"whatsapp:{FROM_NUMBER}",
        sandbox.webhooks["whatsapp"],
    )
