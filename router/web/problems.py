"""What an error looks like from outside: problem documents (RFC 9457) that name the field and hide the inside."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Middleware
from pydantic import BaseModel, ConfigDict, ValidationError

from router.core.errors import BadInput, BadWebhook, NotAllowed, NotFound, Unavailable
from router.logs import known_of
from router.logs import without_values as without_values

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Render = Callable[["ProblemError", web.Request], web.Response]

MOST_ERRORS = 50
"""A problem document names at most so many fields."""

_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not known here; leave it out or check its spelling",
}
"""Pydantic's error type → a clearer sentence than its own."""


class FieldProblem(BaseModel):
    """One place in the input and what to do about it."""

    model_config = ConfigDict(frozen=True)

    field: str
    sentence: str


class Problem(BaseModel):
    """An error as the API tells it (RFC 9457), sent as ``application/problem+json``."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    request_id: str = ""
    """As our log has it: quote it to whoever runs this installation."""


class ProblemError(Exception):
    """A request that ends in `status`. `sentence` is for the person who made it."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.errors = list(errors)[:MOST_ERRORS]
        self.headers = dict(headers or {})

    def document(self) -> Problem:
        """What the body says."""
        return Problem(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.sentence,
            errors=self.errors,
            request_id=str(known_of("request") or ""),
        )


def invalid_fields(error: ValidationError, *, what: str) -> ProblemError:
    """A 422 that names each field of `what` that cannot be used."""
    errors = [
        FieldProblem(
            field=".".join(str(part) for part in found["loc"]), sentence=_sentence(found["type"], found["msg"])
        )
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    names = ", ".join(dict.fromkeys(each.field or what for each in errors[:5]))
    return ProblemError(422, f"{what} cannot be used as it is: see {names}", errors=errors)


def problem_of(error: Exception) -> ProblemError:
    """What an exception is to the caller; anything unforeseen is a 500 that tells nothing of the inside."""
    match error:
        case ProblemError():
            return error
        case BadInput():
            return ProblemError(422, str(error), errors=[FieldProblem(field=error.place, sentence=error.sentence)])
        case BadWebhook():
            return ProblemError(403, "this webhook is not signed by its provider, was altered, or is too old")
        case NotAllowed():
            return ProblemError(409, str(error))
        case NotFound():
            return ProblemError(404, str(error) or "there is no such thing")
        case Unavailable():
            return ProblemError(503, str(error), headers=retry_after(error.retry_after))
        case web.HTTPRequestEntityTooLarge():
            return ProblemError(413, "the body is larger than this address takes")
        case web.HTTPMethodNotAllowed():
            allow = error.headers["Allow"]
            return ProblemError(405, f"this address takes {allow}", headers={"Allow": allow})
        case web.HTTPNotFound():
            return ProblemError(404, "there is nothing at this address")
        case web.RequestPayloadError() | ClientConnectionResetError():
            return ProblemError(400, "the request broke off")
        case web.HTTPException():
            return ProblemError(error.status, error.reason)
        case _:
            return ProblemError(500, "something went wrong on our side; quote the X-Request-Id of this answer")


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says when to come back, in whole seconds."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def problem_json(problem: ProblemError) -> web.Response:
    """The answer to a program."""
    return web.Response(
        status=problem.status,
        body=problem.document().model_dump_json().encode(),
        content_type="application/problem+json",
        headers=problem.headers,
    )


def answering_problems(page: Render, page_paths: tuple[str, ...]) -> Middleware:
    """The outermost middleware: every exception becomes an answer, a `page` below `page_paths`, else a document."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            if request.method == "OPTIONS":
                return web.Response(status=204, headers={"Allow": error.headers["Allow"]})
            problem = problem_of(error)
        except Exception as error:
            problem = problem_of(error)
            if problem.status == 500:
                problem.headers["X-Request-Id"] = str(known_of("request") or secrets.token_hex(8))
                log.error("request %s failed: %s", problem.headers["X-Request-Id"], without_values(error))
        return page(problem, request) if request.path.startswith(page_paths) else problem_json(problem)

    return answer


def _sentence(kind: str, message: str) -> str:
    return _SENTENCES.get(kind) or message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
