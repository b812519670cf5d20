"""The counterparts, running, and a wire that remembers what went over it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from router.core.channel import HttpReply
from router.wire import HttpWire
from tests.counterparts.node import free_port, install, serving

DOCUMENTS = ("api_v2010", "messaging_v1", "messaging_v2")
"""Which of Twilio's APIs our adapters call."""


@dataclass(frozen=True, kw_only=True)
class Twilio:
    """Prism in Twilio's place."""

    url: str
    document: Mapping[str, Any]
    """The OpenAPI document that it keeps to."""

    def parameters(self, method: str, path: str) -> set[str]:
        """The names of all parameters that Twilio documents, in query and form, for a path with ``{…}`` in it."""
        operation = self.document["paths"][path][method.lower()]
        form = operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
        return {one["name"] for one in operation.get("parameters", ())} | set(
            form.get("schema", {}).get("properties", ())
        )


@dataclass
class Observed:
    """A real wire, and every request that was made over it: method, path, names of query and form."""

    wire: HttpWire
    requests: list[tuple[str, str, set[str]]] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"", timeout: float = 8.0
    ) -> HttpReply:
        parts = urlsplit(url)
        names = {name for name, _ in parse_qsl(parts.query) + parse_qsl(body.decode("latin-1"))}
        self.requests.append((method, parts.path, names))
        return await self.wire.request(method, url, headers=headers, body=body, timeout=timeout)


@pytest.fixture(scope="session")
def packages(pytestconfig: pytest.Config) -> Path:
    """Where the counterparts are installed; they stay there for the next run."""
    return install(pytestconfig.cache.mkdir("counterparts"))


@pytest.fixture(scope="session")
def twilio(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twilio]:
    """A server that answers as Twilio's documents say, and with 422 what they do not allow."""
    folder = tmp_path_factory.mktemp("prism")
    document = _joined(packages / "@twilio-alpha" / "mcp" / "twilio-oai" / "spec" / "json")
    (folder / "twilio.json").write_text(json.dumps(document), "utf-8")
    port = free_port()
    # Not with --errors: that would also answer 500 to examples of Twilio's own that do not keep to its document.
    arguments = ("mock", "--host", "127.0.0.1", "--port", str(port), "twilio.json")
    script = packages / "@stoplight" / "prism-cli" / "dist" / "index.js"
    with serving(script, *arguments, port=port, log=folder / "log"):
        yield Twilio(url=f"http://127.0.0.1:{port}", document=document)


@pytest.fixture(scope="session")
def push_service(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a push service that decrypts what it gets."""
    folder, port = tmp_path_factory.mktemp("push"), free_port()
    script = packages / "web-push-testing" / "src" / "bin" / "server.js"
    with serving(script, str(port), port=port, log=folder / "log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def wire() -> AsyncIterator[Observed]:
    """The wire that adapters send over."""
    async with HttpWire() as wire:
        yield Observed(wire)


def _joined(folder: Path) -> dict[str, Any]:
    """One document of several. No two of Twilio's give a different meaning to one path or one schema.

    Its examples are what Prism answers. It knows one page of each list and would give it for ever, so each is the last.
    """
    first, *others = [json.loads((folder / f"twilio_{name}.json").read_text("utf-8")) for name in DOCUMENTS]
    for other in others:
        _add(first["paths"], other["paths"])
        for kind, parts in other["components"].items():
            _add(first["components"].setdefault(kind, {}), parts)
    for content in _contents(first["paths"]):
        for example in content.get("examples", {}).values():
            if "next_page_uri" in example["value"]:
                example["value"]["next_page_uri"] = None
    return dict(first)


def _contents(paths: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for path in paths.values():
        for reply in path.get("get", {}).get("responses", {}).values():
            yield from reply.get("content", {}).values()


def _add(here: dict[str, Any], there: Mapping[str, Any]) -> None:
    for name, value in there.items():
        assert here.setdefault(name, value) == value, f"Twilio's documents contradict each other about {name}"
