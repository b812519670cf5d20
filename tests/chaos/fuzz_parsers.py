"""``python -m tests.chaos.fuzz_parsers PARSER SECONDS SEED``: inputs that reach ever more of a parser, by atheris.

A parser may refuse what it gets in the way that its docstring says. Any other exception ends the process with an error
and shows the input; so does one input that takes longer than `SLOWEST`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

SLOWEST = 5
"""Seconds for one input. libFuzzer counts whole ones; the inputs are short."""
LONGEST = 4_096
"""Bytes of one input."""

Parse = Callable[[bytes], None]


def _keywords() -> Parse:
    from router.core.keywords import default_table

    table = default_table()

    def parse(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for locale in (None, "en", "ar"):
            table.classify(text, locale, offered=("1", "19:30"))

    return parse


def _templates() -> Parse:
    from router.core.content_syntax import fill, read_template, variables

    def parse(data: bytes) -> None:
        pieces, problems = read_template(data.decode("utf-8", "replace"), "text")
        if not problems:
            fill(pieces, dict.fromkeys(variables(pieces), "Ana {{ 7*7 }}"))

    return parse


def _filters() -> Parse:
    from pydantic import TypeAdapter, ValidationError
    from sqlalchemy.dialects import postgresql, sqlite

    from router.core.audience import Filter, check_size
    from router.store.audience import compile_audience

    adapter: TypeAdapter[Filter] = TypeAdapter(Filter)

    def parse(data: bytes) -> None:
        try:
            found = adapter.validate_json(data)
            check_size(found)
        except (ValidationError, ValueError):
            return
        for name, dialect in (("sqlite", sqlite.dialect()), ("postgresql", postgresql.dialect())):
            str(compile_audience(found, dialect=name).compile(dialect=dialect))

    return parse


def _phones() -> Parse:
    from router.core.address import parse_phone
    from router.core.errors import BadAddress

    def parse(data: bytes) -> None:
        for region in ("US", "FR", ""):
            with contextlib.suppress(BadAddress):
                assert parse_phone(data.decode("utf-8", "replace"), region)[1:].isdigit()

    return parse


def _mailboxes() -> Parse:
    from router.core.address import parse_email
    from router.core.errors import BadAddress

    def parse(data: bytes) -> None:
        with contextlib.suppress(BadAddress):
            found = parse_email(data.decode("utf-8", "replace"))
            assert not set(found) & set("\r\n\0 "), "a header or an SMTP command could begin here"

    return parse


def _lists() -> Parse:
    from router.core.errors import BadInput
    from router.records.csvfile import Reader, inspect

    folder = Path(tempfile.mkdtemp())
    path = folder / "list.csv"

    def parse(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(BadInput):
            reader = Reader(inspect(path))
            try:
                for _ in reader:
                    pass
            finally:
                reader.close()

    return parse


def _webhooks(name: str) -> Callable[[], Parse]:
    def ready() -> Parse:
        from router.core.channel import HttpRequest
        from router.core.errors import BadWebhook
        from router.wire import HttpWire
        from tests.channels.test_contract import TABLES

        table = TABLES[name]
        channel = table.open(HttpWire(), host="127.0.0.1")
        headers = table.request(table.webhooks[0]).headers if table.webhooks else {}
        now = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)

        def parse(data: bytes) -> None:
            url = "https://router.example.org/hooks/x?d=202611-17"
            request = HttpRequest(method="POST", url=url, headers=headers, body=data, received_at=now)
            with contextlib.suppress(BadWebhook):
                channel.verify(request)
            channel.receive(request)

        return parse

    return ready


PARSERS: Mapping[str, Callable[[], Parse]] = {
    "keywords": _keywords,
    "templates": _templates,
    "filters": _filters,
    "phones": _phones,
    "mailboxes": _mailboxes,
    "lists": _lists,
    **{f"webhooks of {name}": _webhooks(name) for name in ("sms", "whatsapp", "telegram", "slack", "email")},
}
"""What atheris is let loose on."""


SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "keywords": (b"STOP", b"yes please", b"2 at 19:30", b"> quoted\nno"),
    "templates": (b"Hi {{ first_name | fallback(\"friend\") }}, {{ link }}", b"{% if a %}{{ 7*7 }}{% endif %}"),
    "filters": (
        b'{"op":"and","of":[{"op":"tag","tag":"east"},{"op":"not","of":{"op":"place","postcode":"10"}}]}',
        b'{"op":"members","ids":[1,2]}',
    ),
    "phones": (b"+33 6 39 98 00 01", b"(202) 555-0143 ext. 4"),
    "mailboxes": (b"ana.lopez+x@example.org", b"\"a b\"@xn--bcher-kva.example"),
    "lists": (b"name;phone\r\n\"Ana; B\";+33639980001\r\n", b"\xff\xfea\x00,\x00b\x00\n\x00"),
    "webhooks": (
        b"MessageStatus=delivered&MessageSid=SM1&To=%2B33639980001", b'{"update_id":1,"message":{"text":"STOP"}}',
        b'payload={"type":"block_actions"}', b'[{"event":"bounce","email":"a@example.org"}]',
    ),
}  # fmt: skip
"""What each begins with; a parser is named by its first word."""


def main() -> None:
    """Fuzz one parser for so many seconds."""
    name, seconds, seed = sys.argv[1:]
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["router.core", "router.records", "channels"]):
        parse = PARSERS[name]()
    flags = [f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SLOWEST}", f"-max_len={LONGEST}"]
    with tempfile.TemporaryDirectory() as found:
        corpus = Path(found) / "corpus"
        corpus.mkdir()
        for number, seed_input in enumerate(SEEDS[name.split()[0]]):
            (corpus / str(number)).write_bytes(seed_input)
        flags += [f"-artifact_prefix={found}/", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *flags, str(corpus)], parse)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
