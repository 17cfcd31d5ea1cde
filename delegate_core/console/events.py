"""What a console is told: one value for each thing that happens. Times are seconds since 1970."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

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
    """A record of the runner's own log; ``traceback`` is empty or many lines."""

    time: float
    level: str
    logger: str
    message: str
    traceback: str = ""


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
        self.setFormatter(_TRACEBACKS)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on. A record that cannot be formatted is logging's to complain about."""
        try:
            self._tell(_event(record))
        except Exception:  # noqa: BLE001 - a handler must not raise
            self.handleError(record)


_TRACEBACKS: Final = logging.Formatter()


def _event(record: logging.LogRecord) -> LogEvent:
    traceback = _TRACEBACKS.formatException(record.exc_info) if record.exc_info else ""
    return LogEvent(record.created, record.levelname.lower(), record.name, record.getMessage(), traceback)
