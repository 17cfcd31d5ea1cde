"""The exporters that the environment names, with an eye on how sending goes. Imports OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult

from delegate_core.telemetry.asked import Asked
from delegate_core.telemetry.delivering import Delivery, Reasons

__all__ = ["MetricsOut", "SpansOut", "metrics_out", "reach", "spans_out"]

Batch_contra = TypeVar("Batch_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

_PATIENCE: Final = 3.0
"""Seconds that a mere question whether the collector answers may take."""


class _Exporter(Protocol[Batch_contra, Result_co]):
    """The library's, for one signal."""

    def export(self, batch: Batch_contra, /) -> Result_co: ...

    def shutdown(self) -> None: ...


class Out(Generic[Batch_contra, Result_co]):
    """Sends batches of one signal to one place.

    Args:
        exporter: sends them.
        success: what it answers when it has.
        size: of a batch, as it is told to the operator when one is lost.
        delivery: told how that goes; None: nobody wants to know.
    """

    def __init__(
        self,
        exporter: _Exporter[Batch_contra, Result_co],
        success: Result_co,
        size: Callable[[Batch_contra], int],
        delivery: Delivery | None,
    ) -> None:
        self._exporter = exporter
        self._success = success
        self._size = size
        self._open = True
        self.delivery = delivery

    def export(self, batch: Batch_contra, /) -> Result_co:
        """Send it; note how that went."""
        if self.delivery is None:
            return self._exporter.export(batch)
        with self.delivery.batch():
            result = self._exporter.export(batch)
            self.delivery.came_to(sent=result == self._success, size=self._size(batch))
        return result

    def shutdown(self) -> None:
        """Send nothing more, and give up what is being sent. Any number of times, from any thread."""
        if self._open:
            self._open = False
            self._exporter.shutdown()


class SpansOut(Out[Sequence[ReadableSpan], SpanExportResult], SpanExporter):
    """Sends spans, as the library's processor of them wants it."""

    def __init__(self, exporter: SpanExporter, delivery: Delivery | None) -> None:
        super().__init__(exporter, SpanExportResult.SUCCESS, len, delivery)


class MetricsOut(Out[MetricsData, MetricExportResult]):
    """Sends metrics, of which a batch is all there are."""

    def __init__(self, exporter: MetricExporter, delivery: Delivery | None) -> None:
        super().__init__(exporter, MetricExportResult.SUCCESS, lambda _: 1, delivery)


def spans_out(asked: Asked, reasons: Reasons) -> list[SpansOut]:
    """Where spans go."""
    found = []
    if asked.traces.otlp:
        found.append(SpansOut(OTLPSpanExporter(), Delivery("traces", asked.traces.endpoint, reasons)))
    if asked.traces.console:
        found.append(SpansOut(ConsoleSpanExporter(out=sys.stderr), None))
    return found


def metrics_out(asked: Asked, reasons: Reasons) -> list[MetricsOut]:
    """Where metrics go."""
    found = []
    if asked.metrics.otlp:
        found.append(MetricsOut(OTLPMetricExporter(), Delivery("metrics", asked.metrics.endpoint, reasons)))
    if asked.metrics.console:
        found.append(MetricsOut(ConsoleMetricExporter(out=sys.stderr), None))
    return found


def reach(asked: Asked) -> str:
    """Send nothing to the collector, to see whether it takes that: empty, or why it does not. Takes some seconds."""
    reasons = Reasons()
    reasons.take_over()
    try:
        return _reached(asked, reasons)
    finally:
        reasons.hand_back()


def _reached(asked: Asked, reasons: Reasons) -> str:
    with reasons.sending():
        if asked.traces.otlp and OTLPSpanExporter(timeout=_PATIENCE).export(()) is not SpanExportResult.SUCCESS:
            return f"{asked.traces.endpoint}: {reasons.reason()}"
        nothing = MetricsData(resource_metrics=[])
        if asked.metrics.otlp:
            result = OTLPMetricExporter(timeout=_PATIENCE).export(nothing)
            if result is not MetricExportResult.SUCCESS:
                return f"{asked.metrics.endpoint}: {reasons.reason()}"
    return ""
