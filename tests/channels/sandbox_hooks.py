"""A webhook on a real socket that keeps what the sandbox posts, for the tests of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import parse_qsl

from aiohttp import web


@dataclass
class Call:
    """One webhook as it came in."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Hooks:
    """Answers every POST with `statuses` in turn (200 once they are used up) and `answer`."""

    calls: list[Call] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answer: str = ""
    port: int = 0

    async def __aenter__(self) -> Hooks:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        async def take(request: web.Request) -> web.Response:
            url = f"{self.url}{request.raw_path}"
            self.calls.append(Call(url, dict(request.headers), await request.read()))
            return web.Response(status=self.statuses.pop(0) if self.statuses else 200, text=self.answer)

        app = web.Application()
        app.router.add_post("/{path:.*}", take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
