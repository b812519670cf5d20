"""From names to sockets: which addresses may be reached, how often is asked for them, and what a race leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from router import hosts
from router.core.channel import HttpReply
from router.core.errors import BadInput, FailureClass, NotSent, Refused
from router.hosts import is_public, public_or
from router.wire import HttpWire
from tests.wire.raw import OK, failure, moments, open_sockets, raw, say, settled, take


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_servers_on_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


NOT_PUBLIC = {
    "0.0.0.0": "this machine",
    "127.0.0.1": "this machine",
    "127.255.255.254": "this machine",
    "::": "this machine",
    "::1": "this machine",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fc00::1": "private",
    "fdff:ffff::1": "private",
    "fec0::1": "private, obsolete",
    "100.64.0.1": "behind a carrier's NAT",
    "100.127.255.255": "behind a carrier's NAT",
    "169.254.0.1": "link",
    "fe80::1": "link",
    "fe80::1%2": "link",
    "169.254.169.254": "metadata: AWS, Azure, Google Cloud",
    "169.254.170.2": "credentials: AWS ECS",
    "fd00:ec2::254": "metadata: AWS",
    "100.100.100.200": "metadata: Alibaba Cloud",
    "192.0.0.192": "metadata: Oracle Cloud",
    "168.63.129.16": "metadata: Azure",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "198.18.0.1": "benchmarks",
    "192.88.99.1": "relay",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "4000::1": "reserved",
    "5f00::1": "segment routing",
    "::127.0.0.1": "IPv4 within IPv6: compatible",
    "::8.8.8.8": "IPv4 within IPv6: compatible",
    "::ffff:127.0.0.1": "IPv4 within IPv6: mapped",
    "::ffff:169.254.169.254": "IPv4 within IPv6: mapped",
    "::ffff:0:127.0.0.1": "IPv4 within IPv6: translated",
    "64:ff9b::7f00:1": "IPv4 within IPv6: NAT64",
    "64:ff9b::a9fe:a9fe": "IPv4 within IPv6: NAT64",
    "64:ff9b:1::808:808": "IPv4 within IPv6: local NAT64",
    "2002:7f00:1::1": "IPv4 within IPv6: 6to4",
    "2002:808:808::1": "IPv4 within IPv6: 6to4",
    "2001:0:7f00:1::": "IPv4 within IPv6: Teredo",
    "100::1": "discarded",
}


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_no_server_on_the_internet_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


def test_networks_can_be_let_in() -> None:
    may_reach = public_or(["127.0.0.0/8", "fd00:1::/64"])
    reached = [a for a in [*NOT_PUBLIC, "fd00:1::5", "1.1.1.1"] if may_reach(ip_address(a))]
    assert reached == [
        "127.0.0.1", "127.255.255.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00:1::5", "1.1.1.1",
    ]  # fmt: skip
    for wrong in ("127.0.0.1/8", "localhost", ""):
        with pytest.raises(BadInput):
            public_or([wrong])


class Names:
    """Stands for the system's resolver. A host has a sequence of answers, of which the last holds for good."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self.wait = 0.0
        self._answers: dict[str, list[list[str]]] = {}
        self._real = loop.getaddrinfo
        monkeypatch.setattr(loop, "getaddrinfo", self._look_up)

    def point(self, host: str, *answers: list[str]) -> None:
        self._answers[host] = list(answers)

    async def _look_up(self, host: str, port: Any, **options: Any) -> Any:
        if host not in self._answers:
            return await self._real(host, port, **options)
        self.asked[host] += 1
        answers = self._answers[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if self.wait:
            await asyncio.sleep(self.wait)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "hush")
        return list(itertools.chain(*[await self._real(address, port, **options) for address in addresses]))


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(asyncio.get_running_loop(), monkeypatch)


async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request with the address that it came to, and close."""
    if await take(reader):
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + writer.get_extra_info("sockname")[0].encode())


async def ask(wire: HttpWire, host: str, port: int, **options: Any) -> HttpReply:
    return await say(wire, port, base=f"http://{host}", **options)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "localhost", "LOCALHOST", "inside",
        "mixed", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    ],
)  # fmt: skip
async def test_a_strangers_url_does_not_lead_inside(names: Names, host: str) -> None:
    names.point("inside", ["127.0.0.1"])
    names.point("mixed", ["1.1.1.1", "127.0.0.1"])
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1

    async with raw(serve) as port, HttpWire(may_reach=is_public) as wire:
        for scheme in ("http", "https"):
            error = await failure(say(wire, port, base=f"{scheme}://{host}"))
            assert (type(error), error.failure) == (Refused, FailureClass.ADDRESS_DEAD)
            assert (error.code, host in str(error)) == ("private_address", False)
    assert served == 0


async def test_a_name_that_changes_its_mind_does_not_lead_inside(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: what was checked is what is connected to, and every new look-up is checked anew."""
    names.point("rebound", ["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(hosts, "_KEPT_SECONDS", 0.05)
    async with raw(once, host="0.0.0.0") as port, HttpWire(may_reach=public_or(["127.0.0.1/32"])) as wire:
        assert (await ask(wire, "rebound", port)).body == b"127.0.0.1"
        assert names.asked["rebound"] == 1
        await asyncio.sleep(0.07)
        assert type(await failure(ask(wire, "rebound", port))) is Refused


async def test_wires_share_no_connection_and_no_verdict() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await take(reader):
            writer.write(OK + b"ok")

    async with raw(serve) as port, HttpWire() as ours, HttpWire(may_reach=is_public) as strangers:
        for _ in range(2):
            assert (await say(ours, port)).body == b"ok"
            assert type(await failure(say(strangers, port))) is Refused


async def test_a_host_is_looked_up_once_for_all_who_ask(names: Names) -> None:
    names.point("one", ["127.0.0.1"])
    names.wait = 0.02
    async with raw(once) as port, HttpWire() as wire:
        for _ in range(2):
            replies = await asyncio.gather(*(ask(wire, "one", port) for _ in range(20)))
            assert {reply.body for reply in replies} == {b"127.0.0.1"}
    assert names.asked["one"] == 1


async def test_who_gives_up_waiting_for_a_look_up_spoils_it_for_nobody(names: Names) -> None:
    names.point("slow", ["127.0.0.1"])
    names.wait = 0.2
    async with raw(once) as port, HttpWire() as wire:
        first, second, third = (asyncio.create_task(ask(wire, "slow", port)) for _ in range(3))
        impatient = asyncio.create_task(failure(ask(wire, "slow", port, timeout=0.1)))
        await asyncio.sleep(0.01)
        first.cancel()
        second.cancel()
        assert type(await impatient) is NotSent
        assert (await third).body == b"127.0.0.1"
        assert (first.cancelled(), second.cancelled()) == (True, True)
    assert names.asked["slow"] == 1


async def test_a_look_up_that_fails_with_nobody_waiting_is_forgotten(names: Names) -> None:
    names.point("gone", [], ["127.0.0.1"])
    names.wait = 0.05
    async with raw(once) as port, HttpWire() as wire:
        assert type(await failure(ask(wire, "gone", port, timeout=0.04))) is NotSent
        await asyncio.sleep(0.1)
        assert (await ask(wire, "gone", port)).status == 200
    assert names.asked["gone"] == 2


async def test_a_look_up_is_kept_for_a_while_and_a_failure_not_at_all(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.point("late", [], ["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(hosts, "_KEPT_SECONDS", 0.2)
    async with raw(once, host="0.0.0.0") as port, HttpWire() as wire:
        assert (await failure(ask(wire, "late", port))).code == "connect"
        assert [(await ask(wire, "late", port)).body for _ in range(3)] == [b"127.0.0.1"] * 3
        assert names.asked["late"] == 2
        await asyncio.sleep(0.25)
        assert (await ask(wire, "late", port)).body == b"127.0.0.2"


async def test_what_cannot_be_connected_to_is_looked_up_again(names: Names) -> None:
    names.point("moved", ["127.0.0.3", "127.0.0.4"], ["127.0.0.1"])
    async with raw(once) as port, HttpWire() as wire:
        assert (await failure(ask(wire, "moved", port))).code == "connect"
        assert (await ask(wire, "moved", port)).body == b"127.0.0.1"


async def test_few_hosts_are_remembered(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "_KEPT_HOSTS", 2)
    for host in "abc":
        names.point(host, ["127.0.0.1"])
    async with raw(once) as port, HttpWire() as wire:
        for host in "abcbca":
            await ask(wire, host, port)
    assert names.asked == {"a": 2, "b": 1, "c": 1}


async def test_addresses_take_turns(names: Names) -> None:
    names.point("many", ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
    async with raw(once, host="0.0.0.0") as port, HttpWire() as wire:
        served = [(await ask(wire, "many", port)).body[-1:] for _ in range(6)]
    assert served == [b"1", b"2", b"3"] * 2


async def test_an_address_that_refuses_is_passed_over(names: Names) -> None:
    names.point("half", ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    async with raw(once) as port, HttpWire() as wire:
        for _ in range(6):
            assert (await ask(wire, "half", port)).body == b"127.0.0.1"


@contextlib.contextmanager
def swallower(port: int) -> Iterator[None]:
    """127.0.0.2 at `port` neither answers nor refuses: its backlog is full."""
    with contextlib.ExitStack() as stack:
        listener, *fillers = (stack.enter_context(socket.socket()) for _ in range(3))
        listener.bind(("127.0.0.2", port))
        listener.listen(0)
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        yield


async def test_an_address_that_does_not_answer_is_overtaken(names: Names) -> None:
    names.point("half", ["127.0.0.2", "127.0.0.1"])
    async with raw(once) as port, HttpWire() as wire:
        with swallower(port):
            before = open_sockets()
            for _ in range(3):
                assert (await ask(wire, "half", port)).body == b"127.0.0.1"
                await settled(before)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.3"]])
async def test_cancelling_a_race_at_any_moment_leaves_no_trace(
    names: Names, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(hosts, "_HEAD_START", 0.001)
    names.point("race", addresses)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with raw(serve) as port, HttpWire() as wire:
        with swallower(port):
            before = open_sockets()
            for moment in range(30):
                task = asyncio.create_task(ask(wire, "race", port))
                if moment % 2:
                    await asyncio.sleep(0.001)
                await moments(moment // 2)
                task.cancel()
                assert type((await asyncio.gather(task, return_exceptions=True))[0]) is asyncio.CancelledError
            await settled(before)


async def test_a_race_that_ends_as_it_is_cancelled_does_not_go_on(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The winner is there and the loser is being put away: a cancellation at that moment is not lost."""
    monkeypatch.setattr(hosts, "_HEAD_START", 0.001)
    names.point("race", ["127.0.0.2", "127.0.0.1"])
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect
    requests: list[asyncio.Task[HttpReply]] = []

    async def connecting(line: socket.socket, address: Any) -> None:
        try:
            await connect(line, address)
        except asyncio.CancelledError:
            requests[-1].cancel()
            raise

    monkeypatch.setattr(loop, "sock_connect", connecting)
    async with raw(once) as port, HttpWire() as wire:
        with swallower(port):
            before = open_sockets()
            requests.append(asyncio.create_task(ask(wire, "race", port)))
            assert type((await asyncio.gather(*requests, return_exceptions=True))[0]) is asyncio.CancelledError
            await settled(before)
