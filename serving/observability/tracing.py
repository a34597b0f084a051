"""Traces: which request a line of the log belongs to, and spans for an OpenTelemetry collector where one is configured.

Spans are made when a request is done, out of the stages that were noted; until then a trace costs its id and no more.
"""

import logging
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

from serving.observability.metrics import Noted

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Spans are exported where the environment has one of them."""
LAST_SECONDS = 2.0

log = logging.getLogger("bentoml.foresail")

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a request stands in a trace (W3C Trace Context): the trace, our span in it, the caller's span."""

    trace_id: str
    span_id: str
    parent_id: str | None
    is_sampled: bool

    def header(self) -> str:
        """The traceparent that names our span."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def trace_of(traceparent: str) -> Trace:
    """The caller's trace, gone on with; a new one where the caller sends none, or none that can be read."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return Trace(f"{random.getrandbits(128):032x}", _span_id(), None, True)
    return Trace(found[1], _span_id(), found[2], bool(int(found[3], 16) & 1))


def _span_id() -> str:
    return f"{random.getrandbits(64):016x}"


class Spans:
    """Exports a span for each sampled request, and one below it for each of its stages. Never waits for the collector."""

    def __init__(self, processor: "SpanProcessor", service: str) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        self._ids = _Ids()
        resource = Resource.create({"service.name": service})
        ids = cast("IdGenerator", self._ids)
        self._provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("foresail")

    def tell(self, trace: Trace, noted: Noted, name: str, facts: Mapping[str, Any], moment: int) -> None:
        """A request that has ended now, at `moment` in nanoseconds since 1970. Called from one thread at a time."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

        if not trace.is_sampled:
            return
        since_1970 = moment - perf_counter_ns()
        self._ids.next = trace
        above = _callers(trace) if trace.parent_id else Context()
        request = self._tracer.start_span(name, above, SpanKind.SERVER, facts, start_time=noted.begun + since_1970)
        inside = set_span_in_context(request, Context())
        for stage, begun, ended in noted.stages:
            self._tracer.start_span(stage, inside, start_time=begun + since_1970).end(ended + since_1970)
        if facts["http.response.status_code"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
            request.set_status(StatusCode.ERROR)
        request.end(moment)

    def stop(self) -> None:
        """Export what is left, if the collector takes it soon: the service must not hang at its end for want of one."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(LAST_SECONDS)


class _Ids:
    """Gives the span of a request the ids that its answer has told already, and every other span a random one."""

    next: Trace | None = None

    def generate_trace_id(self) -> int:
        return int(self.next.trace_id, 16) if self.next else random.getrandbits(128)

    def generate_span_id(self) -> int:
        told, self.next = self.next, None
        return int(told.span_id, 16) if told else random.getrandbits(64)

    def is_trace_id_random(self) -> bool:
        return True


def _callers(trace: Trace) -> "Context":
    """The context in which the caller's span is the one above."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    flags, above = TraceFlags(TraceFlags.SAMPLED), int(trace.parent_id or "0", 16)
    told = SpanContext(int(trace.trace_id, 16), above, is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(told), Context())


def spans_of(environment: Mapping[str, str]) -> Spans | None:
    """The export that the environment asks for (OTEL_EXPORTER_OTLP_ENDPOINT and its kin); None where it asks for none."""
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("a collector is configured, but nothing can be sent to it: install foresail[traces]")
        return None
    return Spans(BatchSpanProcessor(OTLPSpanExporter()), environment.get("OTEL_SERVICE_NAME", "foresail"))
