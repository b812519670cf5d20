"""What the contract tables do not say of the apprise channel: its targets, its threads, its silence."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from apprise import NotifyBase
from apprise.plugins import N_MGR

import channels.apprise.adapter
from router.core.channel import HttpReply
from router.core.errors import BadInput, BadWebhook, FailureClass, OutcomeUnknown, Refused
from router.wire import HttpWire
from tests.channels.contract.apprise import GROUP, PASSWORD, TABLE, AppriseProvider, targets
from tests.channels.contract.http_provider import Reply


class NoWire:
    """The library has connections of its own."""

    async def request(self, *args: Any, **options: Any) -> HttpReply:
        raise AssertionError("the wire was used")


@pytest.fixture
async def provider() -> AsyncIterator[AppriseProvider]:
    provider = AppriseProvider()
    await provider.start()
    yield provider
    await provider.stop()
    assert provider.leftovers() == []


async def test_a_group_without_a_target_is_a_dead_address() -> None:
    with pytest.raises(Refused) as caught:
        await TABLE.open(NoWire()).send(dataclasses.replace(TABLE, to="Neighbours").message())
    assert caught.value.failure is FailureClass.ADDRESS_DEAD


async def test_the_same_words_are_posted_as_often_as_they_are_sent(provider: AppriseProvider) -> None:
    provider.script(Reply(200), Reply(200), Reply(200))
    channel = TABLE.open(NoWire(), **provider.settings())
    await channel.send(TABLE.message())
    await channel.send(TABLE.message())
    await channel.send(dataclasses.replace(TABLE, to="stewards").message())
    assert len(provider.requests) == 3


async def test_a_slow_service_holds_up_nothing_else(provider: AppriseProvider) -> None:
    provider.script(Reply(hang=True))
    loop = asyncio.get_running_loop()
    slow = targets(provider.port).replace("rto=0.4", "rto=1.5")
    sending = asyncio.create_task(TABLE.open(NoWire(), targets=slow).send(TABLE.message()))
    gaps, last = [], loop.time()
    while not sending.done():
        await asyncio.wait([sending], timeout=0.01)
        gaps.append(loop.time() - last)
        last = loop.time()
    assert isinstance(sending.exception(), OutcomeUnknown)
    assert len(gaps) > 5
    assert max(gaps) < 1.2  # were it not in a thread: 1.5


async def test_a_post_is_waited_for_only_so_long(provider: AppriseProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels.apprise.adapter, "SEND_SECONDS", 0.2)
    provider.script(Reply(hang=True))
    patient = {"targets": targets(provider.port).replace("rto=0.4", "rto=2")}
    with pytest.raises(OutcomeUnknown) as caught:
        await TABLE.open(NoWire(), **patient).send(TABLE.message())
    assert caught.value.code == "timeout"


@pytest.fixture
def stumbling() -> Iterator[None]:
    """A service whose plugin fails in a way that the library did not think of."""

    class Stumbling(NotifyBase):  # type: ignore[misc]
        service_name = "Stumbling"
        protocol = "stumble"

        def send(self, *args: Any, **options: Any) -> bool:
            raise RuntimeError(f"no answer from stumble://{PASSWORD}")

        def url(self, *args: Any, **options: Any) -> str:
            return "stumble://"

        @staticmethod
        def parse_url(url: str) -> Any:
            return NotifyBase.parse_url(url, verify_host=False)

    N_MGR.add(Stumbling, schemas="stumble")
    yield
    N_MGR.remove("stumble")


@pytest.mark.usefixtures("stumbling")
async def test_a_plugin_that_stumbles_may_have_posted_and_tells_no_secret() -> None:
    channel = TABLE.open(NoWire(), targets=f"{GROUP}=stumble://{PASSWORD}")
    with pytest.raises(OutcomeUnknown) as caught:
        await channel.send(TABLE.message())
    assert caught.value.code == "RuntimeError"
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


async def test_secrets_in_a_path_reach_no_log(provider: AppriseProvider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider.script(Reply(200), Reply(500, {"error": "hush-path"}), Reply(cut=True))
    target = f"{GROUP}=json://127.0.0.1:{provider.port}/hush-path/?-key=hush-query&:extra=hush-payload"
    channel = TABLE.open(NoWire(), targets=target)
    await channel.send(TABLE.message())
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await channel.send(TABLE.message())
    assert "hush-query" in provider.requests[0].line
    assert "hush" not in caplog.text
    assert TABLE.message().text not in caplog.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"json://u:{PASSWORD}@example.org/?a=b", "target 1 is not NAME=APPRISE-ADDRESS"),
        (f"a=json://example.org;\n;json://u:{PASSWORD}@example.org", "target 2 is not NAME=APPRISE-ADDRESS"),
        (f"=json://u:{PASSWORD}@example.org", "target 1 is not"),
        (f"a=json://example.org;a=json://u:{PASSWORD}@example.org", "names a twice"),
        (f"a=nosuch://u:{PASSWORD}@example.org", "address for a that apprise cannot use"),
        (f"a=slack://{PASSWORD}/x", "address for a that apprise cannot use"),
        (f"a={PASSWORD}", "address for a that apprise cannot use"),
        (" ;\n; ", "names no target"),
    ],
)
def test_bad_targets_are_named_and_not_repeated(text: str, sentence: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BadInput, match=sentence) as caught:
        TABLE.open(NoWire(), targets=text)
    assert caught.value.place == "OUTREACH_APPRISE_TARGETS"
    assert PASSWORD not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("organization", "name"),
    [("Example Union", "Example Union"), ("東京ユニオン", "Outreach"), ("Tenants\r\nX: y", "Outreach")],
)
async def test_the_post_comes_from_the_organization(provider: AppriseProvider, organization: str, name: str) -> None:
    provider.script(Reply(200))
    await TABLE.open(NoWire(), **provider.settings(), organization=organization).send(TABLE.message())
    assert provider.requests[0].headers["user-agent"] == name


def test_nothing_that_comes_in_is_believed() -> None:
    channel = TABLE.open(HttpWire())
    request = TABLE.sign("https://router.example.org/hooks/apprise/main", b"{}", TABLE.message().now)
    with pytest.raises(BadWebhook):
        channel.verify(request)
    assert channel.receive(request).events == ()
