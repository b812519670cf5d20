"""Programs of Node.js as servers for tests: installed once from the lock file, started on a free port, stopped."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
PATIENCE = 60.0
"""Seconds in which a server must listen."""


def install(cache: Path) -> Path:
    """The ``node_modules`` of our lock file, put into `cache` where they are not there yet.

    No script of any package runs meanwhile.
    """
    files = [HERE / "package.json", HERE / "package-lock.json"]
    folder = cache / sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    done = folder / "installed"
    if not done.exists():
        npm = shutil.which("npm")
        assert npm, "the counterparts are programs of Node.js: install it, with npm"
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        run = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        made = subprocess.run(run, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
        assert made.returncode == 0, made.stderr
        done.touch()
    return folder / "node_modules"


@contextlib.contextmanager
def serving(script: Path, *arguments: str, port: int, log: Path) -> Iterator[None]:
    """Run a script that listens on `port` of this machine; what it says goes to `log`."""
    with log.open("wb") as output:
        command = ["node", str(script), *arguments]
        process = subprocess.Popen(command, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"it does not listen: {log.read_text('utf-8', 'replace')}")
