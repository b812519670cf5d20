"""What is logged: one line an event, which says what it is about and nothing of people."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from router.core.masking import mask
from router.logs import about, bind, configure_logs, request_id_of
from router.settings import Settings, secrets_of
from router.web.app import ENDPOINTS
from tests.support.runtime import SECRET

PLANTED = {
    "phone": "+12025550143",
    "bare": "12025550143",
    "mailbox": "ana.lopez@example.org",
    "bearer": "Bearer ort_" + "Ab1" * 14,
    "link": "https://outreach.example.org/m/AbCd1234EfGh",
    "word": "hunter22x",
    "own": SECRET,
}
"""What must not come out, as it is."""

log = logging.getLogger("router.tests")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged during a test, as JSON."""
    root, hook, stream = logging.getLogger(), sys.excepthook, io.StringIO()
    handlers, level = root.handlers, root.level
    configure_logs("INFO", "json", secrets=[SECRET, PLANTED["word"]], stream=stream)
    yield stream
    root.handlers, sys.excepthook = handlers, hook
    root.setLevel(level)


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_nothing_planted_comes_out(lines: io.StringIO) -> None:
    for value in PLANTED.values():
        log.warning("%s failed", value)
        log.warning(f"for {value}, again")  # noqa: G004
        log.warning("failed", extra={"route": value, "status": 500})
        with about(campaign=7):
            try:
                try:
                    raise KeyError(value)
                except KeyError as error:
                    raise RuntimeError(f"no such member: {value}") from error
            except RuntimeError as error:
                log.exception("it failed with %s", error)
        sys.excepthook(ValueError, ValueError(value), None)
    log.warning("the password=%s, the Authorization: %s", "tiny", "tiny")
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "203.0.113.7")
    text = lines.getvalue()
    assert not [value for value in PLANTED.values() if value in text]
    assert text.count("(phone)") >= 6
    assert "tiny" not in text
    assert "203.0.113.7" not in text, "whose request it was is nobody's business"
    errors = [line["error"] for line in read(lines) if "campaign" in line]
    assert len(errors) == len(PLANTED)
    assert all("RuntimeError at test_nothing" in error and "KeyError at test_nothing" in error for error in errors)


async def test_lines_say_what_they_are_about_also_in_tasks(lines: io.StringIO) -> None:
    async def send() -> None:
        log.info("within")

    with about(campaign=7, channel="sms"):
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
        with about(batch=9):
            log.info("deeper")
    bind(worker="12-ab")
    log.info("after", extra={"status": 200, "unknown": "+12025550143"})
    within, deeper, after = read(lines)
    assert (within["event"], within["campaign"], within["channel"]) == ("within", 7, "sms")
    assert (deeper["batch"], deeper["campaign"]) == (9, 7)
    assert {name: after[name] for name in ("level", "logger", "event", "worker", "status")} == {
        "level": "info", "logger": "router.tests", "event": "after", "worker": "12-ab", "status": 200,
    }  # fmt: skip
    assert "campaign" not in after
    assert "unknown" not in after
    assert after["at"].endswith("Z")


def test_a_terminal_gets_lines_for_people(lines: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logs("WARNING", "text", stream=stream)
    log.info("not said")
    with about(campaign=7):
        log.warning("campaign %s rests: %s", 7, PLANTED["mailbox"])
    assert stream.getvalue().startswith("[warning] campaign 7 rests: (email) [router.tests]")
    assert "campaign=7" in stream.getvalue()
    assert lines.getvalue() == "", "it replaces what was set before"


def test_every_address_with_a_token_is_known_to_the_mask() -> None:
    paths = {endpoint.public_path for endpoint in ENDPOINTS if "{token}" in endpoint.public_path}
    assert len(paths) > 8
    for path in paths:
        assert "AbCdEfGh" not in mask(path.replace("{token}", "AbCdEfGh").replace("{id}", "12")), path


def test_the_secrets_of_an_installation_are_known() -> None:
    from channels import SPECS

    settings = Settings(
        database_url="postgresql://u:p%2Fss-word@db/x", redis_url="redis://:cache-pw@h", secret_key=SECRET
    )  # type: ignore[arg-type]
    environment = {"OUTREACH_SMS_AUTH_TOKEN": "sms-token", "OUTREACH_SMS__BACKUP__AUTH_TOKEN": "backup-token"}
    found = secrets_of(SPECS.values(), settings, environment)
    assert {SECRET, "p/ss-word", "cache-pw", "sms-token", "backup-token"} <= set(found)


def test_a_request_id_of_somebody_else_is_taken_where_it_is_one() -> None:
    taken = ["550e8400-e29b-41d4-a716-446655440000", "9b2f8a7c6d5e4f30", "req_01HZX.edge-1"]
    assert [request_id_of(one) for one in taken] == taken
    refused = ["", "short", "12025550143", "202-555-0143", "a\nb1234567", "ana@example.org", "x" * 65]
    assert {request_id_of(one) for one in refused} == {None}
