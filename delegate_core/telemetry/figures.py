"""The runner's metrics in OpenTelemetry's form, made from the very families that ``/metrics`` shows."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

from delegate_core.telemetry.exporting import MetricsOut

__all__ = ["Sender", "converted"]

_UNITS: Final = (("_seconds", "s"), ("_bytes", "By"))
_SECOND: Final = 1_000_000_000

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
_UNKNOWN: Final = cast("float", None)
"""Prometheus keeps no least and no greatest value; on the wire both are optional."""


def converted(families: Iterable[Family], resource: Resource, scope: InstrumentationScope, since: int) -> MetricsData:
    """The families as metrics; ``since`` is when those began that do not say it themselves, in nanoseconds."""
    now = time.time_ns()
    metrics = [metric for family in families if (metric := _metric(family, since, now)) is not None]
    scoped = ScopeMetrics(scope=scope, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scoped], schema_url="")])


def _metric(family: Family, since: int, now: int) -> Metric | None:
    """None: nothing was counted yet."""
    data: Sum | Gauge | Histogram
    if family.type == "histogram":
        data = Histogram(list(_distributions(family, since, now)), _CUMULATIVE)
    elif family.type == "counter":
        data = Sum(list(_numbers(family, "_total", since, now)), _CUMULATIVE, is_monotonic=True)
    else:
        data = Gauge(list(_numbers(family, "", since, now)))
    if not data.data_points:
        return None
    unit = next((unit for suffix, unit in _UNITS if family.name.endswith(suffix)), "")
    return Metric(family.name, family.documentation, unit, data)


def _numbers(family: Family, suffix: str, since: int, now: int) -> Iterator[NumberDataPoint]:
    for labels, samples in _by_labels(family):
        values = {sample.name: sample.value for sample in samples}
        started = _started(family, values, since)
        yield NumberDataPoint(dict(labels), started, now, float(values[family.name + suffix]))


def _distributions(family: Family, since: int, now: int) -> Iterator[HistogramDataPoint]:
    for labels, samples in _by_labels(family):
        buckets = sorted((float(one.labels["le"]), one.value) for one in samples if one.name.endswith("_bucket"))
        values = {one.name: one.value for one in samples if not one.name.endswith("_bucket")}
        counts = [buckets[0][1], *(upper[1] - lower[1] for lower, upper in pairwise(buckets))]
        yield HistogramDataPoint(
            dict(labels),
            _started(family, values, since),
            now,
            count=int(values[f"{family.name}_count"]),
            sum=values[f"{family.name}_sum"],
            bucket_counts=[int(count) for count in counts],
            explicit_bounds=[bound for bound, _ in buckets[:-1]],  # the last one is infinite, and left unsaid
            min=_UNKNOWN,
            max=_UNKNOWN,
        )


def _by_labels(family: Family) -> Iterable[tuple[tuple[tuple[str, str], ...], Sequence[Sample]]]:
    """The samples of each series."""
    found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        labels = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        found.setdefault(labels, []).append(sample)
    return found.items()


def _started(family: Family, values: Mapping[str, Any], since: int) -> int:
    created = values.get(f"{family.name}_created")
    return since if created is None else int(created * _SECOND)


class Sender:
    """Sends metrics in a thread of its own; what comes while that is busy with the last ones is passed over.

    They are cumulative, so that nothing is lost by it.
    """

    def __init__(self, outs: Sequence[MetricsOut]) -> None:
        self._outs = outs
        self._waiting: queue.Queue[MetricsData | None] = queue.Queue(maxsize=1)
        self._thread = threading.Thread(target=self._send, name="delegate-metrics", daemon=True)
        self._thread.start()

    def offer(self, data: MetricsData) -> None:
        """Have them sent. Does not wait."""
        with suppress(queue.Full):
            self._waiting.put_nowait(data)

    def finish(self, data: MetricsData) -> None:
        """Send these as the last ones, and wait for that. For a thread."""
        self._waiting.put(data)
        self._waiting.put(None)
        self._thread.join()

    def _send(self) -> None:
        while (data := self._waiting.get()) is not None:
            for out in self._outs:
                out.export(data)
