"""taskiq over Redis, an asyncio task and an UPDATE for each message, sent by aiohttp; the rows are in PostgreSQL.

``python -m bench.peers.taskiq --url … --messages … --database …`` prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker

from bench.peers import texts
from bench.peers.queue import READY, through_queue
from bench.yardsticks import Account

broker = ListQueueBroker(os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379"), queue_name="bench")
CONNECTIONS = 10
"""To the database: what one worker of ours has."""


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def _open(state: TaskiqState) -> None:
    state.account = Account.read()
    state.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    state.pool = await asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=CONNECTIONS, max_size=CONNECTIONS)
    print(READY, flush=True)


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def _close(state: TaskiqState) -> None:
    await state.session.close()
    await state.pool.close()


@broker.task(task_name="deliver")
async def deliver(number: int) -> None:
    """Send one message and write down what the provider calls it."""
    state = broker.state
    row = await state.pool.fetchrow("SELECT phone, body FROM message WHERE id = $1", number)
    async with state.session.post(
        texts.endpoint(state.account, os.environ["BENCH_PROVIDER"]),
        data=texts.fields(state.account, number, row["phone"], row["body"]),
        headers={"Authorization": texts.authorization(state.account)},
    ) as answer:
        answer.raise_for_status()
        sid = (await answer.json())["sid"]
    await state.pool.execute("UPDATE message SET status = 'sent', provider_id = $1 WHERE id = $2", sid, number)


async def _fill(messages: int) -> None:
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE"])
    await connection.execute(texts.CREATE)
    await connection.copy_records_to_table("message", columns=("id", "phone", "body"), records=texts.rows(messages))
    await connection.close()


def measure(messages: int, concurrency: int) -> dict[str, Any]:
    """Fill the table, start a worker with so many tasks at once, and send them all."""
    with asyncio.Runner() as runner:
        runner.run(_fill(messages))
        database = runner.run(asyncpg.connect(os.environ["BENCH_DATABASE"]))

        async def ask_all() -> None:
            await broker.startup()
            for number in range(messages):
                await deliver.kiq(number)

        worker = ["-m", "taskiq", "worker", "bench.peers.taskiq:broker", "--workers", "1", "--log-level", "WARNING"]
        worker += ["--max-async-tasks", str(concurrency)]
        try:
            return through_queue(
                worker, lambda: runner.run(ask_all()), lambda: int(runner.run(database.fetchval(texts.WAITING)))
            )
        finally:
            runner.run(database.close())
            runner.run(broker.shutdown())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.taskiq")
    parser.add_argument("--url", required=True, help="the provider's base address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--database", required=True, help="an empty one, or one without a table of messages")
    parser.add_argument("--folder", type=Path, help="not needed")
    options = parser.parse_args()
    os.environ |= {"BENCH_PROVIDER": options.url, "BENCH_DATABASE": options.database}
    print(json.dumps(measure(options.messages, options.concurrency)))


if __name__ == "__main__":
    main()
