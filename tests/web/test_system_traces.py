"""Where the time of a blast goes, as a collector on this machine gets it by OTLP."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.movement import Movement, everywhere, free_port


@contextlib.asynccontextmanager
async def collecting(port: int) -> AsyncIterator[list[ExportTraceServiceRequest]]:
    """A collector: what it was sent."""
    sent: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        sent.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield sent
    await runner.cleanup()


async def test_a_blast_in_spans(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}/")
    async with collecting(port) as sent:
        async with everywhere(sqlite_url) as movement:
            await movement.add_members(3)
            campaign = await movement.launch()
            await movement.work()
            await movement.sandbox.idle()
            await movement.until(lambda: _delivered(movement, campaign, 3))
        assert sent, "what is not sent yet is sent when the process ends"
    [service] = {
        each.value.string_value
        for request in sent
        for resource in request.resource_spans
        for each in resource.resource.attributes
        if each.key == "service.name"
    }
    assert service == "outreach"
    spans = [
        span
        for request in sent
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    named: dict[str, list[Span]] = {}
    for span in spans:
        named.setdefault(span.name, []).append(span)
    assert {"route range", "batch", "claim", "send", "group commit", "POST /hooks/{channel}/{account}"} == set(named)
    [routed], [batch], [sending] = named["route range"], named["batch"], named["send"]
    assert attributes(routed) == {"outreach.campaign": str(campaign)}
    about = attributes(batch)
    assert (about["outreach.campaign"], about["outreach.channel"]) == (str(campaign), "sms")
    assert {span.parent_span_id for span in [*named["claim"], sending]} == {batch.span_id}
    assert attributes(sending) == {"outreach.messages": "3"}
    hooks = {span.span_id: span for span in named["POST /hooks/{channel}/{account}"]}
    linked = {link.span_id for span in named["group commit"] for link in span.links}
    assert linked == set(hooks), "each commit goes on from the webhooks whose events it made durable"
    assert {attributes(span)["http.response.status_code"] for span in hooks.values()} == {"200"}
    assert b"+3363998" not in b"".join(request.SerializeToString() for request in sent)


def attributes(span: Span) -> dict[str, str]:
    """What a span says, as text."""
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}


async def _delivered(movement: Movement, campaign: int, count: int) -> bool:
    return await movement.statuses(campaign) == {"delivered": count}


def test_without_a_collector_no_exporter_is_even_loaded() -> None:
    """Other libraries may load OpenTelemetry's metrics; what exports traces is loaded by us alone."""
    asked = (
        "import sys, router.app, router.traces as t\n"
        "traces = t.open_traces('')\n"
        "with traces.span('batch', {'campaign': 1}): traces.answered(200)\n"
        "ours = ('opentelemetry.exporter', 'opentelemetry.sdk.trace')\n"
        "print([name for name in sys.modules if name.startswith(ours)], traces.here())"
    )
    found = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[] None"
