"""What all members' pages share: their templates, the signed token in their path, their forms."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from router.core.data import data_folder
from router.web.bodies import read_body
from router.web.endpoints import Call
from router.web.keys import BRAKE, RUNTIME
from router.web.problems import ProblemError

T = TypeVar("T")

FOLDER = data_folder("templates") / "member"

TOKEN = "{token:[^/]{1,200}}"  # noqa: S105 - a route pattern

_MOST_FIELDS = 20
_BREAKS = re.compile(r"[\r\n\t]+")
_LONGEST = 20
"""Characters of a field that says nothing else."""

_pages = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, auto_reload=False)


def page(
    request: web.Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **words: Any
) -> web.Response:
    """A page of ``templates/member``, which nobody keeps a copy of."""
    organization = request.app[RUNTIME].settings.organization
    return web.Response(
        status=status,
        text=_pages.get_template(template).render(organization=organization, **words),
        content_type="text/html",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def whose(call: Call, read: Callable[[str], T | Awaitable[T | None] | None]) -> T:
    """What the path's token stands for, as `read` finds it; 404 where that is nothing, 429 where too many were."""
    brake = call.request.app[BRAKE]
    await brake.enter(call.request)
    found = read(call.request.match_info["token"])
    if isinstance(found, Awaitable):
        found = await found
    if found is None:
        await brake.wrong(call.request)
        raise too_old()
    return found


def too_old() -> ProblemError:
    """For a link that is not ours, or is not any more."""
    return ProblemError(404, "This link is not complete, or is too old.")


async def form_fields(request: web.Request, longest: Mapping[str, int]) -> dict[str, str]:
    """What a form says, each field in one line and cut to its longest."""
    raw = await read_body(request)
    try:
        pairs = parse_qsl(raw.decode("utf-8"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ProblemError(400, "This form could not be read.") from None
    return {
        name: "".join(c for c in _BREAKS.sub(" ", value) if c.isprintable()).strip()[: longest.get(name, _LONGEST)]
        for name, value in pairs
    }
