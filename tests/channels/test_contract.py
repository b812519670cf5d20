"""Every channel keeps the contract of ``router/core/channel.py``: one suite over one table of cases per channel.

The adapters are the real ones and talk over real sockets to the scripted servers of ``contract/``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import REGISTRY
from channels.email import smtp
from router.core.channel import GroupEvent, Health, HttpReply, HttpRequest, Inbound, OptOut, Receipt
from router.core.errors import BadWebhook, SendError, Throttled
from router.wire import HttpWire
from tests.channels.contract.table import FIXTURES, NOW, ChannelTable, Fault, Provider, Webhook

TABLES: dict[str, ChannelTable] = {
    name: importlib.import_module(f"tests.channels.contract.{name}").TABLE for name in REGISTRY
}
HEARING = {name: table for name, table in TABLES.items() if table.webhooks}
"""The channels whose provider calls us."""
PATIENCE = 0.4


class ImpatientWire(HttpWire):
    """The real wire with shorter time limits, so that the tests need not wait for eight seconds."""

    async def request(self, *args: Any, **options: Any) -> HttpReply:
        return await super().request(*args, **(options | {"timeout": PATIENCE}))


@pytest.fixture(autouse=True)
def impatient_smtp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SEND_SECONDS", PATIENCE)
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", PATIENCE / 2)


@pytest.fixture
async def wire() -> AsyncIterator[HttpWire]:
    async with ImpatientWire() as wire:
        yield wire


@contextlib.asynccontextmanager
async def provider_of(table: ChannelTable, *steps: Any) -> AsyncIterator[Provider]:
    """A running provider; fails where a step was not used or a request came that none was scripted for."""
    provider = table.provider()
    await provider.start()
    provider.script(*steps)
    try:
        yield provider
    finally:
        await provider.stop()
    assert provider.leftovers() == []


def rows(kind: str) -> list[Any]:
    """The cases of all tables as pytest parameters (table, row)."""
    found = []
    for name, table in TABLES.items():
        cases = [(fault.name, row) for fault, row in table.faults.items()] if kind == "faults" else []
        cases += [(row.name, row) for row in getattr(table, kind)] if kind != "faults" else []
        for label, row in cases:
            found.append(pytest.param(table, row, id=f"{name}-{label}"))
    return found


def test_every_channel_has_a_table() -> None:
    assert set(TABLES) == set(REGISTRY)
    for name, table in TABLES.items():
        assert REGISTRY[name] is table.channel
        assert table.channel.spec.name == name


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_complete(table: ChannelTable) -> None:
    """What a channel promises in its spec is proven by rows, and every payload on disk is used."""
    spec = table.channel.spec
    assert set(table.faults) == set(Fault)
    assert table.accepted
    events = [event for row in table.webhooks for event in row.events]
    assert any(isinstance(event, Receipt) for event in events) == spec.receipts
    assert any(isinstance(event, Inbound) for event in events) == spec.inbound
    assert any(isinstance(event, Receipt) and event.failure for event in events) <= spec.receipts
    assert any(isinstance(event, GroupEvent) for event in events) == (spec.groups and spec.inbound)
    assert spec.people or spec.groups
    assert len(set(table.channel.spec.settings)) == len(spec.settings)
    secret = {setting.name for setting in spec.settings if setting.secret}
    assert all(table.settings[name] in table.secrets for name in secret & set(table.settings))
    assert {setting.name for setting in spec.settings} >= set(table.settings)
    names = [row.name for row in (*table.failing, *table.faults.values())]
    assert len(names) == len(set(names))


def test_every_fixture_names_its_source_and_is_used() -> None:
    used = {(row.fixture, row.key) for table in TABLES.values() for row in table.webhooks}
    on_disk = set()
    for path in FIXTURES.rglob("*.json"):
        content = json.loads(path.read_text("utf-8"))
        if path.parent == FIXTURES:
            assert content["source"].startswith("https://"), path.name
        assert content["note"]
        on_disk |= {(str(path.relative_to(FIXTURES).with_suffix("")), key) for key in content["payloads"]}
    assert on_disk == used


@pytest.mark.parametrize(("table", "row"), rows("accepted"))
async def test_an_accepted_message_gives_the_providers_id(table: ChannelTable, row: Any, wire: HttpWire) -> None:
    async with provider_of(table, *row.steps) as provider:
        channel = table.open(wire, **provider.settings(), **row.settings)
        sent = await channel.send(table.message(**row.message))
        assert sent.provider_id == row.provider_id
        row.check(provider)
        await channel.aclose()


@pytest.mark.parametrize(("table", "row"), [*rows("faults"), *rows("failing")])
async def test_a_failure_is_named_and_tells_no_secret(
    table: ChannelTable, row: Any, wire: HttpWire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with provider_of(table, *row.steps) as provider:
        if not row.listening:
            await provider.stop()
        channel = table.open(wire, **provider.settings())
        message = table.message()
        with pytest.raises(SendError) as caught:
            await channel.send(message)
        await channel.aclose()
        seen = provider.seen()
    error = caught.value
    assert type(error) is row.error
    assert error.failure is row.failure
    if row.code is not None:
        assert error.code == row.code
    if isinstance(error, Throttled):
        assert error.retry_after == row.retry_after
    told = "\n".join([str(error), repr(error), *traceback.format_exception(error), caplog.text, seen])
    for secret in (*table.secrets, table.to):
        assert secret not in told


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
async def test_the_next_message_after_a_failure_goes_out(table: ChannelTable, wire: HttpWire) -> None:
    """No failure leaves a connection behind that would spoil the next message."""
    for row in table.faults.values():
        if not row.listening:
            continue
        async with provider_of(table, *row.steps) as provider:
            channel = table.open(wire, **provider.settings())
            with pytest.raises(SendError):
                await channel.send(table.message())
            provider.script(*table.accepted[0].steps)
            sent = await channel.send(table.message())
            assert sent.provider_id == table.accepted[0].provider_id
            await channel.aclose()


@pytest.mark.parametrize(("table", "row"), rows("webhooks"))
async def test_a_signed_webhook_gives_its_events_every_time(table: ChannelTable, row: Webhook, wire: HttpWire) -> None:
    channel = table.open(wire, host="127.0.0.1", **row.settings)
    request = table.request(row)
    channel.verify(request)
    received = channel.receive(request)
    assert received.events == row.events
    assert received.reply.status == 200
    assert channel.receive(request) == received
    assert table.open(wire, host="127.0.0.1", **row.settings).receive(request) == received
    await channel.aclose()


@pytest.mark.parametrize(("table", "row"), rows("webhooks"))
async def test_an_unsigned_or_altered_webhook_is_refused(table: ChannelTable, row: Webhook, wire: HttpWire) -> None:
    channel = table.open(wire, host="127.0.0.1", **row.settings)
    good = table.request(row)
    nothing = {"content-type": good.headers["content-type"]}
    extra = good.body.replace(b"1", b"2", 1)
    assert extra != good.body
    bad = [
        dataclasses.replace(good, headers=nothing),
        dataclasses.replace(good, headers={}),
        *([dataclasses.replace(good, body=extra), dataclasses.replace(good, body=b"")] if table.signs_body else []),
        *(
            dataclasses.replace(good, headers={**good.headers, name: damaged})
            for name, value in good.headers.items()
            if "signature" in name or "timestamp" in name or "token" in name
            for damaged in ("", "ä", value[:-2] + "xx", value.swapcase() + "1", value * 2)
        ),
    ]
    for request in bad:
        with pytest.raises(BadWebhook):
            channel.verify(request)
    await channel.aclose()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
async def test_an_event_is_attributed(table: ChannelTable) -> None:
    """No event without a name of its own; no receipt that could match nothing; no failure without a class."""
    events = [event for row in table.webhooks for event in row.events]
    for event in events:
        assert event.event_id
        assert event.at.tzinfo is not None
        if isinstance(event, Receipt):
            assert event.delivery or event.provider_id
            assert (event.status == "failed") == (event.failure is not None)
        if isinstance(event, OptOut):
            assert event.address


ODD_BODIES = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["event", "timestamp", "email", "smtp-id", "sg_event_id", "delivery", "reason", "status"]
                )
                | st.text(max_size=5),
                inner | st.sampled_from(["bounce", "delivered", "spamreport", "open", "dropped", "202611-17"]),
                max_size=8,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(["MessageStatus", "MessageSid", "SmsSid", "From", "To", "Body", "ErrorCode", "OptOutType"]),
        st.sampled_from(["delivered", "failed", "STOP", "%00", "%FF%FE", "+12025550123", ""]) | st.text(max_size=9),
        max_size=8,
    ).map(lambda form: "&".join(f"{name}={value}" for name, value in form.items()).encode("utf-8", "replace")),
)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=ODD_BODIES, url=st.sampled_from(["", "https://[::", "https://a:b/?d=202611-17", "?d=%FF", "\ud800"]))
def test_no_body_crashes_a_parser(table: ChannelTable, body: bytes, url: str) -> None:
    channel = table.open(HttpWire(), host="127.0.0.1")
    signed_headers = table.request(table.webhooks[0]).headers if table.webhooks else {}
    for headers in ({}, signed_headers):
        request = HttpRequest(method="POST", url=url, headers=headers, body=body, received_at=NOW)
        if table.signs_body or not headers:
            with pytest.raises(BadWebhook):
                channel.verify(request)
        received = channel.receive(request)
        assert channel.receive(request) == received
        for event in received.events:
            assert "\0" not in repr(dataclasses.astuple(event)).encode().decode()
            assert "\\x00" not in repr(dataclasses.astuple(event))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
async def test_a_check_tells_who_we_are_or_what_is_wrong(table: ChannelTable, wire: HttpWire) -> None:
    for steps, outcome in table.checks:
        async with provider_of(table, *steps) as provider:
            channel = table.open(wire, **provider.settings())
            if isinstance(outcome, Health):
                assert await channel.check(NOW) == outcome
            else:
                with pytest.raises(SendError) as caught:
                    await channel.check(NOW)
                assert caught.value.failure is outcome
            await channel.aclose()


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[" + b"9" * 5000 + b"]", b'[{"event":"bounce","sg_event_id":"' + b"x" * 9999]
)
@pytest.mark.parametrize("table", HEARING.values(), ids=HEARING)
def test_no_hostile_body_crashes_a_parser(table: ChannelTable, body: bytes) -> None:
    channel = table.open(HttpWire(), host="127.0.0.1")
    request = table.sign("https://router.example.org/hooks/x", body, NOW)
    assert channel.receive(request).events == ()
