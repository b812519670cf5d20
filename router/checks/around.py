"""What all channels stand on: the database, Redis, the address under which others reach us."""

from __future__ import annotations

import json
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from router.checks.findings import Finding
from router.core.channel import Wire
from router.core.errors import SendError, Unavailable
from router.hosts import is_public
from router.settings import Settings
from router.store.engine import Store
from router.store.migrate import is_current

_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""RFC 6761, RFC 6762, RFC 8375, ICANN's ``.internal``, and what routers at home call theirs."""


async def check_database(store: Store) -> Finding:
    """Whether the ledger answers and is at this program's version."""
    says = "SQLite" if store.is_sqlite else "PostgreSQL"
    try:
        current = await is_current(store)
    except Unavailable as error:
        return Finding(subject="database", says=says, mend=(str(error),))
    except SQLAlchemyError as error:
        cause = error.__cause__ or error
        return Finding(subject="database", says=says, mend=(f"it refuses us ({type(cause).__name__})",))
    if current:
        return Finding(subject="database", says=f"{says}, up to date")
    if store.is_sqlite:
        return Finding(subject="database", says=says, advice=("the next command brings the ledger up to date",))
    return Finding(subject="database", says=says, mend=("the ledger is not up to date: run `outreach migrate`",))


async def check_redis(url: str) -> Finding:
    """Whether Redis answers."""
    # Its library is loaded where there is a Redis only.
    from redis.exceptions import RedisError

    from router.redis_client import open_redis

    async with open_redis(url) as client:
        try:
            await client.ping()
        except (RedisError, OSError) as error:
            sentence = f"Redis does not answer at OUTREACH_REDIS_URL ({type(error).__name__})"
            return Finding(subject="Redis", says="out of reach", mend=(sentence,))
    return Finding(subject="Redis", says="answers")


async def check_public_address(wire: Wire, settings: Settings) -> Finding:
    """Whether we answer at our own public address, as seen from here."""
    url = settings.public_url.rstrip("/")
    mend: list[str] = []
    advice: list[str] = []
    answer = await _answer(wire, f"{url}/healthz")
    if is_private(url):
        advice.append(f"{url} is on this machine or network only: members' links lead nowhere from elsewhere")
        if answer:
            advice.append(f"{answer}: `outreach serve` is not running")
    else:
        if not url.startswith("https://"):
            mend.append("OUTREACH_PUBLIC_URL begins with http://: providers and browsers want https://")
        if answer:
            mend.append(f"{answer}: start `outreach serve` or `outreach web`, then look at the proxy, TLS and DNS")
    return Finding(subject="public address", says=url, mend=tuple(mend), advice=tuple(advice))


def is_private(url: str) -> bool:
    """Whether a provider on the Internet surely cannot call this address. No name is looked up for it."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)


async def _answer(wire: Wire, url: str) -> str:
    """What is wrong with the answer of our own health check; "" where all is well."""
    try:
        reply = await wire.request("GET", url, headers={"Accept": "application/json"}, timeout=5.0)
    except SendError:
        return f"nobody answers at {url}"
    try:
        ours = reply.status == 200 and json.loads(reply.body) == {"status": "ok"}
    except ValueError:
        ours = False
    return "" if ours else f"something else answers at {url} (HTTP {reply.status})"
