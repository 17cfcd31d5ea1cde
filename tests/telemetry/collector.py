"""A collector on loopback: takes OTLP over HTTP as protobuf, and gives out what it was sent."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio.to_thread
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["Collector", "Seen", "collector"]


_PATIENCE = 40.0


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def _mapping(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: _value(pair.value) for pair in pairs}


@dataclass(frozen=True)
class Seen:
    """One span, as it came."""

    span: Span
    resource: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.span.name)

    @property
    def says(self) -> Mapping[str, Any]:
        """Its attributes."""
        return _mapping(self.span.attributes)

    @property
    def id(self) -> str:
        return bytes(self.span.span_id).hex()

    @property
    def parent(self) -> str:
        return bytes(self.span.parent_span_id).hex()

    @property
    def trace(self) -> str:
        return bytes(self.span.trace_id).hex()

    @property
    def failure(self) -> str | None:
        """None: its status is no error."""
        return str(self.span.status.message) if self.span.status.code == 2 else None

    @property
    def seconds(self) -> float:
        return (self.span.end_time_unix_nano - self.span.start_time_unix_nano) / 1e9


@dataclass
class Collector:
    """What has come so far.

    Attributes:
        status: that it answers with.
        bodies: of all requests, decompressed.
        headers: of the last request.
    """

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    spans: list[Seen] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    """The last ones by name."""
    _news: threading.Condition = field(default_factory=threading.Condition)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what has come meets a condition."""

        def wait() -> None:
            with self._news:
                assert self._news.wait_for(condition, _PATIENCE), "it did not come"

        await anyio.to_thread.run_sync(wait)

    def has(self, requests: int) -> bool:
        """Whether so many requests have come."""
        return len(self.bodies) >= requests

    def span(self, name: str) -> Seen:
        """The only one of this name."""
        (found,) = self.named(name)
        return found

    def named(self, name: str) -> list[Seen]:
        return [seen for seen in self.spans if seen.name == name]

    def within(self, seen: Seen) -> list[Seen]:
        """The spans right below it."""
        return [other for other in self.spans if other.parent == seen.id]

    def value(self, name: str, **labels: str) -> float:
        """Of a sum or a gauge."""
        metric = self.metrics[name]
        data = metric.sum if metric.WhichOneof("data") == "sum" else metric.gauge
        (point,) = (point for point in data.data_points if _mapping(point.attributes) == labels)
        return float(point.as_double)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        with self._news:
            self._take(path, headers, body)
            self._news.notify_all()

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        self.headers = headers
        body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.bodies.append(body)
        if self.status == 200:
            (self._take_spans if path == "/v1/traces" else self._take_metrics)(body)

    def _take_spans(self, body: bytes) -> None:
        for part in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _mapping(part.resource.attributes)
            self.spans += [Seen(span, self.resource) for scope in part.scope_spans for span in scope.spans]

    def _take_metrics(self, body: bytes) -> None:
        for part in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.resource = _mapping(part.resource.attributes)
            self.metrics.update({metric.name: metric for scope in part.scope_metrics for metric in scope.metrics})


@contextmanager
def collector() -> Iterator[Collector]:
    """Serve on a free port while the body runs."""
    seen = Collector()

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(seen.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        seen.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join(5.0)
