"""Webhooks: proven against the public address, committed before the answer, and nothing stored where in doubt."""

from __future__ import annotations

import io
from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import func, select
from twilio.request_validator import RequestValidator
from yarl import URL

from channels.sms import SmsChannel
from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import inbound, parked_receipt, receipt, suppression
from router.wire import HttpWire
from tests.support.runtime import build_runtime
from tests.web.conftest import ACCOUNT_SID, AUTH_TOKEN, serving

PUBLIC = "https://outreach.example.org"
PATH = "/hooks/sms/main"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def stop(sender: str = "+12025550123", **more: str) -> dict[str, str]:
    return {
        "AccountSid": ACCOUNT_SID,
        "MessageSid": "SM" + "1" * 32,
        "From": sender,
        "To": "+12025550100",
        "Body": "STOP",
        "OptOutType": "STOP",
        **more,
    }


def signed(form: dict[str, str], *, path: str = PATH, secret: str = AUTH_TOKEN) -> dict[str, str]:
    return {**FORM, "X-Twilio-Signature": RequestValidator(secret).compute_signature(PUBLIC + path, form)}


async def stored(runtime: Runtime) -> int:
    async with runtime.store.read() as connection:
        counts = [
            await connection.scalar(select(func.count()).select_from(table))
            for table in (inbound, suppression, receipt, parked_receipt)
        ]
    return sum(int(count or 0) for count in counts)


@pytest.mark.parametrize("path", [PATH, "/hooks/sms"])
async def test_a_signed_stop_is_in_force_when_it_is_answered(client: TestClient, runtime: Runtime, path: str) -> None:
    form = stop()
    async with client.post(path, data=urlencode(form), headers=signed(form, path=path)) as response:
        assert response.status == 200
        assert response.content_type == "text/xml"
        assert b"<Response/>" in await response.read()
    async with runtime.store.read() as connection:
        channels = (await connection.execute(select(suppression.c.channel))).scalars().all()
    assert "sms" in channels


async def test_the_query_is_part_of_the_signed_address(client: TestClient, runtime: Runtime) -> None:
    path = PATH + "?d=202611-90&x=%2F+%C3%A9"
    form = {"AccountSid": ACCOUNT_SID, "MessageSid": "SM" + "2" * 32, "MessageStatus": "delivered"}
    url = URL(str(client.make_url("/")).rstrip("/") + path, encoded=True)
    async with client.session.post(url, data=urlencode(form), headers=signed(form, path=path)) as response:
        assert response.status == 200
    async with client.session.post(url, data=urlencode(form), headers=signed(form)) as response:
        assert response.status == 403


WRONG = {
    "unsigned": (lambda form: dict(FORM), stop()),
    "signed by somebody else": (lambda form: signed(form, secret="another secret"), stop()),
    "signed for another address": (lambda form: signed(form, path="/hooks/sms/other"), stop()),
    "altered": (lambda form: signed({**form, "From": "+12025550199"}), stop()),
    "of another account": (signed, stop(AccountSid="AC" + "9" * 32)),
    "not a form": (lambda form: {**signed(form), "Content-Type": "application/json"}, stop()),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_is_not_proven_is_refused_and_nothing_stored(
    client: TestClient, runtime: Runtime, case: str
) -> None:
    headers_of, form = WRONG[case]
    async with client.post(PATH, data=urlencode(form), headers=headers_of(form)) as response:
        assert response.status == 403
        assert response.content_type == "application/problem+json"
        assert "signature" not in await response.text()
    assert await stored(runtime) == 0


async def test_the_host_header_changes_nothing(client: TestClient) -> None:
    form = stop()
    async with client.post(
        PATH, data=urlencode(form), headers={**signed(form), "Host": "evil.example.com"}
    ) as response:
        assert response.status == 200
    evil = RequestValidator(AUTH_TOKEN).compute_signature("https://evil.example.com" + PATH, form)
    headers = {**FORM, "X-Twilio-Signature": evil, "Host": "evil.example.com"}
    async with client.post(PATH, data=urlencode(form), headers=headers) as response:
        assert response.status == 403


@pytest.mark.parametrize("path", ["/hooks/email", "/hooks/nothing", "/hooks/sms/other", "/hooks/SMS", "/hooks/sms/a b"])
async def test_a_channel_that_is_not_set_up_is_not_there(client: TestClient, path: str) -> None:
    async with client.post(path, data=b"x", headers=FORM) as response:
        assert response.status == 404


async def test_the_bare_address_is_no_use_with_two_accounts(runtime: Runtime) -> None:
    async with HttpWire() as wire:
        settings = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "from_number": "+12025550100"}
        settings |= {"webhook_url": PUBLIC + PATH, "organization": "x"}
        accounts = {name: SmsChannel({**settings, "account": name}, wire) for name in ("one", "two")}
        two = build_runtime(runtime.store, clock=runtime.clock, channels={"sms": accounts})
        async with serving(two) as client:
            form = stop()
            async with client.post(
                "/hooks/sms", data=urlencode(form), headers=signed(form, path="/hooks/sms")
            ) as response:
                assert response.status == 404
            headers = signed(form, path="/hooks/sms/two")
            async with client.post("/hooks/sms/two", data=urlencode(form), headers=headers) as response:
                assert response.status == 200


async def test_a_body_too_large_is_refused(client: TestClient, runtime: Runtime) -> None:
    async with client.post(PATH, data=io.BytesIO(b"a=" + b"x" * 1024 * 1024), headers=FORM) as response:
        assert response.status == 413
    assert await stored(runtime) == 0


async def test_the_provider_is_told_to_come_back_when_the_ledger_is_gone(runtime: Runtime) -> None:
    gone = Store("postgresql://nobody@127.0.0.1:1/nothing")
    away = build_runtime(gone, clock=runtime.clock, channels=runtime.channels)
    form = stop()
    async with (
        serving(away) as client,
        client.post(PATH, data=urlencode(form), headers=signed(form)) as response,
    ):
        assert response.status == 503
        assert int(response.headers["Retry-After"]) >= 1
    await gone.aclose()
