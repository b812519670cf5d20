"""``python -m channels.sandbox``: the sandbox as a process of its own, for benchmarks and crash tests.

It writes one line of JSON (its addresses) to standard output once it listens, and ends cleanly on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys

from channels.sandbox.knobs import Knobs
from channels.sandbox.server import serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m channels.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="HTTP port; 0 takes any free one")
    parser.add_argument("--smtp-port", type=int, default=0, help="SMTP port; 0 takes any free one")
    parser.add_argument("--webhooks", type=json.loads, default={}, help="channel → where its provider calls, as JSON")
    parser.add_argument("--knobs", type=json.loads, default={}, help='knobs as JSON, like {"latency": 0.05}')
    parser.add_argument("--fast", action="store_true", help="no receipts, and no words are kept")
    return parser.parse_args()


async def _main(arguments: argparse.Namespace) -> None:
    keep = {"keep_texts": 0, "keep_conversations": 0} if arguments.fast else {}
    sandbox = await serve(
        arguments.host,
        arguments.port,
        arguments.smtp_port,
        knobs=Knobs().turned(({"no_receipts": 1} if arguments.fast else {}) | arguments.knobs),
        webhooks=arguments.webhooks,
        **keep,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sys.stdout.write(json.dumps({"pid": os.getpid()} | sandbox.settings()) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await sandbox.aclose()


asyncio.run(_main(_arguments()))
