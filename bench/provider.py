"""The provider of a bench: the shipped sandbox, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

from bench.harness import Background, Cores


class Provider:
    """The sandbox, on the core of its own."""

    def __init__(self, server: Background) -> None:
        self._server = server
        self.url = str(server.ready["http_url"])
        self.all_channels: dict[str, str] = server.ready["environment"]
        self.environment = {
            name: value for name, value in self.all_channels.items() if name.startswith("OUTREACH_SMS_")
        }

    def forget(self) -> None:
        """Forget all accepted messages."""
        self._call("DELETE", "/sandbox/accepted")

    def check(self, messages: int) -> None:
        """Assert that it took so many messages and none twice."""
        stats = self._call("GET", "/sandbox/stats?duplicates=1")
        assert stats["accepted"] == messages, f"{stats['accepted']} at the provider, {messages} were sent"
        assert not stats["duplicates"], f"{len(stats['duplicates'])} deliveries reached the provider twice"

    def cpu_seconds(self) -> float:
        return self._server.cpu_seconds()

    def _call(self, method: str, path: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        found: dict[str, Any] = json.loads(body) if body else {}
        return found


@contextlib.contextmanager
def provider(cores: Cores, *, latency: float = 0.0) -> Iterator[Provider]:
    """The shipped sandbox with misfortune switched off; each answer comes `latency` seconds after its request."""
    knobs = json.dumps({"latency": latency})
    command = ["-m", "channels.sandbox", "--port", "0", "--smtp-port", "0", "--fast", "--knobs", knobs]
    with Background(command, core=cores.provider) as server:
        yield Provider(server)
