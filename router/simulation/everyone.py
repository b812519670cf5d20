"""The way of asking that needs no router: every ask to everybody."""

from __future__ import annotations

from datetime import datetime

from router.core.purse import to_ms
from router.simulation.behaviour import STOPPED
from router.simulation.calendar import CalendarAsk
from router.simulation.people import Life
from router.simulation.year import End, World


class Everyone:
    """Every ask goes at once to every address on these channels that works and has not said stop."""

    def __init__(self, world: World, channels: frozenset[str]) -> None:
        self._world = world
        self._stops = {channel: world.policy.stop_covers.get(channel, [channel]) for channel in channels}
        self._open: list[tuple[Life, dict[str, int]]] = []
        """Who is left, with the open channels and when the address there dies."""
        for life in world.lives:
            dies_at = life.person.dies_at
            if mine := {channel: dies_at[channel] for channel in life.person.channels if channel in channels}:
                self._open.append((life, mine))

    def ask(self, ask: CalendarAsk) -> None:
        """See `Arm`."""
        if ask.permission:
            return
        texts = len(self._open)
        if ask.surge:
            texts = self._world.texts
            self._world.behaviour.draw.shuffle(self._open)  # not always the same ones first
        hear = self._world.behaviour.hear
        for life, addresses in self._open:
            for channel in list(addresses):
                if channel not in addresses:
                    continue  # the message before was one too many
                if channel == "sms":
                    if not texts:
                        continue
                    texts -= 1
                if addresses[channel] <= ask.at_ms:
                    del addresses[channel]
                elif hear(life, ask, channel, ask.at_ms) & STOPPED:
                    for stopped in self._stops[channel]:
                        addresses.pop(stopped, None)
        self._open = [(life, addresses) for life, addresses in self._open if addresses]

    def finish(self, end: datetime) -> End:
        """See `Arm`."""
        over = to_ms(end)
        return End(sum(any(dies_at > over for dies_at in addresses.values()) for _, addresses in self._open))
