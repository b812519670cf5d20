"""Tokens: shown once, kept as a hash, gone within seconds of their revocation; guessing is slowed down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp.test_utils import TestClient, make_mocked_request
from sqlalchemy import select

from router.core.errors import BadInput, NotFound
from router.limits import LocalLimits
from router.runtime import Runtime
from router.store.engine import Store
from router.store.tables import api_token, audit
from router.web.auth import Guard, GuessBrake, Scope, create_token, list_tokens, revoke_token
from router.web.problems import ProblemError

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Store]:
    """Both databases."""
    store = Store(database_url)
    yield store
    await store.aclose()


async def test_a_token_is_kept_as_a_hash_only(ledger: Store) -> None:
    token = await create_token(ledger, "website", "campaigns:read actions:write", NOW)
    assert token.startswith("ort_")
    assert len(token) == 47
    async with ledger.read() as connection:
        row = (await connection.execute(select(api_token))).one()
        noted = (await connection.execute(select(audit))).one()
    assert token not in str(tuple(row)) + str(tuple(noted))
    assert noted.what == "token.create"
    (view,) = await list_tokens(ledger)
    assert (view.name, view.scopes) == ("website", [Scope.ACTIONS_WRITE, Scope.CAMPAIGNS_READ])
    caller = await Guard(ledger).admit(f"Bearer {token}", Scope.CAMPAIGNS_READ)
    assert caller.name == "website"


@pytest.mark.parametrize(
    ("name", "scopes"), [("x", []), ("x", ["root"]), (" ", ["admin"]), ("x" * 201, ["admin"]), ("x", ["admin", ""])]
)
async def test_a_token_that_makes_no_sense_is_not_made(
    sqlite_url: str, store: Store, name: str, scopes: list[str]
) -> None:
    with pytest.raises(BadInput):
        await create_token(store, name, scopes, NOW)
    assert await list_tokens(store) == []


async def test_a_revoked_token_ends_within_seconds(ledger: Store) -> None:
    token = await create_token(ledger, "bot", ["admin"], NOW)
    clock = [0.0]
    guard = Guard(ledger, clock=lambda: clock[0])
    caller = await guard.admit(f"bearer {token}", Scope.MEMBERS_WRITE)
    await revoke_token(ledger, caller.token_id, NOW)
    await revoke_token(ledger, caller.token_id, NOW)
    clock[0] = 3.0
    with pytest.raises(ProblemError) as caught:
        await guard.admit(f"bearer {token}", Scope.MEMBERS_WRITE)
    assert caught.value.status == 401
    async with ledger.read() as connection:
        noted = (await connection.execute(select(audit.c.what).order_by(audit.c.id))).scalars().all()
    assert noted == ["token.create", "token.revoke"]
    with pytest.raises(NotFound):
        await revoke_token(ledger, 10**9, NOW)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ort_short", "Basic YTpi", "Bearer ort_" + "é" * 43, "Bearer ort_" + "A" * 43],
)
async def test_no_good_token_no_entry(store: Store, authorization: str) -> None:
    with pytest.raises(ProblemError) as caught:
        await Guard(store).admit(authorization, Scope.CAMPAIGNS_READ)
    assert caught.value.status == 401
    assert "WWW-Authenticate" in caught.value.headers


@pytest.fixture
def limits() -> tuple[LocalLimits, list[float]]:
    now = [0.0]
    return LocalLimits(clock=lambda: now[0]), now


def request_from(peer: str, **headers: str) -> object:
    request = make_mocked_request("GET", "/a/x", headers={n.replace("_", "-"): value for n, value in headers.items()})
    return request.clone(remote=peer)


async def test_wrong_tokens_are_slowed_down_and_right_ones_cost_nothing(
    limits: tuple[LocalLimits, list[float]],
) -> None:
    bucket, now = limits
    brake = GuessBrake(bucket, trusted_proxy=False)
    request = request_from("192.0.2.1")
    for _ in range(200):
        await brake.enter(request)
    for _ in range(40):
        await brake.enter(request)
        await brake.wrong(request)
    with pytest.raises(ProblemError) as caught:
        await brake.enter(request)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "1")
    now[0] = 1.0
    for _ in range(20):
        await brake.wrong(request)
    with pytest.raises(ProblemError):
        await brake.wrong(request)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.77", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
    ],
)
async def test_who_shares_a_bucket(limits: tuple[LocalLimits, list[float]], one: str, other: str, same: bool) -> None:
    brake = GuessBrake(limits[0], trusted_proxy=False)
    for _ in range(40):
        await brake.wrong(request_from(one))
    if same:
        with pytest.raises(ProblemError):
            await brake.enter(request_from(other))
    else:
        await brake.enter(request_from(other))


async def test_the_forwarded_address_counts_only_behind_our_proxy_and_only_its_last_part(
    limits: tuple[LocalLimits, list[float]],
) -> None:
    trusting = GuessBrake(limits[0], trusted_proxy=True)
    for number in range(40):
        await trusting.wrong(request_from("10.0.0.1", X_Forwarded_For=f"203.0.113.{number}, 198.51.100.7"))
    with pytest.raises(ProblemError):
        await trusting.enter(request_from("10.0.0.1", X_Forwarded_For="198.51.100.7"))
    await trusting.enter(request_from("10.0.0.1", X_Forwarded_For="198.51.100.8"))
    plain = GuessBrake(LocalLimits(clock=lambda: 0.0), trusted_proxy=False)
    for number in range(40):
        await plain.wrong(request_from("10.0.0.1", X_Forwarded_For=f"203.0.113.{number}"))
    with pytest.raises(ProblemError):
        await plain.enter(request_from("10.0.0.1", X_Forwarded_For="203.0.113.99"))


async def test_many_wrong_bearer_tokens_end_in_429_and_a_right_one_still_works(
    client: TestClient, runtime: Runtime, admin: dict[str, str]
) -> None:
    statuses = []
    while 429 not in statuses:
        assert len(statuses) < 2_000
        async with client.get("/metrics", headers={"Authorization": "Bearer ort_" + "A" * 43}) as response:
            statuses.append(response.status)
    assert statuses[:40] == [401] * 40
    async with client.get("/metrics", headers=admin) as response:
        assert response.status == 200
