"""The disk is full in the middle of a blast: SQLite on a small file system of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from router.store.engine import Store
from router.store.migrate import migrate
from tests.chaos.house import open_breakable
from tests.chaos.places import Missing, redis
from tests.chaos.report import Row, Size

MEGABYTES = 48
MEMBERS = 2_000
LATENCY = 0.3


async def disk(size: Size) -> Row:
    """Ten times there is no byte left for a few seconds, while web server and worker write."""
    began, draw, runs = time.monotonic(), random.Random(size.seed), size.of(10)
    with small_disk() as room, redis() as memory, tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{room}/ledger.sqlite3"
        store = Store(url)
        await migrate(store)
        await store.aclose()
        async with open_breakable(url, memory, Path(folder)) as house:
            await house.web()
            await house.worker()
            await house.turn(latency=LATENCY)
            await house.blast(MEMBERS)
            await house.until_accepted(20)
            met = 0
            for _ in range(runs):
                await asyncio.sleep(draw.uniform(0.2, 2.0))
                await asyncio.to_thread(fill, room / "filler")
                await asyncio.sleep(draw.uniform(1.0, 4.0))
                met += await house.accepted() < MEMBERS
                (room / "filler").unlink()
            await house.settle()
            return await house.row("disk full (SQLite)", runs, began, f"{met} x before the last message had left")


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of a few megabytes in memory."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", folder]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            raise Missing("a small file system may only be made by root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path: Path) -> None:
    """Write until there is no room for one byte more."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:  # the last write takes what there is room for
            os.write(file, bytes(1 << 16))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        os.close(file)
