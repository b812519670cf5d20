"""The OpenAPI 3.1 document, made from the registry and the pydantic models that do the checking."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from router import __version__
from router.web.auth import Page, Scope
from router.web.endpoints import Endpoint
from router.web.problems import Problem

_REF = "#/components/schemas/{model}"
_UNREAD = {"text/plain": {"schema": {"type": "string"}}}
"""The answer to what is no request, such as an address of more than 8 KiB: nothing of ours is asked."""
Mode = Literal["validation", "serialization"]
Schemas = dict[Any, dict[str, Any]]
"""(model, mode) → its reference, as `models_json_schema` gives them."""


def openapi_document(endpoints: Iterable[Endpoint], *, server: str, pages: tuple[str, ...] = ()) -> bytes:
    """The whole document as JSON. Organizers' pages are not in it: programs have the API.

    Below `pages` an error is a page for a person.
    """
    endpoints = [endpoint for endpoint in endpoints if not isinstance(endpoint.access, Page)]
    schemas, definitions = models_json_schema(list(_models(endpoints)), ref_template=_REF)
    components = definitions.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas, components)
        problem = "PageProblem" if endpoint.public_path.startswith(pages) else "Problem"
        operation["responses"]["default"] = {"$ref": f"#/components/responses/{problem}"}
        paths.setdefault(endpoint.public_path, {})[endpoint.method.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Outreach router",
            "version": __version__,
            "description": "One ask, routed to each member over the channel they chose if their attention can bear it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"A token ort_…; `outreach token` makes one. Scopes: {', '.join(Scope)}.",
                }
            },
            "responses": {
                "Problem": {
                    "description": "What went wrong, and in which field",
                    "content": {"application/problem+json": {"schema": schemas[(Problem, "serialization")]}, **_UNREAD},
                },
                "PageProblem": {
                    "description": "What went wrong, as a page for whoever opened the link",
                    "content": {"text/html": {"schema": {"type": "string"}}, **_UNREAD},
                },
            },
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _models(endpoints: list[Endpoint]) -> Iterable[tuple[type[BaseModel], Mode]]:
    found: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for endpoint in endpoints:
        for model in (endpoint.body, endpoint.query):
            if model is not None:
                found[(model, "validation")] = None
        for reply in endpoint.replies.values():
            if not isinstance(reply, str):
                found[(reply, "serialization")] = None
    return found


def _operation(endpoint: Endpoint, schemas: Schemas, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.summary,
        "tags": [_tag(endpoint)],
        "responses": {str(status): _reply(status, reply, schemas) for status, reply in endpoint.replies.items()},
        "security": [{"bearer": [endpoint.access.value]}] if isinstance(endpoint.access, Scope) else [],
    }
    parameters = _parameters(endpoint, schemas, components)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.upload:
        file = {"schema": {"type": "string", "contentMediaType": "text/csv"}}
        form = {"type": "object", "properties": {"file": {"type": "string", "contentMediaType": "text/csv"}}}
        operation["requestBody"] = {
            "required": True,
            "content": {"text/csv": file, "multipart/form-data": {"schema": form}},
        }
    elif endpoint.body is not None:
        operation["requestBody"] = {
            "required": not endpoint.body_optional,
            "content": {"application/json": {"schema": schemas[(endpoint.body, "validation")]}},
        }
    return operation


def _parameters(endpoint: Endpoint, schemas: Schemas, components: dict[str, Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    for name in re.findall(r"\{(\w+)\}", endpoint.public_path):
        schema = {"type": "integer", "minimum": 0} if name in ("id", "campaign") else {"type": "string"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if endpoint.query is not None:
        model = components[schemas[(endpoint.query, "validation")]["$ref"].rpartition("/")[2]]
        for name, schema in model.get("properties", {}).items():
            required = name in model.get("required", [])
            parameters.append({"name": name, "in": "query", "required": required, "schema": schema})
    if endpoint.method == "POST" and isinstance(endpoint.access, Scope):
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key within 24 hours is answered as the first time, and nothing happens twice.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            }
        )
    return parameters


def _reply(status: int, reply: type[BaseModel] | str, schemas: Schemas) -> dict[str, Any]:
    description = "Elsewhere" if 300 <= status < 400 else "Done"
    if reply == "":
        return {"description": description}
    if isinstance(reply, str):
        schema = {"type": "object" if reply == "application/json" else "string"}
        return {"description": description, "content": {reply: {"schema": schema}}}
    return {"description": description, "content": {"application/json": {"schema": schemas[(reply, "serialization")]}}}


def _tag(endpoint: Endpoint) -> str:
    parts = endpoint.public_path.strip("/").split("/")
    return (
        parts[2]
        if parts[:2] == ["api", "v1"]
        else {"hooks": "webhooks", "a": "members", "u": "members"}.get(parts[0], "system")
    )
