"""What all simulated providers share: knobs, chance, memory, and calls of our webhooks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from hashlib import blake2b

from channels.sandbox.callbacks import Build, Callbacks
from channels.sandbox.knobs import Knobs
from channels.sandbox.memory import Memory


class World:
    """The state behind one sandbox."""

    def __init__(self, knobs: Knobs, memory: Memory, clock: Callable[[], float]) -> None:
        self.clock = clock
        """Unix time, as the providers see it: in receipts, look-ups and signatures."""
        self.memory = memory
        self.callbacks = Callbacks(memory.counters)
        self.sms_webhook = ""
        """Where replies to texts are posted; "" posts them nowhere."""
        self.email_webhook = ""
        """Where mail events are posted; "" posts them nowhere."""
        self.turn(knobs)

    def turn(self, knobs: Knobs) -> None:
        """Set all knobs; chance begins anew."""
        self.knobs = knobs
        self.calm = knobs.calm
        self._random = random.Random(knobs.seed)  # noqa: S311 - simulated misfortune, not a secret
        self.callbacks.tries = knobs.callback_tries
        self.callbacks.pause = knobs.callback_pause

    def chance(self, rate: float) -> bool:
        """True for this share of calls, in an order that the seed fixes."""
        return rate > 0 and self._random.random() < rate

    def lot(self, what: str, *key: str) -> float:
        """A number from 0 to 1 that hangs on the seed and the key alone.

        So the same people answer and the same messages fail however the requests interleave.
        """
        digest = blake2b("\t".join((str(self.knobs.seed), what, *key)).encode(), digest_size=7).digest()
        return int.from_bytes(digest) / 2**56

    def refusal(self) -> str:
        """What goes wrong before a message is accepted: ``error``, ``throttle`` or ""."""
        if self.calm:
            return ""
        if self.chance(self.knobs.error_rate):
            return "error"
        return "throttle" if self.chance(self.knobs.throttle_rate) else ""

    def ending(self) -> str:
        """What goes wrong after it is accepted: ``hang``, ``cut`` or ""."""
        if self.calm:
            return ""
        if self.chance(self.knobs.timeout_after_accept):
            return "hang"
        return "cut" if self.chance(self.knobs.drop_after_accept) else ""

    def latency(self) -> float:
        """How long this answer takes."""
        if self.calm:
            return 0.0
        return self.knobs.latency + (self._random.random() * self.knobs.jitter if self.knobs.jitter else 0.0)

    def receipts(self, builds: Sequence[Build]) -> None:
        """Send the receipts of one message, in order or as badly as the knobs ask."""
        knobs = self.knobs
        if self.chance(knobs.no_receipts):
            return
        if self.chance(knobs.out_of_order):
            builds = builds[::-1]
        twice = [build for build in builds for _ in range(1 + self.chance(knobs.duplicate_receipts))]
        self.callbacks.chain(knobs.receipt_delay, twice)
