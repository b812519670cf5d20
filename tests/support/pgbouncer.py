"""A pgBouncer of a test's own, in transaction mode, before the PostgreSQL of the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.support.movement import free_port

NONE = "no pgBouncer: install pgbouncer"


def program() -> str | None:
    """Where the binary is, if it is on this machine."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextlib.contextmanager
def pooled(database_url: str, *, servers: int) -> Iterator[str]:
    """The address of the same database through a pooler that has so many connections to it for everybody."""
    found = program()
    assert found is not None, NONE
    there, port = make_url(database_url), free_port()
    folder = Path(tempfile.mkdtemp(prefix="outreach-pgbouncer-"))
    login = f" user={there.username}" + (f" password={there.password}" if there.password else "")
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={there.host} port={there.port or 5432}{login}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {servers}\nmax_client_conn = 200\n",
        "utf-8",
    )
    as_user: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "nobody")
        as_user = ["runuser", "-u", "nobody", "--"]
    server = subprocess.Popen(
        [*as_user, found, "-q", str(folder / "pgbouncer.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 20
        while not _listens(port):
            assert server.poll() is None, "pgBouncer did not start"
            assert time.monotonic() < until, "pgBouncer does not listen"
            time.sleep(0.02)
        yield there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
