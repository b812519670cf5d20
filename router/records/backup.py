"""Copies of a SQLite ledger: taken while everything runs, looked through, and put in its place as a whole.

A copy is made beside its place, read from end to end, and renamed: under its name there is a whole one or none. These
functions wait for the disk, so call them in a thread (`asyncio.to_thread`) where others must go on meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from router.core.errors import BadInput, NotAllowed, Unavailable

PAGES_AT_ONCE = 1_000
"""Pages of 4 KiB copied in one step …"""
PAUSE = 0.001
"""… after which the disk is left to others for so many seconds (a quarter of a second for a gigabyte)."""

_BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps of one ledger: the file, and what belongs to it while it is open."""


class Copy(NamedTuple):
    """A copy that was read from end to end."""

    size: int
    """Bytes."""
    version: str
    """Of the ledger, ``"0012"``; "" where the file has none."""


def back_up(source: Path, target: Path, *, replace: bool = False) -> Copy:
    """Copy the ledger `source`, as it is at this moment, to `target`. Whoever writes to it need not wait.

    Raises `NotAllowed` where `target` exists and is not to be replaced, `BadInput` where the copy cannot be used.
    """
    if target.exists() and (not replace or (source.exists() and target.samefile(source))):
        what = "is the ledger itself; choose another name" if replace else "exists already; choose another name, or"
        raise NotAllowed(f"{target} {what}" + ("" if replace else " replace it with --force"))
    half = beside(target, ".part")
    try:
        copy = copy_whole(source, half)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)
    _flush(target.parent)
    return copy


def copy_whole(source: Path, target: Path) -> Copy:
    """Copy a ledger to `target`, which only its owner may read, and read the copy from end to end.

    Raises `BadInput` where `source` is no SQLite file or what is in it does not hold together, `Unavailable` where
    the disk is full.
    """
    if not source.is_file():
        raise BadInput("there is no such file", place=str(source))
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with _open(source, "ro") as old, _open(target, "rw") as new:
            # One snapshot for all steps: otherwise each commit of a worker would begin the copy anew.
            old.execute("BEGIN")
            old.execute("SELECT count(*) FROM sqlite_master").fetchone()
            old.backup(new, pages=PAGES_AT_ONCE, progress=lambda *_: time.sleep(PAUSE))
            close_up(new)
            [verdict] = new.execute("PRAGMA integrity_check(1)").fetchone()
            version = _version(new)
    except sqlite3.OperationalError as error:
        raise Unavailable(f"{source} could not be copied to {target.parent}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise BadInput(f"this is no ledger, or it is damaged ({error})", place=str(source)) from error
    if verdict != "ok":
        raise BadInput(f"it is damaged ({verdict}); take another backup", place=str(source))
    _flush(target)
    return Copy(target.stat().st_size, version)


def close_up(connection: sqlite3.Connection) -> None:
    """Let the ledger be one file, with nothing beside it. Raises `sqlite3.OperationalError` while others have it."""
    connection.execute("PRAGMA journal_mode = DELETE")


def refuse_in_place(target: Path, *, force: bool) -> None:
    """Raise `NotAllowed` where a ledger is there already and should stay, or where anybody has it open."""
    if target.exists() and not force:
        raise NotAllowed(f"there is a ledger at {target} already; with --force it is moved aside, not deleted")
    if target.exists() and is_in_use(target):
        raise NotAllowed(f"{target} is in use; stop `outreach serve` and whatever else has it open, then repeat this")


def is_in_use(path: Path) -> bool:
    """Whether any process has this ledger open, be it idle."""
    try:
        with _open(path, "rw") as connection:
            close_up(connection)
    except sqlite3.DatabaseError as error:
        return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return False


def put_in_place(half: Path, target: Path, *, now: datetime) -> Path | None:
    """Let the finished ledger `half` be `target`. What was there is moved aside, never deleted; returns where it is.

    Nobody may have either of them open.
    """
    with _open(half, "rw") as connection:
        close_up(connection)
    _flush(half)
    aside = None
    if target.exists():
        aside = beside(target, f".until-{now:%Y%m%dT%H%M%SZ}")
        for end in reversed(_BESIDE):
            if (old := beside(target, end)).exists():
                old.rename(beside(aside, end))
    half.replace(target)
    _flush(target.parent)
    return aside


def remove(path: Path) -> None:
    """Remove a ledger that is of no use, with what is beside it."""
    for end in _BESIDE:
        beside(path, end).unlink(missing_ok=True)


def beside(path: Path, end: str) -> Path:
    """The file with this at the end of its name."""
    return path.with_name(path.name + end)


@contextlib.contextmanager
def _open(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as connection:
        yield connection


def _version(connection: sqlite3.Connection) -> str:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    return str(row[0]) if row else ""


def _flush(path: Path) -> None:
    """Have the disk keep it: a file's content, or in a folder its names."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
