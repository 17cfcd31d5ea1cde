"""Spans of what a runner does: a plugin that is told of tasks, their steps, and calls to the server."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from delegate_core.concern import concern
from delegate_core.http import Request
from delegate_core.markers import hookimpl
from delegate_core.model import Event, Outcome, StageStarted, StepEnded, StepStarted, Task, TaskResult
from delegate_core.telemetry.attributes import of_call, of_result, of_task
from delegate_core.telemetry.hiding import Hiding
from delegate_core.telemetry.trace import TaskTrace

__all__ = ["Tracing"]

_SECOND: Final = 1_000_000_000

_AFTER: Final = 1000
"""Tasks that are over whose last calls, such as the report, still find their trace."""

_BEFORE: Final = 200
"""Ids of tasks whose first calls wait for the answer that they are ours."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One to the server that is over. Times are nanoseconds since 1970."""

    operation: str
    outcome: str
    request: Request | None
    started: int
    ended: int


class Tracing:
    """The spans of one runner. It is told from any thread.

    Args:
        tracer: makes them.
        backend: name of the control plane's plugin.
        runner: its name.
        shown: a text as it may be shown, without secrets.
        clock: nanoseconds since 1970.
    """

    def __init__(
        self,
        tracer: Tracer,
        *,
        backend: str,
        runner: str,
        shown: Callable[[str], str],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tracer = tracer
        self._backend = backend
        self._runner = runner
        self._shown = shown
        self._clock = clock
        self._lock = threading.Lock()
        self._traces: dict[str, TaskTrace] = {}
        self._over: OrderedDict[str, TaskTrace] = OrderedDict()
        self._early: OrderedDict[str, list[_Call]] = OrderedDict()
        self._propagator = TraceContextTextMapPropagator()

    # ------------------------------------------------------------------ tasks

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """Begin its trace, with the calls that claimed it."""
        with self._lock:
            early = self._early.pop(task.id, [])
            trace = self._begin(task, min((call.started for call in early), default=self._clock()))
            self._add(early, trace.within(""))

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Its handler runs. One that an earlier life had claimed is told of here only."""
        with self._lock:
            trace = self._traces.get(task.id)
            if trace is None:
                trace = self._begin(task, self._clock())
                trace.say({"delegate.task.recovered": True})
            trace.started()

    def picked_up(self, task: Task, seconds: float) -> None:
        """A task started, so long after its offer."""
        with self._lock:
            if trace := self._traces.get(task.id):
                trace.say({"delegate.task.pickup_seconds": seconds})

    @hookimpl
    def task_progressed(self, task: Task, event: Event) -> None:
        """Its steps are known, or one of them began or ended."""
        with self._lock:
            trace = self._traces.get(task.id)
            if trace is None:
                return
            match event:
                case StageStarted(steps):
                    trace.stage_started(steps)
                case StepStarted(step):
                    trace.step_started(step)
                case StepEnded(step):
                    trace.step_ended(step)

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """End its spans."""
        with self._lock:
            trace = self._traces.pop(task.id, None)
            if trace is None:
                return
            trace.say({**of_result(result), "delegate.task.seconds": duration})
            trace.end("" if result.outcome is Outcome.SUCCEEDED else result.error or result.outcome.value)
            self._over[task.id] = trace
            while len(self._over) > _AFTER:
                self._over.popitem(last=False)

    @hookimpl
    def task_environment(self, task: Task, step: str) -> Mapping[str, str]:
        """TRACEPARENT, and TRACESTATE if there is any, for what a task starts: its tools can go on with the trace."""
        with self._lock:
            trace = self._traces.get(task.id)
            carrier: dict[str, str] = {}
            if trace is not None:
                self._propagator.inject(carrier, trace.of_process(step))
        return {name.upper(): value for name, value in carrier.items()}

    def _begin(self, task: Task, at: int) -> TaskTrace:
        if earlier := self._traces.pop(task.id, None):
            earlier.end("the task was claimed again")
        about = of_task(task, self._backend, self._runner)
        hiding = Hiding(self._shown, task.masks)
        trace = self._traces[task.id] = TaskTrace(self._tracer, task, hiding, about, at=at, clock=self._clock)
        return trace

    # ------------------------------------------------------------------ calls

    @hookimpl
    def server_called(self, operation: str, outcome: str, seconds: float, request: Request | None) -> None:
        """A span of it, within that of the task or step that it was made for; the calls of no task have their own."""
        ended = self._clock()
        call = _Call(operation, outcome, request, ended - int(seconds * _SECOND), ended)
        about = concern()
        with self._lock:
            trace = self._traces.get(about.task) or self._over.get(about.task)
            if trace is not None:
                self._add([call], trace.within(about.step))
            elif about.task:
                self._keep_early(about.task, call)
            else:
                self._add([call], Context())

    def _keep_early(self, task_id: str, call: _Call) -> None:
        """Nobody knows yet whether the task is ours; where it is not in the end, its calls are traces of their own."""
        self._early.setdefault(task_id, []).append(call)
        while len(self._early) > _BEFORE:
            self._add(self._early.popitem(last=False)[1], Context())

    def _add(self, calls: Iterable[_Call], within: Context) -> None:
        """Of all that they say, only the address is no word of ours: to mask it costs more than the rest of a span."""
        for call in calls:
            about = of_call(call.operation, call.outcome, call.request)
            if "url.full" in about:
                about["url.full"] = self._shown(str(about["url.full"]))
            span = self._tracer.start_span(
                call.operation, within, SpanKind.CLIENT, attributes=about, start_time=call.started
            )
            if call.outcome != "ok":
                span.set_status(Status(StatusCode.ERROR, call.outcome))
            span.end(call.ended)

    # ------------------------------------------------------------------ all of them

    def close(self) -> None:
        """End what is open: the runner leaves."""
        with self._lock:
            for trace in self._traces.values():
                trace.end("the runner left; its next start says what became of the task")
            self._traces.clear()
            for calls in self._early.values():
                self._add(calls, Context())
            self._early.clear()
