"""A mapping that forgets: what need not be known for ever must not fill the memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_FIRST_SWEEP = 1024


class Expiring(Generic[Key, Value]):
    """Each entry lives for the seconds it was put with. Memory follows what lives, not what ever was.

    The dead are swept out whenever the number of entries has doubled, so that a call costs the same on average
    however many there are. `clock` gives seconds and never goes back.
    """

    __slots__ = ("_clock", "_entries", "_sweep_at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[Key, tuple[float, Value]] = {}
        self._sweep_at = _FIRST_SWEEP

    def put(self, key: Key, value: Value, seconds: float) -> None:
        """Keep `value` for so long; what was under `key` is replaced."""
        self._entries[key] = self._clock() + seconds, value
        if len(self._entries) >= self._sweep_at:
            self._sweep()

    def get(self, key: Key) -> Value | None:
        """What is under `key`, None where nothing is or its time is over."""
        entry = self._entries.get(key)
        return None if entry is None or entry[0] <= self._clock() else entry[1]

    def left(self, key: Key) -> float:
        """Seconds that `key` still has; 0.0 where it is not there."""
        entry = self._entries.get(key)
        return 0.0 if entry is None else max(0.0, entry[0] - self._clock())

    def drop(self, key: Key) -> None:
        """Forget `key` now."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __contains__(self, key: Key) -> bool:
        return self.left(key) > 0

    def __len__(self) -> int:
        """How many are held in memory, the dead among them that were not swept out yet."""
        return len(self._entries)

    def _sweep(self) -> None:
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[0] > now}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._entries))
