"""The metrics that are sent are those that /metrics shows."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import Metric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import Metric as Family

from delegate_core.model import Outcome, Task, TaskResult
from delegate_core.status.metrics import Metrics
from delegate_core.telemetry.figures import converted

_TYPES = st.sampled_from(["script", "exec", "fib"])
_RUNS = st.lists(st.tuples(_TYPES, st.sampled_from(Outcome), st.floats(0, 20_000)), max_size=20)
_CALLS = st.lists(st.tuples(st.sampled_from(["ping", "poll"]), st.sampled_from(["ok", "4xx"]), st.floats(0, 90)))


def sent(metrics: Metrics) -> dict[str, Metric]:
    data = converted(metrics.families(), Resource({}), InstrumentationScope("test"), since=1)
    ((scope,),) = (part.scope_metrics for part in data.resource_metrics)
    return {metric.name: metric for metric in scope.metrics}


def shown(family: Family, suffix: str) -> dict[frozenset[tuple[str, str]], float]:
    """The samples of this name, by their labels."""
    return {
        frozenset(sample.labels.items()): sample.value
        for sample in family.samples
        if sample.name == family.name + suffix
    }


def points(metric: Metric) -> dict[frozenset[tuple[str, Any]], Any]:
    return {frozenset((point.attributes or {}).items()): point for point in metric.data.data_points}


@settings(deadline=None, max_examples=30)
@given(_RUNS, _CALLS)
def test_every_figure_is_the_same(runs: list[tuple[str, Outcome, float]], calls: list[tuple[str, str, float]]) -> None:
    metrics = Metrics("memory", lambda: None)
    for number, (task_type, outcome, seconds) in enumerate(runs):
        task = Task(id=str(number), type=task_type)
        metrics.task_claimed(task)
        metrics.task_started(task)
        metrics.task_finished(task, TaskResult(outcome=outcome), seconds)
    for call in calls:
        metrics.server_called(*call)
    found = sent(metrics)
    families = {family.name: family for family in metrics.families() if family.samples}
    assert set(found) == set(families)
    for name, family in families.items():
        series = points(found[name])
        if family.type == "histogram":
            for labels, point in series.items():
                upper = [*point.explicit_bounds, float("inf")]
                cumulated = {
                    labels | {("le", _bound(bound))}: count
                    for bound, count in zip(upper, accumulate(point.bucket_counts), strict=True)
                }
                assert cumulated.items() <= shown(family, "_bucket").items()
            assert {labels: point.sum for labels, point in series.items()} == shown(family, "_sum")
            assert {labels: point.count for labels, point in series.items()} == shown(family, "_count")
        else:
            suffix = "_total" if family.type == "counter" else ""
            assert {labels: point.value for labels, point in series.items()} == shown(family, suffix)


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else str(bound)


def test_units_are_those_that_the_names_say() -> None:
    metrics = Metrics("memory", lambda: None)
    metrics.server_called("ping", "ok", 0.5)
    found = sent(metrics)
    assert found["delegate_rpc_duration_seconds"].unit == "s"
    assert found["delegate_log_bytes"].unit == "By"
    assert not found["delegate_log_lines"].unit
