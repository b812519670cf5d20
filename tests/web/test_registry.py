"""Every address has one rule of access, and the OpenAPI document tells the truth about all of them."""

from __future__ import annotations

import inspect
import json
import typing

import pytest
from aiohttp.test_utils import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from router.web.app import ENDPOINTS
from router.web.auth import Open, Page, Scope
from router.web.endpoints import Endpoint, registrar
from tests.web.conftest import MakeHeaders

GUARDED = [endpoint for endpoint in ENDPOINTS if isinstance(endpoint.access, Scope)]


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.public_path}"


def some_path(endpoint: Endpoint) -> str:
    return endpoint.public_path.replace("{id}", "1").replace("{campaign}", "1")


def test_every_route_of_the_application_is_in_the_registry(client: TestClient) -> None:
    routes = set()
    for route in client.app.router.routes():
        assert route.resource is not None
        if route.method != "HEAD":
            routes.add((route.method, route.resource.canonical))
    assert routes == {(endpoint.method, endpoint.public_path) for endpoint in ENDPOINTS}


def test_webhooks_are_proven_by_their_adapters() -> None:
    webhooks = {endpoint.public_path for endpoint in ENDPOINTS if endpoint.access is Open.WEBHOOK}
    assert webhooks == {"/hooks/{channel}", "/hooks/{channel}/{account}"}


@pytest.mark.parametrize("endpoint", GUARDED, ids=name_of)
async def test_a_guarded_address_refuses_strangers_and_wrong_scopes(
    endpoint: Endpoint, client: TestClient, bearer: MakeHeaders
) -> None:
    async with client.request(endpoint.method, some_path(endpoint)) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert response.content_type == "application/problem+json"
    others = [scope for scope in Scope if scope not in (endpoint.access, Scope.ADMIN)]
    async with client.request(endpoint.method, some_path(endpoint), headers=await bearer(*others)) as response:
        assert response.status == 403
        assert endpoint.access in (await response.json())["detail"]


@pytest.mark.parametrize("endpoint", GUARDED, ids=name_of)
async def test_the_scope_and_admin_get_past_the_guard(
    endpoint: Endpoint, client: TestClient, bearer: MakeHeaders
) -> None:
    for scope in (endpoint.access, Scope.ADMIN):
        async with client.request(endpoint.method, some_path(endpoint), headers=await bearer(scope)) as response:
            assert response.status not in (401, 403)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_a_handler_takes_what_its_entry_declares(endpoint: Endpoint) -> None:
    hints = typing.get_type_hints(endpoint.handler)
    names = set(inspect.signature(endpoint.handler).parameters) - {"call"}
    assert names == {
        name for name, there in (("body", endpoint.body or endpoint.upload), ("query", endpoint.query)) if there
    }
    if endpoint.body:
        assert hints["body"] is endpoint.body
    if endpoint.query:
        assert hints["query"] is endpoint.query


def test_the_same_address_twice_is_refused() -> None:
    endpoint = registrar([])

    async def handler() -> None: ...

    endpoint("GET", "/x", access=Open.PUBLIC, summary="")(handler)
    with pytest.raises(ValueError, match="twice"):
        endpoint("GET", "/x", access=Open.PUBLIC, summary="")(handler)


async def test_the_openapi_document_is_valid_and_complete(client: TestClient) -> None:
    async with client.get("/openapi.json") as response:
        assert response.content_type == "application/json"
        document = await response.json()
    OpenAPIV31SpecValidator(document).validate()
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    for_programs = [endpoint for endpoint in ENDPOINTS if not isinstance(endpoint.access, Page)]
    assert described == {(endpoint.method, endpoint.public_path) for endpoint in for_programs}
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


async def test_the_openapi_document_says_how_to_ask(client: TestClient) -> None:
    async with client.get("/openapi.json") as response:
        document = await response.json()
    create = document["paths"]["/api/v1/campaigns"]["post"]
    assert create["security"] == [{"bearer": ["campaigns:write"]}]
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].startswith("#/components/schemas/Ask")
    assert "Idempotency-Key" in {parameter["name"] for parameter in create["parameters"]}
    assert document["paths"]["/api/v1/campaigns/{id}/launch"]["post"]["requestBody"]["required"] is False
    listing = document["paths"]["/api/v1/campaigns"]["get"]["parameters"]
    assert {parameter["name"] for parameter in listing} == {"limit", "before"}
    problem = document["components"]["responses"]["Problem"]["content"]["application/problem+json"]["schema"]
    fields = document["components"]["schemas"][problem["$ref"].rpartition("/")[2]]["properties"]
    assert {"type", "title", "status", "detail", "errors"} <= set(fields)
    text = json.dumps(document)
    assert all(f'"#/components/schemas/{name}"' in text for name in ("CampaignView", "Preview"))
