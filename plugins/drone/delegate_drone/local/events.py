"""What happens during a local run: one value for each thing. Times are seconds since 1970, durations seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from delegate_core.pipeline.states import StepState, Verdict

__all__ = [
    "Event",
    "PipelineBegan",
    "PipelineLeftOut",
    "PipelineOver",
    "Printed",
    "RunOver",
    "RunStopping",
    "StepBegan",
    "StepOver",
    "StepPlan",
    "WorkspaceKept",
]


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step that may run, and the steps that it waits for."""

    name: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineLeftOut:
    """A pipeline does not run, and why. ``counts`` where it should have and cannot."""

    time: float
    pipeline: str
    reason: str
    counts: bool = False


@dataclass(frozen=True, slots=True)
class PipelineBegan:
    """A pipeline starts."""

    time: float
    pipeline: str
    steps: tuple[StepPlan, ...]


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A step starts."""

    time: float
    pipeline: str
    step: str


@dataclass(frozen=True, slots=True)
class Printed:
    """A step printed these lines; they are masked."""

    time: float
    pipeline: str
    step: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepOver:
    """A step ended, or was skipped."""

    time: float
    pipeline: str
    state: StepState
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class PipelineOver:
    """A pipeline ended."""

    time: float
    pipeline: str
    verdict: Verdict
    duration: float


@dataclass(frozen=True, slots=True)
class WorkspaceKept:
    """The workspace of a failed pipeline was kept in this folder."""

    time: float
    pipeline: str
    path: str


@dataclass(frozen=True, slots=True)
class RunStopping:
    """Somebody wants the run to end; ``signal`` is the name of how they said so."""

    time: float
    signal: str


@dataclass(frozen=True, slots=True)
class RunOver:
    """All is over, and the command will exit with this status."""

    time: float
    exit_code: int
    duration: float


Event: TypeAlias = (
    PipelineLeftOut
    | PipelineBegan
    | StepBegan
    | Printed
    | StepOver
    | PipelineOver
    | WorkspaceKept
    | RunStopping
    | RunOver
)
"""Anything of these."""
