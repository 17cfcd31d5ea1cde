"""Every metric, as a runner with a task behind it shows them to Prometheus."""

from __future__ import annotations

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from delegate_core.logs import LogLine
from delegate_core.model import Task, TaskResult
from delegate_core.status.metrics import Metrics
from docs.generators.markdown import code, joined, prose, table
from docs.pictures.samples import snapshot

__all__ = ["families", "page"]

_INTRODUCTION = """\
# Metrics

<!-- Made from what a runner shows by docs/generators/metrics.py: make reference. -->

What `GET /metrics` of a runner's [status server](../status.md) shows, in the format of Prometheus. How to have it
fetched, and what to be told of, is on [the page about watching](../how-to/watch-with-prometheus.md); the same figures
go out [over OpenTelemetry](../how-to/trace-with-opentelemetry.md) where that is asked for.

Labels have few values: of more than 200 task types the rest counts as `other`, and addresses and ids are no labels."""


def page() -> str:
    """The whole page."""
    rows = [
        [code(_name(family.name, family.type)), family.type, ", ".join(map(code, labels)), prose(family.documentation)]
        for family, labels in families()
    ]
    return joined([_INTRODUCTION, table(["name", "type", "labels", ""], rows), _HISTOGRAMS, _CALLS])


_HISTOGRAMS = """\
A histogram has `_bucket` (with the label `le`, in seconds), `_sum` and `_count` behind its name, and each counter
and histogram a `_created` with the time of its beginning. All begin at nought with the process."""

_CALLS = """\
## Calls to the server

`outcome` of `delegate_rpc_duration_seconds` is `ok` or `error`; a long poll counts with its wait, a cancelled call
not at all. `kind` of `delegate_rpc_errors_total` is `connect`, `tls`, `timeout`, `interrupted`, `3xx`, `4xx`, `5xx`,
`malformed` or `other`.

Operations of the Harness backend: `register`, `heartbeat`, `unregister`, `register_capacity`, `configuration`,
`task_events`, `acquire`, `respond`, `respond_step`, `logging_token`, `log_open`, `log_write`, `log_close`,
`log_upload`. Of the Drone backend: `ping`, `request` and `watch` (long polls), `accept`, `details`, `update_stage`,
`update_step`, `log_write`, `log_upload`, `card`, `extension`."""


def families() -> list[tuple[Metric, list[str]]]:
    """Every family that a runner shows, with its labels."""
    shown = text_string_to_metric_families(_after_one_task().text().decode())
    found = []
    for family in shown:
        if family.name.endswith("_created"):
            continue
        labels = dict.fromkeys(label for sample in family.samples for label in sample.labels if label != "le")
        found.append((family, list(labels)))
    return found


def _name(family: str, kind: str) -> str:
    return f"{family}_total" if kind == "counter" else family


def _after_one_task() -> Metrics:
    """What was told of one task from its offer to its end."""
    metrics = Metrics("harness", snapshot)
    task = Task(id="1", type="fib")
    metrics.task_claimed(task)
    metrics.task_started(task)
    metrics.picked_up(task, 0.1)
    metrics.task_logged(LogLine(0, 0.0, "info", "******"))
    metrics.task_finished(task, TaskResult.succeeded(None), 1.0)
    metrics.server_called("heartbeat", "ok", 0.1)
    metrics.server_called("heartbeat", "timeout", 0.1)
    return metrics
