"""Spans of what a runner does: a plugin that is told of tasks, their steps, and calls to the server."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from delegate_core.concern import Concern, concern
from delegate_core.http import Request
from delegate_core.markers import hookimpl
from delegate_core.model import Event, Outcome, StageStarted, StepEnded, StepReport, StepStarted, Task, TaskResult
from delegate_core.telemetry.attributes import (
    Attributes,
    of_call,
    of_result,
    of_step,
    of_step_end,
    of_task,
    step_failure,
)

__all__ = ["Tracing"]

_SECOND: Final = 1_000_000_000

_AFTER: Final = 1000
"""Tasks that are over whose last calls, such as the report, still find their trace."""

_BEFORE: Final = 200
"""Ids of tasks whose first calls wait for the answer that they are ours."""

_LONGEST: Final = 1000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One to the server that is over. Times are nanoseconds since 1970."""

    operation: str
    outcome: str
    request: Request | None
    started: int
    ended: int


@dataclass(slots=True)
class _Trace:
    """The spans of one task."""

    task: Span
    stage: Span | None = None
    steps: dict[str, Span] = field(default_factory=dict)
    """By name, those that are over too: the end of a step is told to the server only then."""
    running: set[str] = field(default_factory=set)
    stage_ended: int = 0
    """When its last step ended, so far."""

    def within(self, step: str) -> Context:
        """Where what concerns this step belongs; for an empty or unknown name, what concerns the whole."""
        return set_span_in_context(self.steps.get(step) or self.stage or self.task)

    def of_process(self, step: str) -> Context:
        """The same for what is started: where a handler's task is one step, that is the step."""
        (only,) = self.running if len(self.running) == 1 else ("",)
        return self.within(step or only)

    def remains(self) -> _Trace:
        """What is needed of it once all has ended: where late calls belong."""
        steps: dict[str, Span] = {name: NonRecordingSpan(one.get_span_context()) for name, one in self.steps.items()}
        return _Trace(NonRecordingSpan(self.task.get_span_context()), steps=steps)


class Tracing:
    """The spans of one runner.

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
        self._traces: dict[str, _Trace] = {}
        self._over: OrderedDict[str, _Trace] = OrderedDict()
        self._early: OrderedDict[str, list[_Call]] = OrderedDict()
        self._propagator = TraceContextTextMapPropagator()

    # ------------------------------------------------------------------ tasks

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """Begin its trace, with the calls that claimed it."""
        with self._lock:
            early = self._early.pop(task.id, [])
            trace = self._begin(task, min((call.started for call in early), default=self._clock()))
            for call in early:
                self._add(call, trace.within(""))

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Its handler runs. One that an earlier life had claimed is told of here only."""
        with self._lock:
            trace = self._traces.get(task.id)
            if trace is None:
                trace = self._begin(task, self._clock())
                trace.task.set_attribute("delegate.task.recovered", True)
            trace.task.add_event("started", timestamp=self._clock())

    def picked_up(self, task: Task, seconds: float) -> None:
        """A task started, so long after its offer."""
        with self._lock:
            if trace := self._traces.get(task.id):
                trace.task.set_attribute("delegate.task.pickup_seconds", seconds)

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """End its spans."""
        with self._lock:
            trace = self._traces.pop(task.id, None)
            if trace is None:
                return
            failure = "" if result.outcome is Outcome.SUCCEEDED else result.error or result.outcome.value
            trace.task.set_attributes(self._masked({**of_result(result), "delegate.task.seconds": duration}))
            self._end(trace, failure)
            self._over[task.id] = trace.remains()
            while len(self._over) > _AFTER:
                self._over.popitem(last=False)

    def _begin(self, task: Task, at: int) -> _Trace:
        """A trace of its own: no control plane that is spoken here hands one over."""
        name = f"{task.type} {task.about['pipeline']}" if task.about.get("pipeline") else task.type
        span = self._tracer.start_span(
            self._shown(name),
            Context(),
            SpanKind.CONSUMER,
            attributes=self._masked(of_task(task, self._backend, self._runner)),
            start_time=at,
        )
        earlier = self._traces.pop(task.id, None)
        if earlier is not None:
            self._end(earlier, "the task was claimed again")
        trace = self._traces[task.id] = _Trace(span)
        return trace

    def _end(self, trace: _Trace, failure: str) -> None:
        self._leave(trace, failure)
        self._judge(trace.task, failure)
        trace.task.end(self._clock())

    def _leave(self, trace: _Trace, failure: str) -> None:
        """End what is within the task; a task that is cut short may leave steps."""
        now = self._clock()
        for name in sorted(trace.running):
            self._cut_short(trace.steps[name], failure, now)
        if trace.stage is not None:
            self._judge(trace.stage, failure)
            trace.stage.end(now if trace.running else trace.stage_ended or now)
        trace.running.clear()
        trace.stage = None

    def _cut_short(self, span: Span, failure: str, at: int) -> None:
        self._judge(span, failure or "it was cut short")
        span.end(at)

    # ------------------------------------------------------------------ steps

    @hookimpl
    def task_progressed(self, task: Task, event: Event) -> None:
        """Begin or end the span of its stage or of a step."""
        with self._lock:
            trace = self._traces.get(task.id)
            if trace is None:
                return
            match event:
                case StageStarted(steps):
                    self._stage_started(trace, task, steps)
                case StepStarted(step):
                    self._step_started(trace, step)
                case StepEnded(step):
                    self._step_ended(trace, step)

    def _stage_started(self, trace: _Trace, task: Task, steps: tuple[StepReport, ...]) -> None:
        name = f"stage {task.about.get('pipeline', '')}".strip()
        about: Attributes = {"delegate.stage.steps": len(steps)}
        self._leave(trace, "it was begun again")
        trace.stage = self._span(name, set_span_in_context(trace.task), about, self._clock())

    def _step_started(self, trace: _Trace, step: StepReport) -> None:
        at = self._at(step.started)
        if step.name in trace.running:
            self._cut_short(trace.steps[step.name], "it was begun again", at)
        self._add_step(trace, step, at)
        trace.running.add(step.name)

    def _add_step(self, trace: _Trace, step: StepReport, at: int) -> None:
        trace.steps[step.name] = self._span(f"step {step.name}", trace.within(""), of_step(step), at)

    def _step_ended(self, trace: _Trace, step: StepReport) -> None:
        ended = self._at(step.stopped)
        if step.name not in trace.running:
            if step.name in trace.steps:
                return  # it was told before
            self._add_step(trace, step, ended)  # it was skipped
        span = trace.steps[step.name]
        span.set_attributes(self._masked(of_step_end(step)))
        self._judge(span, step_failure(step))
        span.end(ended)
        trace.running.discard(step.name)
        trace.stage_ended = max(trace.stage_ended, ended)

    def _at(self, seconds: float | None) -> int:
        return self._clock() if seconds is None else int(seconds * _SECOND)

    @hookimpl
    def task_environment(self, task: Task, step: str) -> Mapping[str, str]:
        """TRACEPARENT, and TRACESTATE if there is any, for what a task starts: its tools can go on with the trace."""
        with self._lock:
            trace = self._traces.get(task.id)
        carrier: dict[str, str] = {}
        if trace is not None:
            self._propagator.inject(carrier, trace.of_process(step))
        return {name.upper(): value for name, value in carrier.items()}

    # ------------------------------------------------------------------ calls

    @hookimpl
    def server_called(self, operation: str, outcome: str, seconds: float, request: Request | None) -> None:
        """A span of it, within that of the task or step that it was made for; the calls of no task have their own."""
        ended = self._clock()
        call = _Call(operation, outcome, request, ended - int(seconds * _SECOND), ended)
        about = concern()
        with self._lock:
            trace = self._traces.get(about.task) or self._over.get(about.task)
            if trace is not None or not about.task:
                self._add(call, trace.within(about.step) if trace is not None else Context())
            else:
                self._keep_early(about, call)

    def _keep_early(self, about: Concern, call: _Call) -> None:
        """Nobody knows yet whether the task is ours."""
        self._early.setdefault(about.task, []).append(call)
        while len(self._early) > _BEFORE:
            self._add_all(self._early.popitem(last=False)[1])

    def _add_all(self, calls: list[_Call]) -> None:
        """Those for tasks that were not ours in the end."""
        for call in calls:
            self._add(call, Context())

    def _add(self, call: _Call, within: Context) -> None:
        """Of all that it says, only the address is no word of ours: masking costs more than the rest of a span."""
        about = of_call(call.operation, call.outcome, call.request)
        if "url.full" in about:
            about["url.full"] = self._shown(str(about["url.full"]))[:_LONGEST]
        span = self._tracer.start_span(
            call.operation, within, SpanKind.CLIENT, attributes=about, start_time=call.started
        )
        self._judge(span, "" if call.outcome == "ok" else call.outcome)
        span.end(call.ended)

    # ------------------------------------------------------------------ all of them

    def close(self) -> None:
        """End what is open: the runner leaves."""
        with self._lock:
            for trace in self._traces.values():
                self._end(trace, "the runner left; its next start says what became of the task")
            self._traces.clear()
            for calls in self._early.values():
                self._add_all(calls)
            self._early.clear()

    def _span(self, name: str, within: Context, attributes: Attributes, at: int) -> Span:
        return self._tracer.start_span(self._shown(name), within, attributes=self._masked(attributes), start_time=at)

    def _judge(self, span: Span, failure: str) -> None:
        if failure:
            span.set_status(Status(StatusCode.ERROR, self._shown(failure)[:_LONGEST]))

    def _masked(self, attributes: Attributes) -> Attributes:
        return dict(self._each_masked(attributes))

    def _each_masked(self, attributes: Attributes) -> Iterator[tuple[str, str | int | float | bool]]:
        for name, value in attributes.items():
            yield name, self._shown(value)[:_LONGEST] if isinstance(value, str) else value
