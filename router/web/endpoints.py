"""The one table of addresses: who may call each, what goes in and what comes out.

Routes, checks, parsing and the OpenAPI document are all made from it, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from router.office.sessions import Session
from router.receive import Receiver
from router.runtime import Runtime
from router.web.auth import Access, Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request on its way to its handler."""

    request: web.Request
    runtime: Runtime
    receiver: Receiver
    now: datetime
    caller: Caller | None
    session: Session | None = None
    """Who is signed in, on an organizer's page."""

    @property
    def by(self) -> str:
        """Who calls, for the audit."""
        assert self.caller is not None, "only endpoints with a scope ask who calls"
        return self.caller.name

    @property
    def id(self) -> int:
        """The number in the path."""
        return int(self.request.match_info["id"])


class Nothing(BaseModel):
    """A body that says nothing: left out, or ``{}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Answer = BaseModel | tuple[int, BaseModel] | web.StreamResponse
Handler = Callable[..., Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method at one address. `handler` gets the `Call`, and ``body=`` and ``query=`` where it declares them."""

    method: str
    path: str
    """As aiohttp takes it: ``/api/v1/campaigns/{id:[0-9]{1,18}}``."""
    access: Access
    handler: Handler
    summary: str
    replies: Mapping[int, type[BaseModel] | str]
    """status → the model of its JSON, or another media type."""
    body: type[BaseModel] | None = None
    body_optional: bool = False
    upload: bool = False
    """The body is a file, streamed to the disk and handed over as an `Upload`."""
    query: type[BaseModel] | None = None

    @property
    def public_path(self) -> str:
        """As OpenAPI writes it: ``/api/v1/campaigns/{id}``."""
        return re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", self.path)


Registry = list[Endpoint]


def registrar(registry: Registry) -> Callable[..., Callable[[Handler], Handler]]:
    """The decorator that enters a handler into `registry`."""

    def endpoint(
        method: str,
        path: str,
        *,
        access: Access,
        summary: str,
        reply: type[BaseModel] | str = "",
        status: int = 200,
        also: Mapping[int, type[BaseModel] | str] | None = None,
        body: type[BaseModel] | None = None,
        body_optional: bool = False,
        upload: bool = False,
        query: type[BaseModel] | None = None,
    ) -> Callable[[Handler], Handler]:
        def enter(handler: Handler) -> Handler:
            if any((each.method, each.path) == (method, path) for each in registry):
                raise ValueError(f"{method} {path} is there twice")
            registry.append(
                Endpoint(
                    method=method,
                    path=path,
                    access=access,
                    handler=handler,
                    summary=summary,
                    replies={status: reply, **(also or {})},
                    body=body,
                    body_optional=body_optional or body is Nothing,
                    upload=upload,
                    query=query,
                )
            )
            return handler

        return enter

    return endpoint
