"""OpenTelemetry itself. Imported only where traces are wanted: it takes a second, and is not installed everywhere.

A job is a trace of its own, whose ids are made from the job's: so each worker that has an attempt at it can hang its spans there,
and whichever ends it can tell of the whole.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from importlib.metadata import version
from os import environ, getpid
from socket import gethostname
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_wanted_ids: ContextVar[tuple[int, int] | None] = ContextVar("wanted_ids", default=None)
_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER}


class _Ids(RandomIdGenerator):
    """Random ids, but for the spans of jobs."""

    def generate_span_id(self) -> int:
        wanted = _wanted_ids.get()
        return wanted[1] if wanted is not None else super().generate_span_id()

    def generate_trace_id(self) -> int:
        wanted = _wanted_ids.get()
        return wanted[0] if wanted is not None else super().generate_trace_id()


class Otel:
    """Makes spans, and sends them to where the `OTEL_EXPORTER_OTLP_…` variables say.

    Args:
        service: `pretext-api` or `pretext-worker`, unless OTEL_SERVICE_NAME says otherwise.
    """

    def __init__(self, service: str) -> None:
        about = {
            "service.name": environ.get("OTEL_SERVICE_NAME", service),
            "service.version": version("pretext-server"),
            "service.instance.id": f"{gethostname()}-{getpid()}",
        }
        self._provider = TracerProvider(resource=Resource.create(about), id_generator=_Ids(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("pretext", version("pretext-server"))
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()

    def traceparent(self) -> str | None:
        """The current span, as the W3C header tells it."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Any], *, kind: str, headers: Mapping[str, str] | None, job_id: str | None
    ) -> Iterator[Any]:
        """A span that is the current one within a block. Its parent is what the headers tell of, the job, or the current span."""
        parent = self._of_job(job_id) if job_id is not None else None
        if headers is not None:
            parent = self._propagator.extract(dict(headers), Context())
        with self._tracer.start_as_current_span(name, parent, _KINDS[kind], attributes) as span:
            yield span

    def tell(self, name: str, attributes: Mapping[str, Any], start: float, end: float, *, kind: str, job_id: str | None) -> None:
        """A span that is over: from and until when, in seconds since 1970. Without a job it belongs to the current span, if any."""
        if job_id is None and not trace.get_current_span().is_recording():
            return
        parent = self._of_job(job_id) if job_id is not None else None
        self._tracer.start_span(name, parent, _KINDS[kind], attributes, start_time=_ns(start)).end(_ns(end))

    def tell_job(self, job_id: str, attributes: Mapping[str, Any], start: float, link: str | None, error: str | None) -> None:
        """The span of a whole job, which ends now, with a link to the request that queued it."""
        token = _wanted_ids.set(_ids_of(job_id))
        try:
            found = trace.get_current_span(self._propagator.extract({"traceparent": link or ""}, Context())).get_span_context()
            links = [Link(found)] if found.is_valid else []
            span = self._tracer.start_span("job", Context(), SpanKind.CONSUMER, attributes, links, start_time=_ns(start))
        finally:
            _wanted_ids.reset(token)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error[:500]))
        span.end(_ns(time.time()))

    def _of_job(self, job_id: str) -> Context:
        trace_id, span_id = _ids_of(job_id)
        sampled = self._provider.sampler.should_sample(Context(), trace_id, "job").decision == Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return trace.set_span_in_context(trace.NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)))


def _ids_of(job_id: str) -> tuple[int, int]:
    digest = sha256(job_id.encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
