"""What this program says while it runs: one line an event, for a person on a terminal, else JSON for programs.

Code logs by the standard library as ever; structlog writes the lines. Each says what it is about (`about`): request,
campaign, batch, channel, worker. Whatever looks like an address or a secret is masked (`router.core.masking`), and an
exception is told by type and place only, because its message may hold anything.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TextIO

from router.core.masking import exactly, mask, mask_value

OWN = ("request", "method", "route", "status", "ms", "campaign", "batch", "channel", "worker", "task")
"""What a line may say beside its words. Numbers of these are the program's own, and a request's id was looked at when
it came in (`request_id_of`), so these are shown as they are."""

LONGEST = 8_000
"""Characters of a message; the rest is cut, so that nobody's text can fill the disk."""

QUIET = {"alembic": logging.WARNING, "asyncio": logging.WARNING, "opentelemetry": logging.ERROR}
"""Libraries that say more than operators need."""

_about: ContextVar[dict[str, Any]] = ContextVar("outreach_about")

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def about(**what: str | int) -> Iterator[None]:
    """Every line that is logged within, also by tasks that begin within, says `what` it is about."""
    before = bind(**what)
    try:
        yield
    finally:
        _about.reset(before)


def bind(**what: str | int) -> Token[dict[str, Any]]:
    """The same until this task ends."""
    return _about.set({**_about.get({}), **what})


def known_of(name: str) -> str | int | None:
    """What lines say now under this name: ``request``."""
    found: str | int | None = _about.get({}).get(name)
    return found


def request_id_of(given: str) -> str | None:
    """An id that somebody before us gave a request; None where it is not one, or could be an address or a secret.

    8 to 64 letters, digits, dots, dashes and underscores; a UUID will do.
    """
    return given if _REQUEST_ID.fullmatch(given) and mask(re.sub(r"[-_.]", "", given)[:16]) != "(phone)" else None


def configure_logs(level: str, form: str = "", *, secrets: Sequence[str] = (), stream: TextIO | None = None) -> None:
    """From here on this process logs to `stream` (stderr): `form` is ``json``, ``text``, or "" for what suits it.

    `secrets` never come out, wherever they stand. Calling it again replaces what was set before.
    """
    import structlog  # a fifth of a second that commands which log nothing need not wait for

    stream = stream or sys.stderr
    plain = form == "text" or (form != "json" and stream.isatty())
    known = exactly(secrets)

    def masked(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        for name, value in event.items():
            if name == "event":
                said = str(value)[:LONGEST]
                if event.get("logger") == "aiohttp.server":  # "Error handling request from 203.0.113.7"
                    said = said.partition(" from ")[0]
                event[name] = mask(said, known)
            elif name != "request" and not (name in OWN and isinstance(value, int)):
                event[name] = mask_value(name, value, known)
        return event

    shown = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, pad_level=False)
        if plain
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    finish = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_values, masked]
    begin: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=OWN),
        _add_about,
    ]
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=begin, processors=[*finish, stamp, *_sorted(plain), shown]
    )
    handler = _Lines(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [*(one for one in root.handlers if not isinstance(one, _Lines)), handler]
    root.setLevel(level.upper())
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(least)
    if not plain:
        sys.excepthook = _tell_the_last


class _Lines(logging.StreamHandler[TextIO]):
    """What `configure_logs` set up."""


def without_values(error: BaseException) -> str:
    """Where an exception came from, by type and line only: its message may hold an address or a secret."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < 5:
        frames = traceback.extract_tb(seen.__traceback__)[-8:]
        parts.append(f"{type(seen).__name__} at {_places(frames)}")
        seen = seen.__cause__ or seen.__context__
    return "; from ".join(parts)


def _places(frames: Iterable[traceback.FrameSummary]) -> str:
    return " < ".join(
        f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(list(frames))
    )


def _add_about(_: Any, __: str, event: Any) -> Any:
    for name, value in _about.get({}).items():
        event.setdefault(name, value)
    return event


def _without_values(_: Any, __: str, event: Any) -> Any:
    error = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["error"] = without_values(error)
    return event


def _sorted(plain: bool) -> list[Any]:
    """What a reader looks for first stands first in a line of JSON."""
    if plain:
        return []
    first = ("at", "level", "logger", "event")

    def order(_: Any, __: str, event: Any) -> Any:
        return {name: event[name] for name in (*first, *(name for name in event if name not in first)) if name in event}

    return [order]


def _json(event: Any, **_: Any) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str)


def _tell_the_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of Python's own words, which show messages and with them people's addresses."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("the process ends by a fault of ours", exc_info=(kind, error, trace))
