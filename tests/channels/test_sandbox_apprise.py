"""The sandbox's group chats for apprise: the real adapter and the real library over real sockets, every knob."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from channels.apprise.adapter import AppriseChannel
from channels.sandbox.apprise import AppriseTarget
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory
from channels.sandbox.world import World
from router.core.channel import Health
from router.core.errors import OutcomeUnknown
from router.wire import HttpWire
from tests.channels.contract.apprise import TABLE
from tests.channels.contract.table import NOW
from tests.channels.sandbox_mount import mounted, settings_of


@dataclass
class Bench:
    """The adapter and the provider that it talks to."""

    world: World
    settings: dict[str, str]
    wire: HttpWire

    def channel(self, old: str = "", new: str = "") -> AppriseChannel:
        """The adapter, with something else in the addresses of its targets."""
        return AppriseChannel(self.settings | {"targets": self.settings["targets"].replace(old, new)}, self.wire)

    def turn(self, **knobs: Any) -> None:
        self.world.turn(replace(self.world.knobs, **knobs))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    world = World(Knobs(), Memory(), NOW.timestamp)
    provider = AppriseTarget(world)
    async with mounted(world, provider) as url, HttpWire() as wire:
        yield Bench(world, settings_of(AppriseChannel.spec, provider.environment(url)), wire)


async def test_a_post_is_shown_in_its_group(bench: Bench) -> None:
    channel = bench.channel()
    await channel.send(TABLE.message())
    await channel.send(replace(TABLE, to="stewards").message(text="Grüße 🎉", subject=""))
    rows = [(row.provider, row.to, row.text, row.delivery) for row in bench.world.memory.accepted]
    assert rows == [
        ("apprise", "neighbours", "Saturday\nCome on Saturday!", ""),
        ("apprise", "stewards", "Grüße 🎉", ""),
    ]
    conversation = bench.world.memory.conversation("stewards")
    assert conversation is not None
    assert [entry.text for entry in conversation.entries] == ["Grüße 🎉"]


async def test_the_same_post_twice_is_two_rows(bench: Bench) -> None:
    channel = bench.channel()
    await channel.send(TABLE.message())
    await channel.send(TABLE.message())
    assert len(bench.world.memory.accepted) == 2


async def test_the_check_names_the_groups(bench: Bench) -> None:
    assert await bench.channel().check(NOW) == Health(who="neighbours, stewards")
    assert len(bench.world.memory.accepted) == 0


@pytest.mark.parametrize(
    ("knobs", "counter"),
    [
        ({"error_rate": 1}, "refused_500"),
        ({"throttle_rate": 1}, "refused_429"),
        ({"refuse": {"neighbours": 403}}, "refused_403"),
        ({"refuse": {"neighbours": 21211}}, "refused_400"),
    ],
)
async def test_what_is_refused_is_not_remembered(bench: Bench, knobs: dict[str, Any], counter: str) -> None:
    bench.turn(**knobs)
    with pytest.raises(OutcomeUnknown):
        await bench.channel().send(TABLE.message())
    assert len(bench.world.memory.accepted) == 0
    assert bench.world.memory.counters == {counter: 1}


@pytest.mark.parametrize(
    ("old", "new", "counter"),
    [
        ("sandbox:", "somebody:", "refused_401"),
        ("sandbox:sandbox-password-of-no-value@", "", "refused_401"),
        ("/apprise/neighbours", "/apprise/nobody", "refused_404"),
    ],
)
async def test_strangers_and_unknown_groups_are_refused(bench: Bench, old: str, new: str, counter: str) -> None:
    with pytest.raises(OutcomeUnknown):
        await bench.channel(old, new).send(TABLE.message())
    assert bench.world.memory.counters == {counter: 1}


@pytest.mark.parametrize("knob", ["timeout_after_accept", "drop_after_accept"])
async def test_an_answer_that_never_comes_leaves_the_post_accepted(bench: Bench, knob: str) -> None:
    bench.turn(**{knob: 1})
    with pytest.raises(OutcomeUnknown):
        await bench.channel("/neighbours", "/neighbours?rto=0.3").send(TABLE.message())
    assert len(bench.world.memory.accepted) == 1


async def test_what_does_not_arrive_is_marked(bench: Bench) -> None:
    bench.turn(fail={"neighbours": 404})
    await bench.channel().send(TABLE.message())
    assert bench.world.memory.accepted[0].code == 404
    conversation = bench.world.memory.conversation("neighbours")
    assert conversation is not None
    assert conversation.entries[-1].text == "did not arrive (404)"
