"""A storm of receipts and replies while a blast runs, as Twilio would send it, and what became of each.

``python -m tests.e2e.storm`` is the full size; ``--restart postgres`` or ``--restart worker`` breaks into its middle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from twilio.request_validator import RequestValidator

from router.store.engine import Store
from router.store.migrate import migrate
from tests.e2e.many import PATIENCE, House, Toll, open_house
from tests.support.own_postgres import OwnPostgres
from tests.support.redis import redis_url

AT_ONCE = 32
"""Webhooks under way at once; the sandbox's providers have as many."""

AGAIN = 0.3
"""Seconds after which a webhook that was not taken is sent once more."""

QUESTION = "AIDE"
"""HELP in a language that Twilio does not answer by itself, so that we do."""

Break = Callable[[House], Awaitable[None]]
"""What happens in the middle of a storm."""


@dataclass(slots=True)
class Weather:
    """How a storm was taken."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    """Seconds until the 200 of each webhook, without the tries before it."""
    refused: Counter[int] = field(default_factory=Counter)
    """Answers other than 200, by status; 0: the connection broke."""
    asked: dict[str, float] = field(default_factory=dict)
    """Telephone → when its reply began to be taken, Unix time."""
    answers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Telephone → when the provider had our answers."""

    def part(self, share: float) -> float:
        """The time within which this share of the webhooks was taken."""
        return sorted(self.taken)[min(len(self.taken) - 1, int(share * len(self.taken)))]

    @property
    def waits(self) -> list[float]:
        """Seconds from each reply to our answer."""
        return sorted(self.answers[phone][0] - asked for phone, asked in self.asked.items() if self.answers[phone])


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What the ledger and the provider have after a storm."""

    weather: Weather
    asked: Toll
    """The campaign whose receipts and replies they were."""
    running: Toll
    """The blast that ran meanwhile."""
    receipts: int
    inbound: int
    unanswered: int
    answered_twice: int


async def storm(
    house: House,
    *,
    members: int,
    running: int,
    receipts: int,
    replies: int,
    workers: int = 1,
    broken: Break | None = None,
) -> Aftermath:
    """Ask `members`; then, while `running` others are asked, let receipts and replies of the first come all at once.

    Of so many receipts those beyond two for each message are repeated ones.
    """
    await house.web()
    await asyncio.gather(*[house.worker() for _ in range(workers)])
    await house.turn(no_receipts=1.0)
    first = await house.movement.add_members(members)
    campaign = await house.movement.launch()
    await house.until_finished(campaign)
    accepted = await house.ask("GET", "accepted")
    others = await house.movement.add_members(running, channel="sms", values=[_other(n) for n in range(running)])
    await house.turn(latency=0.1)
    second = await house.movement.launch(title="Second")
    await house.until_accepted(members + 20)
    weather = Weather()
    posts = _posts(house, accepted, receipts=receipts, replies=replies, weather=weather)
    await _blow(house, posts, weather, halfway=(receipts + replies) // 2, broken=broken)
    await house.turn(latency=0.0)
    await house.until_finished(second)
    with contextlib.suppress(AssertionError):  # who was not answered is counted
        await house.movement.until(lambda: _all_answered(house, len(accepted) + running + replies), 2 * PATIENCE)
    for one in (await house.ask("GET", "accepted"))[members:]:
        if one["to"] in weather.asked:
            weather.answers[one["to"]].append(one["at"])
    ids = [f"{one['sid']}:{word}" for one in accepted for word in ("sent", "delivered")]
    stored = {row.event_id for row in await house.movement.execute("SELECT event_id FROM receipt")}
    [(inbound,)] = await house.movement.execute("SELECT count(*) FROM inbound")
    return Aftermath(
        weather=weather,
        asked=await house.count(campaign, first),
        running=await house.count(second, others),
        receipts=len(stored.intersection(ids)),
        inbound=inbound,
        unanswered=sum(not weather.answers[phone] for phone in weather.asked),
        answered_twice=sum(len(times) > 1 for times in weather.answers.values()),
    )


def _other(number: int) -> str:
    """A telephone of those who are asked during the storm, of another range that ARCEP keeps free for fiction."""
    return f"+3346571{number:04d}"


def _posts(
    house: House, accepted: list[dict[str, Any]], *, receipts: int, replies: int, weather: Weather
) -> Iterator[tuple[str, dict[str, str]]]:
    """Address and form of each webhook: receipts over and over, with a reply after so many."""
    url = f"{house.balancer.url}/hooks/sms/main"
    account = house.environment["OUTREACH_SMS_ACCOUNT_SID"]
    every = max(1, receipts // max(1, replies))
    written = 0
    for number in range(receipts):
        turn, place = divmod(number, len(accepted))
        one = accepted[place]
        form = {"MessageSid": one["sid"], "MessageStatus": ("sent", "delivered")[turn % 2], "AccountSid": account}
        yield f"{url}?d={one['delivery']}", form | {"To": one["to"]}
        if number % every == every - 1 and written < replies:
            phone = accepted[written]["to"]
            written += 1
            form = {"MessageSid": f"SM{uuid4().hex}", "AccountSid": account, "From": phone, "Body": QUESTION}
            yield url, form | {"To": "+12025550100"}


async def _blow(
    house: House,
    posts: Iterator[tuple[str, dict[str, str]]],
    weather: Weather,
    *,
    halfway: int,
    broken: Break | None,
) -> None:
    signer = RequestValidator(house.environment["OUTREACH_SMS_AUTH_TOKEN"])
    breaking: list[asyncio.Task[None]] = []

    async def blow(session: aiohttp.ClientSession) -> None:
        for url, form in posts:
            if broken is not None and not breaking and len(weather.taken) >= halfway:
                breaking.append(asyncio.ensure_future(broken(house)))
            await _post(session, url, form, signer.compute_signature(url, form), weather)

    began = time.monotonic()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*[blow(session) for _ in range(AT_ONCE)])
    weather.seconds = time.monotonic() - began
    await asyncio.gather(*breaking)


async def _post(
    session: aiohttp.ClientSession, url: str, form: dict[str, str], signature: str, weather: Weather
) -> None:
    """Until it is taken, as a provider that tries again does it."""
    while True:
        began, at = time.monotonic(), time.time()
        status = 0
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.post(url, data=form, headers={"X-Twilio-Signature": signature}) as reply:
                status = reply.status
        if status == 200:
            weather.taken.append(time.monotonic() - began)
            if "Body" in form:
                weather.asked[form["From"]] = at
            return
        weather.refused[status] += 1
        await asyncio.sleep(AGAIN)


async def _all_answered(house: House, wanted: int) -> bool:
    return await house.accepted() >= wanted


def restarting(server: OwnPostgres, *, away: float = 2.0) -> Break:
    """PostgreSQL is ended in the hardest way, is away for so many seconds, and recovers."""

    async def restart(_: House) -> None:
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(away)
        await asyncio.to_thread(server.start)

    return restart


async def worker_dies(house: House) -> None:
    """Every worker is killed; another one comes."""
    for process in house.workers():
        await process.kill()
    await house.worker()


@contextlib.asynccontextmanager
async def own_house(folder: Path, redis: str, **variables: str) -> Any:
    """An installation on a PostgreSQL of its own, which may be killed: that, and the installation."""
    server = OwnPostgres()
    try:
        await asyncio.to_thread(server.start)
        store = Store(server.url)
        await migrate(store)
        await store.aclose()
        async with open_house(server.url, redis, folder, OUTREACH_SMS_PROVIDER_ANSWERS="no", **variables) as house:
            yield server, house
    finally:
        await asyncio.to_thread(server.close)


async def _main(options: argparse.Namespace) -> int:
    redis = redis_url()
    assert redis is not None, "no Redis"
    with tempfile.TemporaryDirectory() as folder:
        async with own_house(Path(folder), redis) as (server, house):
            broken = {"": None, "postgres": restarting(server), "worker": worker_dies}[options.restart]
            found = await storm(
                house,
                members=options.members,
                running=options.running,
                receipts=options.receipts,
                replies=options.replies,
                workers=options.workers,
                broken=broken,
            )
    weather, waits = found.weather, found.weather.waits
    sys.stdout.write(
        f"{options.receipts:,} receipts and {options.replies:,} replies in {weather.seconds:.1f} s"
        f" ({(options.receipts + options.replies) / weather.seconds:,.0f}/s, {AT_ONCE} at once);"
        f" 200 after p50 {weather.part(0.5) * 1000:.0f} ms, p99 {weather.part(0.99) * 1000:.0f} ms,"
        f" longest {weather.part(1) * 1000:.0f} ms; refused {dict(weather.refused)}\n"
        f"replies answered after p50 {waits[len(waits) // 2]:.2f} s, p95 {waits[int(0.95 * len(waits))]:.2f} s, longest"
        f" {waits[-1]:.2f} s; unanswered {found.unanswered}, answered twice {found.answered_twice}\n"
        f"receipts in the ledger {found.receipts:,}, inbound {found.inbound:,}\n"
        f"asked: {found.asked}\nblast during the storm: {found.running}\n"
    )
    return 1 if found.asked.lost or found.asked.twice or found.running.lost or found.running.twice else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.storm", description=__doc__)
    parser.add_argument("--members", type=int, default=8_000, help="who were asked before; at most 10,000")
    parser.add_argument("--running", type=int, default=3_000, help="who are asked during the storm")
    parser.add_argument("--receipts", type=int, default=20_000)
    parser.add_argument("--replies", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--restart", choices=("", "postgres", "worker"), default="")
    sys.exit(asyncio.run(_main(parser.parse_args())))
