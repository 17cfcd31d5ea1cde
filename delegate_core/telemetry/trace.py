"""The spans of one task: its own, that of its stage, and those of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from delegate_core.model import StepReport, Task
from delegate_core.telemetry.attributes import Attributes, of_step, of_step_end, step_failure
from delegate_core.telemetry.hiding import Hiding

__all__ = ["TaskTrace"]

_SECOND: Final = 1_000_000_000


class TaskTrace:
    """One task's spans. Not thread-safe. Times are nanoseconds since 1970.

    It is a trace of its own: no control plane that is spoken here hands one over.

    Args:
        tracer: makes them.
        task: whose they are.
        hiding: keeps secrets out of them.
        attributes: what is known of the task.
        at: when it began.
        clock: tells the time.
    """

    def __init__(
        self, tracer: Tracer, task: Task, hiding: Hiding, attributes: Attributes, *, at: int, clock: Callable[[], int]
    ) -> None:
        self._tracer = tracer
        self._hiding = hiding
        self._clock = clock
        self._pipeline = task.about.get("pipeline", "")
        self._stage: Span | None = None
        self._stage_ended = 0
        self._steps: dict[str, Span] = {}
        self._running: set[str] = set()
        self._task = self._span(f"{task.type} {self._pipeline}", Context(), attributes, at, SpanKind.CONSUMER)

    # ------------------------------------------------------------------ where things belong

    def within(self, step: str) -> Context:
        """Where what concerns this step belongs; for an empty or unknown name, what concerns the whole."""
        return set_span_in_context(self._steps.get(step) or self._stage or self._task)

    def of_process(self, step: str) -> Context:
        """The same for what is started: where a handler's task is one step, that is the step."""
        (only,) = self._running if len(self._running) == 1 else ("",)
        return self.within(step or only)

    # ------------------------------------------------------------------ the task

    def say(self, attributes: Attributes) -> None:
        """Add to what the task's span says."""
        self._task.set_attributes(self._hiding.attributes(attributes))

    def started(self) -> None:
        """Its handler runs."""
        self._task.add_event("started", timestamp=self._clock())

    def end(self, failure: str) -> None:
        """End all that has not ended, with why it failed, if it did. What comes late still finds where it belongs."""
        self._leave(failure)
        self._judge(self._task, failure)
        self._task.end(self._clock())
        self._task = _shadow(self._task)
        self._steps = {name: _shadow(span) for name, span in self._steps.items()}

    def _leave(self, failure: str) -> None:
        """End what is within the task; one that is cut short may leave steps."""
        now = self._clock()
        for name in sorted(self._running):
            self._cut_short(name, failure or "it was cut short", now)
        if self._stage is not None:
            self._judge(self._stage, failure)
            self._stage.end(now if self._running else self._stage_ended or now)
        self._running.clear()
        self._stage = None

    # ------------------------------------------------------------------ its steps

    def stage_started(self, steps: Iterable[StepReport]) -> None:
        """Its steps are known."""
        self._leave("it was begun again")
        about: Attributes = {"delegate.stage.steps": len(list(steps))}
        self._stage = self._span(f"stage {self._pipeline}", set_span_in_context(self._task), about, self._clock())

    def step_started(self, step: StepReport) -> None:
        """One begins."""
        at = self._at(step.started)
        if step.name in self._running:
            self._cut_short(step.name, "it was begun again", at)
        self._begin(step, at)
        self._running.add(step.name)

    def step_ended(self, step: StepReport) -> None:
        """One is over, or was skipped and never began."""
        at = self._at(step.stopped)
        if step.name not in self._running:
            if step.name in self._steps:
                return  # it was told before
            self._begin(step, at)
        span = self._steps[step.name]
        span.set_attributes(self._hiding.attributes(of_step_end(step)))
        self._judge(span, step_failure(step))
        span.end(at)
        self._running.discard(step.name)
        self._stage_ended = max(self._stage_ended, at)

    def _begin(self, step: StepReport, at: int) -> None:
        self._steps[step.name] = self._span(f"step {step.name}", self.within(""), of_step(step), at)

    def _cut_short(self, step: str, why: str, at: int) -> None:
        self._judge(self._steps[step], why)
        self._steps[step].end(at)

    # ------------------------------------------------------------------ spans

    def _at(self, seconds: float | None) -> int:
        return self._clock() if seconds is None else int(seconds * _SECOND)

    def _span(
        self, name: str, within: Context, attributes: Attributes, at: int, kind: SpanKind = SpanKind.INTERNAL
    ) -> Span:
        shown = self._hiding.text(name.strip())
        return self._tracer.start_span(
            shown, within, kind, attributes=self._hiding.attributes(attributes), start_time=at
        )

    def _judge(self, span: Span, failure: str) -> None:
        if failure:
            span.set_status(Status(StatusCode.ERROR, self._hiding.text(failure)))


def _shadow(span: Span) -> Span:
    """What is needed of a span that has ended: to be a parent."""
    return NonRecordingSpan(span.get_span_context())
