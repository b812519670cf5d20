"""Fuzz: the API by its own document (schemathesis), and every parser by its coverage (atheris)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from router.app import open_runtime
from router.settings import Settings
from router.store.migrate import migrate
from router.web.auth import Scope, create_token
from tests.chaos.fuzz_ledger import fill, settings_of
from tests.chaos.fuzz_parsers import PARSERS
from tests.chaos.report import Row, Size, tell
from tests.support.movement import free_port

ROOT = Path(__file__).parents[2]
CASES, QUICK_CASES = 2_000, 50
"""Cases for each operation of the document."""
CALLERS = ("an admin", "nobody")
PARTS, QUICK_PARTS = 8, 1
"""Into so many parts the paths are divided for each caller; each tells its verdict when it ends."""
AT_ONCE = os.cpu_count() or 1
"""Parts that run beside each other. Schemathesis waits while the program answers: together they fill one core."""
PARSER_SECONDS, QUICK_PARSER_SECONDS = 120, 6
"""For each parser."""
PATIENCE = 60.0
CONFIG = "schemathesis.toml"
_ONE_AT_A_TIME = asyncio.Lock()
"""Migrations keep what they are at in the process, for one ledger only."""


class NotServed(RuntimeError):
    """The program that is to be fuzzed does not answer."""


async def fuzz(size: Size) -> Row:
    """`Row.broken`: failed checks of schemathesis, and inputs on which a parser ended in no way that is its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        many = QUICK_PARTS if size.quick else PARTS
        parts = [(who, part, many) for part in range(many) for who in CALLERS]
        folders = [Path(name) / str(number) for number in range(len(parts))]
        for folder in folders:
            folder.mkdir()
        room = asyncio.Semaphore(AT_ONCE)

        async def in_turn(part: tuple[str, int, int], folder: Path) -> tuple[int, list[str], Counter[str]]:
            async with room:
                return await _as_somebody(*part, folder, size)

        found = await asyncio.gather(*(in_turn(*one) for one in zip(parts, folders, strict=True)))
        cases = sum(one[0] for one in found)
        failures = [line for one in found for line in one[1]]
        statuses = sum((one[2] for one in found), Counter[str]())
        tell(f"{cases:,} requests in {time.monotonic() - began:.0f} s, answered {dict(sorted(statuses.items()))}")
        runs, crashes = await _parsers(size)
    for line in crashes:
        sys.stdout.write(line + "\n")
    remark = f"{cases:,} requests, {runs:,} inputs to {len(PARSERS)} parsers"
    return Row(
        fault="fuzz",
        runs=cases + runs,
        broken=len(failures) + len(crashes),
        seconds=time.monotonic() - began,
        remark=remark,
    )


async def _as_somebody(
    who: str, part: int, parts: int, folder: Path, size: Size
) -> tuple[int, list[str], Counter[str]]:
    """Every so manieth path, as an admin or as nobody, on a program and a ledger of their own.

    Requests, failures, and how often which status was answered.
    """
    async with _served(folder) as (url, token):
        if who == "an admin":  # told so, schemathesis also tries what comes without it
            with (folder / CONFIG).open("a", encoding="utf-8") as config:
                config.write(f'\n[auth.openapi.bearer]\nbearer = "{token}"\n')
        wanted = QUICK_CASES if size.quick else CASES
        paths = (await _paths(url))[part::parts]
        cases, failures = await _schemathesis(url, folder, size, paths, wanted)
        tell(f"{who}, part {part + 1} of {parts}: {cases:,} requests to {len(paths)} paths, {len(failures)} failures")
        for line in failures:
            tell(line)
        said = await _numbers(url, token)
        if not said:
            log = await asyncio.to_thread((folder / "web.log").read_text, "utf-8")
            failures.append(f"the program ended: {log[-1_500:]}")
        counted = re.findall(r'outreach_http_requests_total{room="\w+",status="(\w+)"} ([\d.e+]+)', said)
        statuses: Counter[str] = Counter()
        for status, number in counted:
            statuses[status] += int(float(number))
    return cases, [f"{who}: {line}" for line in failures], statuses


@contextlib.asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """``outreach serve`` over a ledger of its own with a small movement in it, and an admin's token."""
    port = free_port()
    url, database = f"http://127.0.0.1:{port}", f"sqlite:///{folder}/fuzz.sqlite3"
    settings = Settings(database_url=database, secret_key=secrets.token_urlsafe(32), public_url=url)
    async with _ONE_AT_A_TIME, open_runtime(settings, environment={}) as runtime:
        await migrate(runtime.store)
        names = await fill(runtime, now=datetime.now(UTC))
        token = await create_token(runtime.store, "fuzz", [Scope.ADMIN], datetime.now(UTC))
    shipped = Path(__file__).with_name(CONFIG).read_text("utf-8")
    hooks = json.dumps(str(Path(__file__).with_name("fuzz_hooks.py")))
    (folder / CONFIG).write_text(f"hooks = {hooks}\n{shipped}\n{settings_of(names)}", "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OUTREACH_")}
    environment = kept | {
        "OUTREACH_DATABASE_URL": database,
        "OUTREACH_SECRET_KEY": settings.secret_key.get_secret_value(),
        "OUTREACH_PUBLIC_URL": url,
        "OUTREACH_PORT": str(port),
        "OUTREACH_TRUSTED_PROXY": "true",  # `fuzz_hooks`
    }
    with (folder / "web.log").open("wb") as log:
        command = (sys.executable, "-m", "router", "serve")
        server = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            await _until_it_answers(url)
            yield url, token
        finally:
            with contextlib.suppress(ProcessLookupError):
                server.terminate()
            await server.wait()


async def _until_it_answers(url: str) -> None:
    end = time.monotonic() + PATIENCE
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/healthz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise NotServed(f"nobody answers at {url}")


async def _numbers(url: str, token: str) -> str:
    """What it has counted; nothing where it does not answer any more."""
    with contextlib.suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
            session.get(f"{url}/metrics") as response,
        ):
            return await response.text()
    return ""


async def _paths(url: str) -> list[str]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/openapi.json") as response:
        return list((await response.json())["paths"])


async def _schemathesis(url: str, folder: Path, size: Size, paths: list[str], wanted: int) -> tuple[int, list[str]]:
    """How many cases there were, and each kind of failure with the operations that it was found at."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file"]
    command += [str(folder / CONFIG), "run", f"{url}/openapi.json", "--checks", "all"]
    command += ["--phases", "fuzzing" if size.quick else "coverage,fuzzing", "--continue-on-failure", "--no-color"]
    command += ["--max-examples", str(wanted), "--seed", str(size.seed), "--workers", "1"]
    command += [word for path in paths for word in ("--include-path", path)]
    command += ["--no-shrink", "--generation-database", "none", "--suppress-health-check", "all"]
    run = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert run.stdout is not None
    said = (await run.stdout.read()).decode("utf-8", "replace")
    ended = await run.wait()
    counted = re.search(r"([\d,]+) generated", said)
    failures = _failures(said)
    if not counted or (ended and not failures):
        failures.append(f"schemathesis ended with {ended}: {said[-500:]}")
    return int(counted[1].replace(",", "")) if counted else 0, failures


def _failures(said: str) -> list[str]:
    """``- ST105 …`` below ``____ GET /path ____``, in what schemathesis prints."""
    where, found = "", Counter[str]()
    for line in said.splitlines():
        if heading := re.fullmatch(r"_{3,} (.+?) _{3,}", line):
            where = heading[1]
        elif failure := re.fullmatch(r"- (ST\d+ .+)", line):
            found[f"{where}: {failure[1]}"] += 1
    return [f"{what} ({count})" for what, count in found.items()]


async def _parsers(size: Size) -> tuple[int, list[str]]:
    """How many inputs there were, and the parsers that could not take one."""
    room = asyncio.Semaphore(AT_ONCE)

    async def in_turn(name: str) -> tuple[int, str]:
        async with room:
            return await _parser(name, size)

    found = await asyncio.gather(*(in_turn(name) for name in PARSERS))
    return sum(runs for runs, _ in found), [crash for _, crash in found if crash]


async def _parser(name: str, size: Size) -> tuple[int, str]:
    """In a process of its own, since atheris ends the process at the first input that the parser cannot take."""
    seconds = QUICK_PARSER_SECONDS if size.quick else PARSER_SECONDS
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.fuzz_parsers", name, str(seconds), str(size.seed % 2**31),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert run.stdout is not None
    said = (await run.stdout.read()).decode("utf-8", "replace")
    counted = re.search(r"stat::number_of_executed_units: (\d+)", said)
    runs = int(counted[1]) if counted else 0
    tell(f"{name}: {runs:,} inputs")
    if not await run.wait() and counted:
        return runs, ""
    return runs, f"{name}: {json.dumps(said[-1_500:], ensure_ascii=False)}"
