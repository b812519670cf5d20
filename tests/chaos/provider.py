"""The sandbox as a process that may be killed: what it has accepted is in a file before anybody gets an answer.

``python -m tests.chaos.provider BOOK …``; what follows the file is as for ``python -m channels.sandbox``.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

from channels.sandbox.memory import AcceptedLog


def keep_book(path: str) -> None:
    """From now on every accepted message is a line of this file, on its way to the disk before it is answered."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    add = AcceptedLog.add

    def written(self: AcceptedLog, provider: str, to: str, sender: str, delivery: str, *rest: Any, **more: Any) -> int:
        number = add(self, provider, to, sender, delivery, *rest, **more)
        line = {"to": to, "delivery": delivery, "sid": self.sid(number), "at": time.time(), "provider": provider}
        os.write(file, json.dumps(line).encode() + b"\n")
        return number

    AcceptedLog.add = written  # type: ignore[method-assign]


def read_book(path: Path) -> list[dict[str, Any]]:
    """All that was accepted, in order, by however many lives of the provider."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.endswith("}")]


if __name__ == "__main__":
    keep_book(sys.argv.pop(1))
    runpy.run_module("channels.sandbox", run_name="__main__")
