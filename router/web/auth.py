"""Who may call: bearer tokens, kept as SHA-256 only, each with scopes; and a brake on guessing."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aiohttp import web
from pydantic import BaseModel, ConfigDict
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.errors import BadInput, NotFound
from router.limits import Bucket, LocalLimits
from router.store.campaigns import write_audit
from router.store.engine import Store
from router.store.tables import api_token
from router.web.problems import ProblemError, retry_after


class Scope(StrEnum):
    """What a token may do. ADMIN may do everything."""

    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    CAMPAIGNS_LAUNCH = "campaigns:launch"
    MEMBERS_WRITE = "members:write"
    IMPORTS_WRITE = "imports:write"
    ACTIONS_WRITE = "actions:write"
    INBOX_READ = "inbox:read"
    INBOX_WRITE = "inbox:write"
    ADMIN = "admin"


class Open(StrEnum):
    """The two ways for an address to need no token."""

    PUBLIC = "public"
    """Tells or does nothing that a stranger may not have."""
    WEBHOOK = "webhook"
    """The channel's adapter proves the sender (`Channel.verify`)."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page for an organizer who is signed in, in a role that has `scope`."""

    scope: Scope


Access = Scope | Open | Page

_TOKEN = re.compile(r"ort_[A-Za-z0-9_-]{43}")
_CACHE_SECONDS = 3.0
"""A revoked token works for at most so long."""
_CACHE_SIZE = 1_000
_RATE, _BURST, _BUCKETS = 20.0, 40.0, 4096


class TokenView(BaseModel):
    """A token as lists show it; the token itself is shown once, when it is made."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    scopes: list[Scope]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a token."""

    token_id: int
    name: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether the token has `scope`, or all of them."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


async def create_token(
    store: Store,
    name: str,
    scopes: str | Iterable[str],
    now: datetime,
    *,
    by: str = "operator",
    along: Callable[[AsyncConnection, int], Awaitable[None]] | None = None,
) -> str:
    """Make a token and return it; only its hash is kept, so this is the one time that it can be read.

    `scopes` are names of `Scope`, in one string with spaces between or one by one. `along` is written with it.
    """
    wanted = sorted(set(scopes.split() if isinstance(scopes, str) else scopes))
    known = {scope.value for scope in Scope}
    if not wanted or not known.issuperset(wanted):
        raise BadInput(f"choose among {', '.join(sorted(known))}", place="scopes")
    if not 1 <= len(name.strip()) <= 200:
        raise BadInput("give the token a name of 1 to 200 characters", place="name")
    token = f"ort_{secrets.token_urlsafe(32)}"
    token_id, audit_id = await store.take_ids(2)

    async def save(connection: AsyncConnection) -> None:
        await connection.execute(
            insert(api_token).values(
                id=token_id, name=name.strip(), token_hash=_hash(token), scopes=" ".join(wanted), created_at=now
            )
        )
        detail = {"scopes": wanted}
        await write_audit(
            connection, audit_id, who=by, what="token.create", subject=str(token_id), detail=detail, now=now
        )
        if along is not None:
            await along(connection, token_id)

    await store.transact(save)
    return token


async def revoke_token(store: Store, token_id: int, now: datetime, *, by: str = "operator") -> None:
    """End a token, within seconds and for good. Raises `NotFound`; a second time changes nothing."""
    (audit_id,) = await store.take_ids(1)

    async def revoke(connection: AsyncConnection) -> None:
        if await connection.scalar(select(api_token.c.id).where(api_token.c.id == token_id)) is None:
            raise NotFound(f"there is no token {token_id}")
        changed = await connection.execute(
            update(api_token).where(api_token.c.id == token_id, api_token.c.revoked_at.is_(None)).values(revoked_at=now)
        )
        if changed.rowcount:
            await write_audit(
                connection, audit_id, who=by, what="token.revoke", subject=str(token_id), detail={}, now=now
            )

    await store.transact(revoke)


async def list_tokens(store: Store) -> list[TokenView]:
    """All tokens, revoked ones too, oldest first."""
    async with store.read() as connection:
        rows = await connection.execute(select(api_token).order_by(api_token.c.id))
        return [
            TokenView(
                id=row.id,
                name=row.name,
                scopes=[Scope(scope) for scope in row.scopes.split()],
                created_at=row.created_at,
                revoked_at=row.revoked_at,
            )
            for row in rows
        ]


class Guard:
    """Finds the caller of a request. Remembers good tokens for `_CACHE_SECONDS`."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[Caller, float]] = {}

    async def admit(self, authorization: str, scope: Scope) -> Caller:
        """The caller, if their token has `scope`; 401 without a good token, 403 without the scope."""
        caller = await self._caller(authorization)
        if not caller.may(scope):
            raise ProblemError(403, f"this token lacks the scope {scope.value}; an admin can make one that has it")
        return caller

    async def _caller(self, authorization: str) -> Caller:
        kind, _, token = authorization.partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not _TOKEN.fullmatch(token):
            raise _unauthorized("send the header Authorization: Bearer ort_…")
        token_hash = _hash(token)
        known = self._known.get(token_hash)
        if known is not None and self._clock() < known[1]:
            return known[0]
        self._known.pop(token_hash, None)
        caller = await self._look_up(token_hash)
        if caller is None:
            raise _unauthorized("this token is unknown or was revoked")
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[token_hash] = (caller, self._clock() + _CACHE_SECONDS)
        return caller

    async def _look_up(self, token_hash: str) -> Caller | None:
        # The index compares hashes, not tokens: what its timing tells is of no use without inverting SHA-256.
        async with self._store.read() as connection:
            row = (
                await connection.execute(
                    select(api_token).where(api_token.c.token_hash == token_hash, api_token.c.revoked_at.is_(None))
                )
            ).first()
        if row is None or not hmac.compare_digest(row.token_hash, token_hash):
            return None
        return Caller(row.id, row.name, frozenset(row.scopes.split()))


class GuessBrake:
    """Slows down whoever tries tokens: 20 wrong ones a second from one address, 40 at once, in this process.

    Right ones cost nothing, because a mailbox provider unsubscribes thousands of people from one address.
    """

    def __init__(
        self,
        limits: LocalLimits,
        *,
        trusted_proxy: bool,
        name: str = "guesses",
        rate: float = _RATE,
        burst: float = _BURST,
    ) -> None:
        self._limits = limits
        self._trusted_proxy = trusted_proxy
        self._name, self._rate, self._burst = name, rate, burst

    async def enter(self, request: web.Request) -> None:
        """Before a token is looked at: 429 where too many were wrong of late."""
        bucket = self._bucket(request)
        if not (await self._limits.take(bucket, 1)).granted:
            raise ProblemError(429, "too many tries; wait a little", headers=retry_after(1))
        await self._limits.give_back(bucket, 1)

    async def wrong(self, request: web.Request) -> None:
        """A token was wrong; 429 where that was one too many."""
        if not (await self._limits.take(self._bucket(request), 1)).granted:
            raise ProblemError(429, "too many tries; wait a little", headers=retry_after(1))

    def _bucket(self, request: web.Request) -> Bucket:
        # A fixed number of buckets, so that no crowd of addresses can fill the memory.
        network = hash(_network(self._peer(request))) % _BUCKETS
        return Bucket(f"web/{self._name}/{network}", self._rate, self._burst)

    def _peer(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", []) if self._trusted_proxy else []
        # Our proxy appends the peer that it saw; what stands to the left of that is the peer's own claim.
        return forwarded[-1].rpartition(",")[2].strip() if forwarded else (request.remote or "")


def _network(peer: str) -> str:
    """One bucket for an IPv4 address or an IPv6 /64, which is what one customer gets."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _unauthorized(sentence: str) -> ProblemError:
    return ProblemError(401, sentence, headers={"WWW-Authenticate": 'Bearer realm="outreach"'})
