"""From a host's name to a connected socket: look-ups that are kept for a while, the rule which addresses may be
reached, and the race between several of them (RFC 8305, "Happy Eyeballs").

The rule is applied to the very addresses that are connected to afterwards, so that a name which points elsewhere the
second time it is asked for ("DNS rebinding") gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from aiohappyeyeballs import start_connection

from router.core.errors import BadInput, FailureClass, Refused

IPAddress = IPv4Address | IPv6Address
MayReach = Callable[[IPAddress], bool]
"""Whether a connection to this address may be made."""

_Place = tuple[int, int, int, str, tuple[Any, ...]]
"""One row of getaddrinfo: family, type, protocol, "", socket address."""

_KEPT_SECONDS = 30.0
"""getaddrinfo does not tell how long an answer holds; providers that move between addresses use 60 s and more."""
_KEPT_HOSTS = 512
_HEAD_START = 0.25
"""Seconds that an address is ahead of the next one: the "Connection Attempt Delay" of RFC 8305, 5."""

_NAT64 = ip_network("64:ff9b::/96")
_UNICAST = ip_network("2000::/3")
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        [
            "168.63.129.16/32",  # Azure's agent: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
            "192.0.0.0/24",  # protocol assignments; Oracle Cloud has its metadata there
            "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
            "224.0.0.0/4",  # multicast
            "2001::/23",  # protocol assignments, Teredo among them
            "2002::/16",  # 6to4 carries any IPv4 address (RFC 7526: obsolete)
            "3fff::/20",  # documentation (RFC 9637)
        ],
    )
)
"""What is no public server although `ipaddress` calls it global, or did so in some version of Python 3.11 to 3.14.
Source: the registries https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry."""


def _plain(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 one stands for: mapped (RFC 4291, 2.5.5.2) or behind NAT64 (RFC 6052)."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """Whether it can be a server on the Internet: no private network, not this machine, no cloud's metadata service."""
    address = _plain(address)
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def public_or(networks: Iterable[str]) -> MayReach:
    """`is_public`, and these networks too (``127.0.0.0/8`` where the sandbox runs). Raises `BadInput`."""
    try:
        allowed = [ip_network(network) for network in networks]
    except ValueError:
        raise BadInput("is not a network; write it like 127.0.0.0/8 or fd00::/8") from None
    return lambda address: is_public(address) or any(_plain(address) in network for network in allowed)


class Hosts:
    """The hosts that one `HttpWire` connects to. With `may_reach` no other address is connected to."""

    def __init__(self, may_reach: MayReach | None = None) -> None:
        self._may_reach = may_reach
        self._known: dict[str, tuple[float, list[_Place]]] = {}
        """Until when, and the addresses, the next to be tried first; the host looked up longest ago comes first."""
        self._asked: dict[str, asyncio.Task[list[_Place]]] = {}
        """Look-ups under way. One that nobody waits for any more runs to its end: a thread cannot be cancelled."""

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connected socket that is the caller's to close.

        Raises OSError or ValueError where there is no such host or nobody there, and `Refused` where one of its
        addresses may not be reached.
        """
        places = [(*place[:4], (place[4][0], port, *place[4][2:])) for place in await self._look_up(host)]
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        try:
            connected = await start_connection(places, happy_eyeballs_delay=_HEAD_START)
        except BaseException:
            self._known.pop(host, None)  # it may have moved
            raise
        if task and task.cancelling() > cancelled:  # the race loses a cancellation that comes as it ends
            connected.close()
            raise asyncio.CancelledError
        return connected

    async def _look_up(self, host: str) -> list[_Place]:
        loop = asyncio.get_running_loop()
        until, places = self._known.get(host, (0.0, []))
        if until <= loop.time():
            if (task := self._asked.get(host)) is None:
                task = self._asked[host] = loop.create_task(self._ask(host))
                task.add_done_callback(partial(self._told, host))
            await asyncio.wait([task])
            places = task.result()
        mine = list(places)
        places[:] = _rotated(places)
        return mine

    async def _ask(self, host: str) -> list[_Place]:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        if not found:
            raise OSError("no address")
        may_reach = self._may_reach
        if may_reach is not None and not all(may_reach(ip_address(place[4][0])) for place in found):
            raise Refused(FailureClass.ADDRESS_DEAD, "private_address")
        return list(found)

    def _told(self, host: str, task: asyncio.Task[list[_Place]]) -> None:
        """Keep an answer; a failure is asked for anew."""
        del self._asked[host]
        self._known.pop(host, None)
        if not task.cancelled() and task.exception() is None:
            self._known[host] = asyncio.get_running_loop().time() + _KEPT_SECONDS, task.result()
            if len(self._known) > _KEPT_HOSTS:
                del self._known[next(iter(self._known))]


def _rotated(places: list[_Place]) -> list[_Place]:
    """The first of each family becomes its last. The families' order is the system's choice (RFC 6724)."""
    families: dict[int, list[_Place]] = {}
    for place in places:
        families.setdefault(place[0], []).append(place)
    return [place for family in families.values() for place in family[1:] + family[:1]]
