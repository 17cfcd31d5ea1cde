"""What the live view knows: every pipeline, every step, and the last lines of each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from delegate_core.pipeline.states import StepStatus, Verdict
from delegate_drone.local.events import (
    Event,
    PipelineBegan,
    PipelineOver,
    Printed,
    RunStopping,
    StepBegan,
    StepOver,
    StepPlan,
)

__all__ = ["Board", "PipelineRow", "StepRow"]

_LAST_LINES: Final = 5


@dataclass(slots=True)
class StepRow:
    """One step as it stands. ``note`` is why it failed or was skipped."""

    plan: StepPlan
    status: StepStatus = StepStatus.PENDING
    began: float | None = None
    duration: float = 0.0
    exit_code: int = 0
    note: str = ""
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))

    def elapsed(self, now: float) -> float | None:
        """Seconds that it runs or ran; None if it did not."""
        if self.status is StepStatus.RUNNING and self.began is not None:
            return now - self.began
        return None if self.began is None else self.duration


@dataclass(slots=True)
class PipelineRow:
    """One pipeline as it stands."""

    name: str
    began: float
    steps: dict[str, StepRow]
    verdict: Verdict | None = None
    duration: float = 0.0

    def waits_for(self, step: StepRow) -> tuple[str, ...]:
        """The steps that have to return before this one."""
        needs = (self.steps[name] for name in step.plan.needs if name in self.steps)
        return tuple(need.plan.name for need in needs if not need.status.is_terminal)


class Board:
    """All pipelines that began, in their order."""

    def __init__(self) -> None:
        self.pipelines: dict[str, PipelineRow] = {}
        self.stopping = ""

    @property
    def current(self) -> PipelineRow | None:
        """The pipeline that runs; between two of them the one that ran."""
        return next(reversed(self.pipelines.values()), None)

    def tell(self, event: Event) -> None:
        """Note what happened."""
        match event:
            case PipelineBegan(time, name, steps):
                self.pipelines[name] = PipelineRow(name, time, {step.name: StepRow(step) for step in steps})
            case StepBegan(time, pipeline, step):
                row = self.pipelines[pipeline].steps[step]
                row.status, row.began = StepStatus.RUNNING, time
            case Printed(_, pipeline, step, lines):
                self.pipelines[pipeline].steps[step].last_lines.extend(lines[-_LAST_LINES:])
            case StepOver():
                self._end(event)
            case RunStopping(_, name):
                self.stopping = name
            case PipelineOver(_, pipeline, verdict, duration):
                over = self.pipelines[pipeline]
                over.verdict, over.duration = verdict, duration
            case _:
                pass

    def _end(self, event: StepOver) -> None:
        row = self.pipelines[event.pipeline].steps[event.state.name]
        row.status, row.exit_code, row.duration = event.state.status, event.state.exit_code, event.duration
        row.note = event.state.error or event.state.skipped_because
