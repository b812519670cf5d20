"""The page of simulated phones: escaping, forms, policy; and the small HTTP server below it."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from urllib.parse import parse_qsl, urlencode

import aiohttp
import aiosmtplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sandbox import Knobs, Sandbox
from channels.sandbox.httpd import parse_form
from channels.sandbox.memory import Entry
from channels.sandbox.server import FROM_NUMBER
from tests.channels.sandbox_hooks import Hooks

PHONE = "+12025550123"
MAILBOX = "amal@example.org"
EVIL = '<script>alert("x")</script> https://example.org/a/1?x="><b>'


@pytest.fixture
async def sandbox(hooks: Hooks) -> AsyncIterator[Sandbox]:
    async with Sandbox(knobs=Knobs(receipt_delay=0.001), webhooks={"sms": f"{hooks.url}/sms"}) as sandbox:
        yield sandbox


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sandbox.http_url, timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


async def read(http: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with http.get(path) as response:
        assert response.status == status
        if "html" in response.content_type:
            assert "script" not in response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return await response.text()


async def test_a_phone_shows_what_arrived_and_answers(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    assert "Nothing has arrived yet" in await read(http, "/")
    sandbox.phones.arrived(PHONE, FROM_NUMBER, EVIL, 0, 0)
    for path in ("/", "/phone?address=%2B12025550123"):
        page = await read(http, path)
        assert PHONE in page
        assert "&lt;script&gt;" in page
        assert "<script" not in page
        assert "<b>" not in page
    for form, text in (({"text": "ich komme"}, "ich komme"), ({"text": "x", "word": "STOP"}, "STOP")):
        async with http.post("/phone", data={"address": PHONE} | form) as response:
            assert response.status == 200, "and back on the phone"
            assert response.url.path == "/phone"
        await sandbox.idle()
        assert hooks.calls[-1].form["Body"] == text
    page = await read(http, "/phone?address=%2B12025550123&look=1")
    assert "ich komme" in page
    assert "Twilio itself" in page
    assert re.search(r'http-equiv="refresh" content="1; url=/phone\?address=%2B12025550123"', page)


async def test_a_mailbox_shows_mail_and_its_unsubscribe_button(
    sandbox: Sandbox, hooks: Hooks, http: aiohttp.ClientSession
) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "hello@example.org", MAILBOX, "<i>Samstag</i>"
    message["List-Unsubscribe"] = f"<{hooks.url}/u/token>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("text part & more")
    message.add_alternative("<p>html part</p><script>alert(1)</script>", subtype="html")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=sandbox.smtp_port, start_tls=False)
    page = await read(http, "/mailbox?address=amal%40example.org")
    assert "&lt;i&gt;Samstag&lt;/i&gt;" in page
    assert "text part &amp; more" in page
    assert "html part" not in page, "only in its frame"
    frame = re.search(r'<iframe[^>]* sandbox="([^"]*)"[^>]* src="([^"]*)"', page)
    assert frame is not None
    assert "allow-scripts" not in frame[1]
    assert "allow-same-origin" not in frame[1]
    async with http.get(frame[2]) as response:
        assert "<p>html part</p>" in await response.text()
        assert response.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    async with http.post("/mailbox", data={"address": MAILBOX, "number": "0"}) as response:
        assert response.status == 200
    await sandbox.idle()
    assert hooks.calls[0].url == f"{hooks.url}/u/token"
    assert hooks.calls[0].body == b"List-Unsubscribe=One-Click"
    assert "answered 200" in await read(http, "/mailbox?address=amal%40example.org")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\r\n\r\n\x00",
        b"Subject: =?bad?q?=\r\nFrom: @@<>\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nx",
        b"Content-Type: multipart/alternative\r\n\r\nno boundary",
        b"List-Unsubscribe: <\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFrom: a@[\r\n\r\n",
    ],
)
async def test_broken_mail_does_not_break_the_page(sandbox: Sandbox, http: aiohttp.ClientSession, raw: bytes) -> None:
    number = sandbox.memory.accepted.add("smtp", MAILBOX, "a@example.org", "", raw, 1.0)
    sandbox.memory.note("mailbox", MAILBOX, Entry("arrived", "", 1.0, number))
    await read(http, "/mailbox?address=amal%40example.org")
    await read(http, f"/mail?number={number}")


async def test_knobs_are_turned_on_a_page(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    page = await read(http, "/knobs")
    form = dict(re.findall(r'<input id="\w+" name="(\w+)" value="([^"]*)"', page))
    assert form["undelivered_codes"] == "30003 30005 30006"
    form |= {"p_yes": "0.25", "refuse": "+12025550123=21211 a@example.org=550", "reject_codes": "550, 421"}
    before = sandbox.knobs
    async with http.post("/knobs", data=form) as response:
        assert response.status == 200
    expected = {"p_yes": 0.25, "refuse": {PHONE: 21211, "a@example.org": 550}, "reject_codes": (550, 421)}
    assert sandbox.knobs.plain() == before.plain() | expected
    async with http.post("/knobs", data={"p_yes": "<b>"}) as response:
        assert response.status == 400
        assert "p_yes: not a rate" in await response.text()


async def test_other_sites_cannot_press_the_buttons(sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
    for path in ("/phone", "/knobs", "/mailbox"):
        async with http.post(path, data={"p_yes": "1"}, headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 403
    assert sandbox.knobs.p_yes == 0
    async with http.post("/knobs", data={"p_yes": "1"}, headers={"Origin": sandbox.http_url}) as response:
        assert response.status == 200
    assert sandbox.knobs.p_yes == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/phone?address=%2B12025550000", 404),
        ("/phone", 404),
        ("/mailbox?address=nobody", 404),
        ("/mail?number=x", 404),
        ("/nothing", 404),
        ("/phone?" + "&".join(["a=b"] * 200), 404),
        ("/style.css", 200),
    ],
)
async def test_odd_addresses(http: aiohttp.ClientSession, path: str, status: int) -> None:
    await read(http, path, status)


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=6))
def test_forms_are_read_as_they_were_written(form: dict[str, str]) -> None:
    assert parse_form(urlencode(form).encode()) == form


@given(st.binary(max_size=40) | st.text(alphabet="%=&+a3F\n", max_size=24).map(str.encode))
def test_odd_forms_are_read_as_the_standard_library_reads_them(body: bytes) -> None:
    assert parse_form(body) == dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def talk(sandbox: Sandbox, *pieces: bytes) -> bytes:
    client = socket.socket()
    # A small window, so that long answers have to wait for their reader.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", int(sandbox.http_url.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=client)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.02)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


CLOSE = b"GET /sandbox/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_requests_in_pieces_and_pipelined(sandbox: Sandbox) -> None:
    plain = b"GET /sandbox/knobs HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await talk(sandbox, plain[:9], plain[9:] + plain + CLOSE)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b"latency") < answer.index(b"callbacks_pending"), "answered in order"


async def test_a_stream_keeps_its_place_among_pipelined_requests(sandbox: Sandbox) -> None:
    for _ in range(30_000):
        sandbox.memory.accepted.add("twilio", PHONE, FROM_NUMBER, "202611-1", "x", 1.0)
    answer = await talk(sandbox, b"GET /sandbox/accepted HTTP/1.1\r\nHost: x\r\n\r\n" + CLOSE)
    assert answer.count(b'"202611-1"') == 30_000
    assert answer.index(b"callbacks_pending") > answer.rindex(b"202611-1")


async def test_the_body_is_asked_for(sandbox: Sandbox) -> None:
    head = b"POST /sandbox/knobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: 15\r\n\r\n"
    answer = await talk(sandbox, head, b'{"p_yes": 0.25}')
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert sandbox.knobs.p_yes == 0.25


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000, 431),
    ],
)
async def test_bad_requests_are_answered_and_closed(sandbox: Sandbox, request_: bytes, status: int) -> None:
    assert (await talk(sandbox, request_)).startswith(f"HTTP/1.1 {status} ".encode())
