"""Errors as the caller sees them: the right status, a sentence, the field, and nothing of the inside."""

from __future__ import annotations

import logging

import pytest
from aiohttp.test_utils import TestClient
from aiohttp.test_utils import make_mocked_request as make_request
from pydantic import BaseModel

from router.core.errors import BadAddress, BadInput, BadWebhook, NotAllowed, NotFound, Unavailable
from router.web.problems import ProblemError, answering_problems, invalid_fields, problem_json, problem_of

TABLE: list[tuple[Exception, int]] = [
    (BadInput("too long", place="texts.en.sms"), 422),
    (BadAddress("this cannot be a phone number", place="phone"), 422),
    (BadWebhook("the signature is wrong"), 403),
    (NotAllowed("it was launched already"), 409),
    (NotFound("there is no campaign 7"), 404),
    (Unavailable("the database does not answer", retry_after=2.2), 503),
    (ProblemError(415, "send JSON"), 415),
    (ZeroDivisionError("member +12025550123 with token ort_secret"), 500),
]


@pytest.mark.parametrize(("error", "status"), TABLE, ids=lambda value: type(value).__name__)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    problem = problem_of(error)
    assert problem.status == problem.document().status == status
    assert problem.document().title
    assert problem.document().detail


def test_bad_input_names_the_field() -> None:
    document = problem_of(BadInput("is longer than 1,600 characters", place="texts.en.sms")).document()
    assert [(each.field, each.sentence) for each in document.errors] == [
        ("texts.en.sms", "is longer than 1,600 characters")
    ]


def test_unavailable_says_when_to_come_back() -> None:
    assert problem_of(Unavailable("gone", retry_after=2.2)).headers["Retry-After"] == "3"
    assert problem_of(Unavailable("gone", retry_after=0)).headers["Retry-After"] == "1"


def test_a_signature_error_does_not_say_what_was_wrong() -> None:
    assert "HMAC" not in problem_of(BadWebhook("the HMAC should have been abc")).document().detail


def test_invalid_fields_are_all_named_but_not_repeated() -> None:
    class Model(BaseModel):
        phone: int
        z: list[int]

    with pytest.raises(ValueError, match="validation") as caught:
        Model.model_validate({"phone": "call +12025550123", "z": ["x"] * 100})
    problem = invalid_fields(caught.value, what="the body")  # type: ignore[arg-type]
    assert problem.status == 422
    assert [each.field for each in problem.errors][:2] == ["phone", "z.0"]
    assert len(problem.errors) == 50
    assert "2025550123" not in problem_json(problem).text


async def test_what_nobody_foresaw_tells_nothing_and_is_logged_without_values(
    caplog: pytest.LogCaptureFixture,
) -> None:
    middleware = answering_problems(lambda problem, request: problem_json(problem), ("/a/",))

    async def broken(request: object) -> None:
        try:
            raise KeyError("+12025550123")
        except KeyError as error:
            raise ZeroDivisionError("somebody@example.org") from error

    with caplog.at_level(logging.ERROR):
        response = await middleware(make_request("GET", "/api/v1/campaigns"), broken)  # type: ignore[arg-type]
    assert response.status == 500
    for text in (response.text, caplog.text):
        assert "2025550123" not in text
        assert "example.org" not in text
    assert "ZeroDivisionError" not in response.text
    assert "ZeroDivisionError" in caplog.text
    assert "KeyError" in caplog.text
    assert response.headers["X-Request-Id"] in caplog.text


async def test_unknown_addresses_methods_and_options(client: TestClient) -> None:
    async with client.get("/api/v1/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")
        assert (await response.json())["title"] == "Not Found"
    async with client.delete("/api/v1/campaigns") as response:
        assert (response.status, response.content_type) == (405, "application/problem+json")
        assert "POST" in response.headers["Allow"]
    async with client.options("/api/v1/campaigns") as response:
        assert (response.status, await response.read()) == (204, b"")
        assert "POST" in response.headers["Allow"]
    async with client.head("/healthz") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_every_answer_is_hardened(client: TestClient) -> None:
    for path in ("/healthz", "/api/v1/campaigns", "/u/x", "/nothing"):
        async with client.get(path) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-inline" not in policy
            assert response.headers["Strict-Transport-Security"]
            assert "Server" not in response.headers
