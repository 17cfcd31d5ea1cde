"""What a console is told: one value for each thing that happens. Times are seconds since 1970."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from delegate_core.logs.records import concern_of, error_of, traceback_of

__all__ = ["Event", "LogEvent", "RecordHandler", "RunnerState", "Summary", "TaskEvent", "TaskFinished", "TaskLine"]


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """A task was ``claimed`` or ``started``."""

    time: float
    what: str
    id: str
    type: str


@dataclass(frozen=True, slots=True)
class TaskLine:
    """A task printed a line; ``step`` is the one of its steps that did, if it has any."""

    time: float
    id: str
    type: str
    level: str
    text: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task has its result. ``duration`` is in seconds; ``cause`` says who ended a cancelled one, else empty.

    ``title`` is what the backend calls the task.
    """

    time: float
    id: str
    type: str
    outcome: str
    duration: float
    error: str = ""
    cause: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class RunnerState:
    """The runner entered a state."""

    time: float
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A record of the runner's own log, and whom it concerns; what is not known is empty.

    ``error`` is the exception that it was logged with, in one line; ``traceback`` has many.
    """

    time: float
    level: str
    logger: str
    message: str
    traceback: str = ""
    error: str = ""
    runner: str = ""
    backend: str = ""
    task: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What the runner has done, at its end. ``finished`` counts tasks by outcome, ``uptime`` is in seconds."""

    time: float
    name: str
    uptime: float
    finished: Mapping[str, int] = field(default_factory=dict)
    undelivered: int = 0


Event = TaskEvent | TaskLine | TaskFinished | RunnerState | LogEvent | Summary


class RecordHandler(logging.Handler):
    """Turns the runner's log records into events."""

    def __init__(self, tell: Callable[[LogEvent], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on. A record that cannot be formatted is logging's to complain about."""
        try:
            self._tell(_event(record))
        except Exception:  # noqa: BLE001 - a handler must not raise
            self.handleError(record)


def _event(record: logging.LogRecord) -> LogEvent:
    about = concern_of(record)
    return LogEvent(
        time=record.created,
        level=record.levelname.lower(),
        logger=record.name,
        message=record.getMessage(),
        traceback=traceback_of(record),
        error=error_of(record),
        runner=about.runner,
        backend=about.backend,
        task=about.task,
        step=about.step,
    )
