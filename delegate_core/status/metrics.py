"""What a runner counts and measures, in Prometheus' words: a plugin that is told of tasks, and asks for the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from delegate_core.logs import LogLine
from delegate_core.markers import hookimpl
from delegate_core.model import Task, TaskResult
from delegate_core.runner.snapshot import Snapshot

__all__ = ["Metrics"]

_MASK = "******"

_DURATIONS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400)
_WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_CALLS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""A long poll takes half a minute."""

_TYPES = 200
"""Task types that are told apart: a server may send any text as one, and each is a series for ever."""

_OTHERS = "other"

_STATES = ("registering", "running", "paused", "draining", "stopping", "stopped")


class Metrics:
    """The metrics of one runner; two in one process share nothing.

    Args:
        backend: name of the control plane's plugin.
        snapshot: asks the runner how it is; None before there is one.
    """

    def __init__(self, backend: str, snapshot: Callable[[], Snapshot | None]) -> None:
        self._lock = threading.Lock()
        self._started: set[str] = set()
        self._types: set[str] = set()
        self._backend = backend
        self._registry = registry = CollectorRegistry(auto_describe=False)
        registry.register(_Present(backend, snapshot))
        self._tasks = Counter("delegate_tasks", "Tasks that have a result.", ["type", "outcome"], registry=registry)
        self._claims = Counter("delegate_tasks_claimed", "Tasks that were claimed.", ["type"], registry=registry)
        self._running = Gauge("delegate_tasks_running", "Tasks whose handler runs.", ["type"], registry=registry)
        self._seconds = Histogram(
            "delegate_task_duration_seconds",
            "From a handler's start to its end.",
            ["type"],
            buckets=_DURATIONS,
            registry=registry,
        )
        self._pickup = Histogram(
            "delegate_task_pickup_seconds",
            "From the server's offer to the handler's start.",
            ["type"],
            buckets=_WAITS,
            registry=registry,
        )
        self._bytes = Counter("delegate_log_bytes", "Bytes that tasks printed, masked.", registry=registry)
        self._lines = Counter("delegate_log_lines", "Lines that tasks printed.", registry=registry)
        self._masked = Counter("delegate_log_masked", "Secrets hidden in what tasks printed.", registry=registry)

        self._calls = Histogram(
            "delegate_rpc_duration_seconds",
            "Calls to the server, from the request to the reply.",
            ["backend", "operation", "outcome"],
            buckets=_CALLS,
            registry=registry,
        )
        self._failures = Counter(
            "delegate_rpc_errors",
            "Calls to the server that failed.",
            ["backend", "operation", "kind"],
            registry=registry,
        )

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def families(self) -> Iterable[Metric]:
        """All of it, for who passes it on in another form."""
        return self._registry.collect()

    # ------------------------------------------------------------------ being told

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """Count it."""
        self._claims.labels(self._type(task)).inc()

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Its handler runs."""
        with self._lock:
            self._started.add(task.id)
        self._running.labels(self._type(task)).inc()

    def picked_up(self, task: Task, seconds: float) -> None:
        """A task started, so long after its offer."""
        self._pickup.labels(self._type(task)).observe(seconds)

    @hookimpl
    def task_logged(self, line: LogLine) -> None:
        """Count what it printed."""
        self._lines.inc()
        self._bytes.inc(line.size)
        if masked := line.text.count(_MASK):
            self._masked.inc(masked)

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """Count its outcome."""
        task_type = self._type(task)
        self._tasks.labels(task_type, result.outcome.value).inc()
        with self._lock:
            ran = task.id in self._started
            self._started.discard(task.id)
        if ran:
            self._running.labels(task_type).dec()
            self._seconds.labels(task_type).observe(duration)

    @hookimpl
    def server_called(self, operation: str, outcome: str, seconds: float) -> None:
        """Measure it."""
        failed = outcome != "ok"
        self._calls.labels(self._backend, operation, "error" if failed else "ok").observe(seconds)
        if failed:
            self._failures.labels(self._backend, operation, outcome).inc()

    def _type(self, task: Task) -> str:
        """The task's type as a label; one of too many is only one of the others."""
        if task.type in self._types:
            return task.type
        with self._lock:
            if len(self._types) >= _TYPES:
                return _OTHERS
            self._types.add(task.type)
        return task.type


class _Present(Collector):
    """What the runner's snapshot says at the moment it is asked."""

    def __init__(self, backend: str, snapshot: Callable[[], Snapshot | None]) -> None:
        self._backend = backend
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        """One family a figure."""
        now = self._snapshot()
        if now is None:
            return
        info = GaugeMetricFamily("delegate_info", "The runner.", labels=["name", "version", "backend"])
        info.add_metric([now.name, version("delegate-core"), self._backend], 1)
        yield info
        state = GaugeMetricFamily("delegate_state", "1 for the state that the runner is in.", labels=["state"])
        for name in _STATES:
            state.add_metric([name], float(name == now.state))
        yield state
        for name, text, value in _gauges(now):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)
        for name, text, count in _counters(now):
            yield CounterMetricFamily(name, text, value=count)


def _gauges(now: Snapshot) -> Iterable[tuple[str, str, float | None]]:
    yield "delegate_ready", "1 if the runner takes tasks and a call to the server has succeeded lately.", now.ready
    yield "delegate_uptime_seconds", "Since the start.", now.uptime
    yield "delegate_slots", "Tasks that may run at once.", now.capacity
    yield "delegate_slots_used", "Slots that are taken.", now.used
    yield "delegate_maintenance", "1 if an operator has put the runner into maintenance.", now.maintenance is not None
    yield "delegate_holds", "Reasons for which no task is taken at present.", len(now.holds)
    yield "delegate_since_contact_seconds", "Since the last call to the server that succeeded.", now.since_contact
    yield "delegate_since_poll_seconds", "Since the server was last asked for tasks.", now.since_poll
    yield "delegate_since_heartbeat_seconds", "Since the last heartbeat.", now.since_heartbeat
    yield "delegate_results_backlog", "Results that the server has not got yet.", now.backlog
    yield "delegate_results_undeliverable", "Results that can never be delivered.", now.undeliverable
    yield "delegate_logs_open", "Logs that are being sent.", now.logs_open
    yield "delegate_threads_abandoned", "Threads of handlers that outlived their task.", now.abandoned_threads


def _counters(now: Snapshot) -> Iterable[tuple[str, str, int]]:
    yield "delegate_polls", "How often the server answered when asked for tasks.", now.polls
    yield "delegate_results_delivered", "Results that the server has taken.", now.delivered
