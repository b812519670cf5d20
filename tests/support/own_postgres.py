"""A PostgreSQL of a test's own, thrown away at the end: one that may be killed and started anew, on the same port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

NONE = "no PostgreSQL binaries: install postgresql"

_NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off")
"""It is thrown away, so nothing in it needs to survive a power cut. A killed server loses nothing by it: what it has
written is with the operating system."""


class OwnPostgres:
    """A cluster in a folder of its own. `start` before use, `close` at the end."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="outreach-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @staticmethod
    def program() -> str | None:
        """Where ``initdb`` is, if it is on this machine."""
        found = [
            *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
            *Path("/opt/homebrew/opt").glob("postgresql*/bin/initdb"),
        ]
        return str(found[-1]) if found else shutil.which("initdb")

    def start(self) -> None:
        """Start it, the first time on an empty cluster, and wait until it answers."""
        initdb = self.program()
        assert initdb is not None, NONE
        data = str(self._folder / "data")
        as_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, "nobody")
            as_user = ["runuser", "-u", "nobody", "--"]
        if not Path(data).exists():
            make = [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
            subprocess.run([*as_user, *make], check=True, capture_output=True, cwd=self._folder)
        serve = [str(Path(initdb).with_name("postgres")), "-D", data, "-p", str(self.port), "-h", "127.0.0.1"]
        self._server = subprocess.Popen(
            [*as_user, *serve, "-k", str(self._folder), *_NOT_DURABLE, *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
        )
        until = time.monotonic() + 30
        while not self._is_ready():
            assert self._server.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """Cut every connection and end it without writing anything more; it recovers when it is started again."""
        if self._server is not None:
            pid = self._data_pid()
            if pid is not None:
                os.kill(pid, signal.SIGQUIT)  # "immediate shutdown"
            self._server.wait()
            self._server = None

    def close(self) -> None:
        """End it and remove what it left on the disk."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _data_pid(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines else None

    def _pid_file(self) -> list[str]:
        """https://www.postgresql.org/docs/current/storage-file-layout.html: ``postmaster.pid``, its state last."""
        try:
            return (self._folder / "data" / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return []
