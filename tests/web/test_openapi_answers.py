"""What the document says of answers is what they are: found by ``make chaos ARGS=fuzz``."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestClient


async def document(client: TestClient) -> dict[str, Any]:
    async with client.get("/openapi.json") as response:
        found: dict[str, Any] = await response.json()
        return found


async def test_a_time_by_the_clock_of_a_place_has_no_offset_in_the_document(client: TestClient) -> None:
    schemas = (await document(client))["components"]["schemas"]
    moments = [
        part
        for schema in schemas.values()
        for name, about in schema.get("properties", {}).items()
        if name == "starts_at_local"
        for part in about.get("anyOf", [about])
        if part.get("type") == "string"
    ]
    assert len(moments) >= 4
    assert {part["format"] for part in moments} == {"date-time-local"}


async def test_an_answer_in_json_is_no_string(client: TestClient) -> None:
    operation = (await document(client))["paths"]["/m/{token}/data.json"]["get"]
    assert operation["responses"]["200"]["content"] == {"application/json": {"schema": {"type": "object"}}}
