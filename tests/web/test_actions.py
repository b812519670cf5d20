"""``/api/v1/actions``: what people did elsewhere, counted once, with money where there was some."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from sqlalchemy import text

from router.runtime import Runtime

ANA = {"external_id": "crm-7", "first_name": "Ana", "email": "ana@example.org"}
GIFT = {"external_id": "gift-1", "kind": "gave", "email": "ana@example.org", "amount": 1250, "currency": "EUR"}


@pytest.fixture
async def ana(client: TestClient, admin: dict[str, str]) -> None:
    """A member who can be named."""
    async with client.post("/api/v1/members", json=ANA, headers=admin) as response:
        assert response.status < 300, await response.text()


@pytest.mark.usefixtures("ana")
async def test_a_gift_is_kept_once_with_its_amount(client: TestClient, admin: dict[str, str], runtime: Runtime) -> None:
    answers = []
    for _ in range(2):
        async with client.post("/api/v1/actions", json=GIFT, headers=admin) as response:
            answers.append((response.status, (await response.json())["new"]))
    assert answers == [(201, True), (200, False)]
    async with runtime.store.read() as connection:
        rows = (await connection.execute(text("SELECT kind, amount, currency FROM action"))).all()
    assert [tuple(row) for row in rows] == [("gave", 1250, "EUR")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"currency": ""}, "an amount and its currency go together"),
        ({"amount": 0}, "an amount and its currency go together"),
        ({"amount": -5}, "greater than or equal to 0"),
        ({"amount": 12.5}, "integer"),
        ({"amount": "1250"}, "integer"),
        ({"amount": 10**12 + 1}, "less than or equal to 1000000000000"),
        ({"currency": "eur"}, "match"),
        ({"currency": "Euro"}, "match"),
    ],
)
@pytest.mark.usefixtures("ana")
async def test_an_amount_that_cannot_be_meant(
    client: TestClient, admin: dict[str, str], change: dict[str, Any], sentence: str
) -> None:
    async with client.post("/api/v1/actions", json={**GIFT, **change}, headers=admin) as response:
        said = await response.text()
        assert response.status == 422, said
    assert sentence in said
