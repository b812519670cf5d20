"""Celery over Redis, a task and an UPDATE for each message, sent by requests: the way of GOV.UK Notify.

Its ``deliver_sms`` reads the notification, calls the provider with a kept session and updates the row
(https://github.com/alphagov/notifications-api, app/celery/provider_tasks.py, app/delivery/send_to_providers.py). Notify
keeps its rows in PostgreSQL; here they are in SQLite, in the worker's own process, which costs less.

``python -m bench.peers.celery --url … --messages …`` prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import threading
from pathlib import Path
from typing import Any

import requests
from celery import Celery, signals

from bench.peers import texts
from bench.peers.queue import READY, through_queue
from bench.yardsticks import Account

app = Celery("bench", broker=os.environ.get("BENCH_REDIS_URL"))
app.conf.task_ignore_result = True
app.conf.broker_connection_retry_on_startup = True
app.conf.worker_redirect_stdouts = False

_own = threading.local()
_writing = threading.Lock()
"""SQLite has one writer; who waits for it here does not poll for it there."""


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@signals.worker_ready.connect
def _say_ready(**_: Any) -> None:
    print(READY, flush=True)


@app.task(name="deliver")
def deliver(number: int) -> None:
    """Send one message and write down what the provider calls it."""
    if not hasattr(_own, "session"):
        _own.session, _own.account = requests.Session(), Account.read()
        _own.database = _connect(os.environ["BENCH_DATABASE"])
    to, body = _own.database.execute("SELECT phone, body FROM message WHERE id = ?", (number,)).fetchone()
    answer = _own.session.post(
        texts.endpoint(_own.account, os.environ["BENCH_PROVIDER"]),
        data=texts.fields(_own.account, number, to, body),
        auth=(_own.account.sid, _own.account.token),
        timeout=60,
    )
    answer.raise_for_status()
    with _writing:
        _own.database.execute(
            "UPDATE message SET status = 'sent', provider_id = ? WHERE id = ?", (answer.json()["sid"], number)
        )


def measure(messages: int, concurrency: int) -> dict[str, Any]:
    """Fill the table, start a worker with so many threads, and send them all."""
    database = _connect(os.environ["BENCH_DATABASE"])
    database.execute(texts.CREATE)
    database.execute("BEGIN")
    database.executemany("INSERT INTO message (id, phone, body) VALUES (?, ?, ?)", texts.rows(messages))
    database.execute("COMMIT")

    def enqueue() -> None:
        for number in range(messages):
            deliver.delay(number)

    def waiting() -> int:
        return int(database.execute(texts.WAITING).fetchone()[0])

    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
    pool = ("--pool", "threads", "--concurrency", str(concurrency))
    return through_queue(["-m", "celery", "-A", "bench.peers.celery", "worker", *pool, *quiet], enqueue, waiting)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.celery")
    parser.add_argument("--url", required=True, help="the provider's base address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="scratch, on a disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.environ |= {"BENCH_PROVIDER": options.url, "BENCH_DATABASE": f"{folder}/messages.sqlite3"}
        print(json.dumps(measure(options.messages, options.concurrency)))


if __name__ == "__main__":
    main()
