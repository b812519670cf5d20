"""Where a request's or a message's time goes, as spans for OpenTelemetry.

Only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set is OpenTelemetry imported at all; else a span costs a function call,
and there is one for a chunk or a request, none for a message. Spans carry campaigns and channels, never an address. The
exporter reads its own further variables, as its makers document them (``OTEL_EXPORTER_OTLP_HEADERS``,
``OTEL_TRACES_SAMPLER``, ``OTEL_RESOURCE_ATTRIBUTES``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import SpanContext

SERVICE = "outreach"
"""The service's name in traces, where ``OTEL_SERVICE_NAME`` gives no other."""

PATIENCE = 3.0
"""Seconds that the collector may take for a batch of spans, tries again included: a process that stops waits no longer
for it, and what it did not take is lost."""

_NOTHING: AbstractContextManager[None] = nullcontext()


class Traces:
    """Traces that nobody wants: every span is nothing."""

    def span(
        self,
        name: str,
        what: Mapping[str, str | int] | None = None,
        *,
        links: Sequence[Any] = (),
        kind: str = "internal",
    ) -> AbstractContextManager[Any]:
        """A span around the block, a child of the one around it; `what` it is about.

        `links` are places (`here`) that it goes on from.
        """
        return _NOTHING

    def here(self) -> Any:
        """Where we are, to link to from somewhere else; None where nobody wants to know."""
        return None

    def answered(self, status: int) -> None:
        """The request of the current span was answered so."""

    def close(self) -> None:
        """Send what is still to be sent, for some seconds at most."""


class ExportedTraces(Traces):
    """Traces that go to a collector by OTLP over HTTP."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace

        self._provider = provider
        self._tracer = provider.get_tracer("router")
        self._trace = trace

    @contextlib.contextmanager
    def span(
        self,
        name: str,
        what: Mapping[str, str | int] | None = None,
        *,
        links: Sequence[Any] = (),
        kind: str = "internal",
    ) -> Iterator[Any]:
        """See `Traces`."""
        trace = self._trace
        linked = [trace.Link(context) for context in links if context is not None]
        with self._tracer.start_as_current_span(
            name,
            attributes={f"outreach.{key}": value for key, value in (what or {}).items()},
            links=linked,
            kind=trace.SpanKind.SERVER if kind == "server" else trace.SpanKind.INTERNAL,
            record_exception=False,  # its message may hold an address
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    def here(self) -> SpanContext:
        """See `Traces`."""
        return self._trace.get_current_span().get_span_context()

    def answered(self, status: int) -> None:
        """See `Traces`."""
        span = self._trace.get_current_span()
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(self._trace.StatusCode.ERROR)

    def close(self) -> None:
        """See `Traces`."""
        self._provider.shutdown()


def open_traces(endpoint: str) -> Traces:
    """Traces to the collector at `endpoint`, as ``OTEL_EXPORTER_OTLP_ENDPOINT`` has it; none where it is empty."""
    if not endpoint:
        return Traces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource({"service.name": SERVICE}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=PATIENCE)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return ExportedTraces(provider)
