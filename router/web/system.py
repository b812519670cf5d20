"""``/healthz``, ``/readyz``, ``/metrics`` and ``/openapi.json``: what machines ask about this machine."""

from __future__ import annotations

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import CollectorRegistry
from pydantic import BaseModel, ConfigDict, Field

from router.core.errors import Unavailable
from router.metrics import Read
from router.ready import Part, State, look_around
from router.runtime import Runtime
from router.web.auth import Open, Scope
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import GAUGES, OPENAPI

SYSTEM: Registry = []
endpoint = registrar(SYSTEM)


class Health(BaseModel):
    """That all is well; what is not is a problem document."""

    model_config = ConfigDict(frozen=True)

    status: str = "ok"


class Readiness(BaseModel):
    """Whether this process can do its work: ``ok``, ``warning`` (it can, but look at it), ``failed`` (it cannot)."""

    model_config = ConfigDict(frozen=True)

    status: State
    detail: str
    """What is wrong and what to do, or that nothing is."""
    parts: list[Part]


class Strictness(BaseModel):
    """How to answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strict: bool = Field(False, description="503 for a warning, too: for monitoring, not for load balancers")


@endpoint("GET", "/healthz", access=Open.PUBLIC, reply=Health, summary="Whether this process lives")
async def healthz(call: Call) -> Health:
    return Health()


@endpoint(
    "GET",
    "/readyz",
    access=Open.PUBLIC,
    reply=Readiness,
    also={503: Readiness},
    query=Strictness,
    summary="Whether the database answers and is at our version; with Redis and workers as warnings",
)
async def readyz(call: Call, query: Strictness) -> tuple[int, Readiness]:
    parts = await look_around(call.runtime)
    worst = max((part.state for part in parts), key=list(State).index)
    wrong = [f"{part.name}: {part.sentence}" for part in parts if part.state is not State.OK]
    ready = worst is State.OK or (worst is State.WARNING and not query.strict)
    return 200 if ready else 503, Readiness(status=worst, detail=" ".join(wrong) or "All is well.", parts=parts)


@endpoint("GET", "/openapi.json", access=Open.PUBLIC, reply="application/json", summary="This document")
async def openapi_json(call: Call) -> web.StreamResponse:
    return web.Response(body=call.request.app[OPENAPI], content_type="application/json")


@endpoint(
    "GET",
    "/metrics",
    access=Scope.CAMPAIGNS_READ,
    reply="text/plain",
    summary="Numbers for Prometheus. Needs a token: how a movement mobilises is not for everybody",
)
async def metrics(call: Call) -> web.StreamResponse:
    ledger = CollectorRegistry(auto_describe=False)
    ledger.register(Read(await call.request.app[GAUGES].families(now=call.now)))
    return exposed(generate_latest(ledger) + generate_latest(call.runtime.metrics.registry))


def exposed(text: bytes) -> web.Response:
    """Numbers as Prometheus takes them."""
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


async def serve_metrics(runtime: Runtime, host: str, port: int) -> web.AppRunner:
    """Offer this process's own counters at ``/metrics``, without a token: the network must keep strangers out.

    For a worker, whose counters no web server knows. What the ledger says is told by the web server alone. Port 0 takes
    a free one; raises `Unavailable` where the port is taken.
    """

    async def answer(_: web.Request) -> web.Response:
        return exposed(generate_latest(runtime.metrics.registry))

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise Unavailable(f"port {port} on {host} cannot be used; change OUTREACH_METRICS_PORT") from error
    return runner
