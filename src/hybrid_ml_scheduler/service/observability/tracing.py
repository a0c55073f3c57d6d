"""Traces, by OpenTelemetry: imported only if they are switched on.

One trace for each request, down to statements to the database and commands to Redis; one for each step of the run, which ends when its rows are in
the database. Health checks and whatever else the service asks its database by itself are no traces.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.core.observing import Attributes
from hybrid_ml_scheduler.service.observability.context import RequestContext
from hybrid_ml_scheduler.service.observing_settings import ObservabilitySettings

_MOST_LINKS = 127
_EXPORT_TIMEOUT_S = 5
_FIRST = frozenset({"batch"})
"""Spans that may begin a trace, besides requests."""
_PROPAGATOR = TraceContextTextMapPropagator()


class _Wanted(Sampler):
    """Keeps a share of the traces; what the service asks database and Redis by itself is none."""

    def __init__(self, share: float) -> None:
        self._others: Sampler = ParentBased(TraceIdRatioBased(share))

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        first = not trace.get_current_span(parent_context).get_span_context().is_valid
        if first and kind is not SpanKind.SERVER and name not in _FIRST:
            return SamplingResult(Decision.DROP)
        return self._others.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return self._others.get_description()


class Tracing:
    """Traces of one application.

    Parameters
    ----------
    settings : ObservabilitySettings
    processor : SpanProcessor, optional
        Takes spans as they end; by default they go, in batches and from another thread, where the settings say.
    """

    def __init__(self, settings: ObservabilitySettings, processor: SpanProcessor | None = None) -> None:
        resource = Resource.create({"service.name": "hybrid-ml-scheduler", "service.version": __version__})
        self._provider = TracerProvider(sampler=_Wanted(settings.traces_share), resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(settings)) if processor is None else processor)
        self._tracer = self._provider.get_tracer("hybrid_ml_scheduler", __version__)

    def end(self) -> None:
        """Hand over what waits; takes as long as the collector does."""
        self._provider.shutdown()

    # Requests.

    @contextmanager
    def request(self, scope: Scope, request: RequestContext) -> Iterator[Span]:
        """Return the span of a request, which goes on with the trace of its client if that sent one."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in {b"traceparent", b"tracestate"}}
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"], "hms.request_id": request.request_id}
        with self._span(scope["method"], context=_PROPAGATOR.extract(headers), kind=SpanKind.SERVER, attributes=attributes) as span:
            request.trace_id = f"{span.get_span_context().trace_id:032x}"
            yield span

    @staticmethod
    def header(span: Span) -> bytes:
        """Return the header ``traceresponse``, which tells the client where to find its request (W3C Trace Context, level 2)."""
        context = span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()

    @staticmethod
    def answered(span: Span, route: str, status: int, request: RequestContext) -> None:
        """Say what a request was for, and what became of it."""
        if not span.is_recording():
            return
        span.update_name(f"{span.attributes['http.request.method']} {route}")  # type: ignore[attr-defined]
        span.set_attributes({"http.route": route, "http.response.status_code": status})
        if request.cache is not None:
            span.set_attribute("hms.cache", request.cache)
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))

    # Everything else.

    def span(self, name: str, attributes: Attributes | None) -> AbstractContextManager[Any]:
        """See `Observer.span`."""
        return self._span(name, attributes=attributes)

    @contextmanager
    def _span(self, name: str, **given: Any) -> Iterator[Span]:
        """Return a span that says of an exception only what it was: what it says may hold secrets, and stands, without them, in the log."""
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **given) as span:
            try:
                yield span
            except Exception as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    @staticmethod
    def place() -> SpanContext | None:
        """See `Observer.place`."""
        span = trace.get_current_span()
        return span.get_span_context() if span.is_recording() else None

    @contextmanager
    def span_of(self, name: str, places: Sequence[SpanContext], attributes: Attributes | None) -> Iterator[None]:
        """See `Observer.span_of`. The work stands in the newest trace, and a span with a link to it in each of the others."""
        if not places:
            yield
            return
        *others, newest = places
        began_ns = time.time_ns()
        links = [Link(place) for place in others[-_MOST_LINKS:]]
        with self._span(name, context=_below(newest), links=links, attributes=attributes) as span:
            yield
        for place in others:
            link = [Link(span.get_span_context())]
            self._tracer.start_span(name, context=_below(place), links=link, attributes=attributes, start_time=began_ns).end()

    def opened_pool(self, engine: Any) -> None:
        """Trace statements. The library's way in looks at versions first, and is silent with those that it does not know; this one is not."""
        usage = NoOpMeter("hybrid_ml_scheduler").create_up_down_counter("connections")
        EngineTracer(self._tracer, engine.sync_engine, usage)  # type: ignore[no-untyped-call]

    def opened_redis(self, client: Any) -> None:
        """Trace commands; the library leaves values out."""
        RedisInstrumentor.instrument_client(client, tracer_provider=self._provider)


def _below(place: SpanContext) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(place))


def _exporter(settings: ObservabilitySettings) -> SpanExporter:
    if settings.traces == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(settings.otlp_endpoint, timeout=_EXPORT_TIMEOUT_S)
