"""What a step and a stage come to: statuses, how a step's process ended, and the judgement of it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from delegate_core.model import CancelCause, Outcome, TaskResult

__all__ = [
    "ERROR_CODE",
    "KILLED_CODE",
    "SIGNALLED_CODE",
    "SKIP_REST_CODE",
    "Broken",
    "Ending",
    "Exited",
    "OutOfMemory",
    "Signalled",
    "StageStatus",
    "StepState",
    "StepStatus",
    "Verdict",
    "failure_text",
    "judged",
]

SKIP_REST_CODE = 78
"""A step that exits with it succeeded, and wants nothing more of its stage to start."""
KILLED_CODE = 137
"""The exit code of what was killed: by us, or for lack of memory."""
ERROR_CODE = 255
"""The exit code of a step that the engine could not run."""
SIGNALLED_CODE = -1
"""The exit code of a process that died of a signal that we did not send, as Drone's exec runner records it."""


class StepStatus(StrEnum):
    """Where a step is. The words are Drone's."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    KILLED = "killed"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_terminal(self) -> bool:
        """It never changes again."""
        return self not in {StepStatus.PENDING, StepStatus.RUNNING}

    @property
    def is_failing(self) -> bool:
        """It went wrong."""
        return self in {StepStatus.FAILURE, StepStatus.ERROR, StepStatus.KILLED}


class StageStatus(StrEnum):
    """What a stage came to. The words are Drone's."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Exited:
    """The process ended by itself; ``limited`` says which limit it met, if one may be why it failed."""

    code: int
    limited: str = ""


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """The process was killed because it reached its memory limit."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """The process died of a signal; ``limited`` as above."""

    number: int
    limited: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine could not run the step, or lost it; ``error`` says why and holds no secret."""

    error: str


Ending = Exited | OutOfMemory | Signalled | Broken


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """A step as it stands.

    Args:
        name: the step's name.
        number: counts from 1 in the stage's order, without the steps that never run.
        status: where it is.
        exit_code: 0 until it ended.
        error: for a person: why it failed, where its exit code alone does not say so.
        skipped_because: for a person; empty unless it was skipped.
    """

    name: str
    number: int
    status: StepStatus = StepStatus.PENDING
    exit_code: int = 0
    error: str = ""
    skipped_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a stage came to.

    Args:
        status: in Drone's words.
        outcome: the same for the core, which tells a timeout from a cancellation.
        exit_code: that of the step which failed first; 137 when killed, 255 on error.
        error: for a person; empty on success.
        cause: who cancelled it, else None.
        culprit: the step that failed first, else None.
    """

    status: StageStatus = StageStatus.SUCCESS
    outcome: Outcome = Outcome.SUCCEEDED
    exit_code: int = 0
    error: str = ""
    cause: CancelCause | None = None
    culprit: str | None = None

    def result(self) -> TaskResult:
        """The same as the result of a task."""
        return TaskResult(outcome=self.outcome, error=self.error, cause=self.cause)


def judged(ending: Ending) -> tuple[StepStatus, int, str]:
    """Status, exit code and error text of a step that ended this way, nobody having stopped it."""
    match ending:
        case Exited(0 | 78 as code):
            return StepStatus.SUCCESS, code, ""
        case Exited(code, limited):
            return StepStatus.FAILURE, code, f"exit code {code}: {limited}" if limited else ""
        case OutOfMemory():
            return StepStatus.FAILURE, KILLED_CODE, "out of memory"
        case Signalled(number, limited):
            how = f"killed by {_signal_name(number)}"
            return StepStatus.FAILURE, SIGNALLED_CODE, f"{how}: {limited}" if limited else how
        case Broken(error):
            return StepStatus.ERROR, ERROR_CODE, error
        case _:
            assert_never(ending)


def failure_text(state: StepState) -> str:
    """One clause that says how this step went wrong."""
    if state.error:
        return f'step "{state.name}": {state.error}'
    return f'step "{state.name}" failed with exit code {state.exit_code}'


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
