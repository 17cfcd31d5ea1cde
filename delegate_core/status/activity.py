"""What a runner's tasks are doing and have lately done: a plugin that remembers what it is told, within bounds."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from delegate_core.console.events import LogEvent, RecordHandler
from delegate_core.console.view import ShownLine
from delegate_core.logs import LogLine
from delegate_core.markers import hookimpl
from delegate_core.model import Event, StepReport, Task, TaskResult, with_event

__all__ = ["Activity", "ShownTask"]

_RECENT: Final = 100
_RECORDS: Final = 250

_TAIL_LINES: Final = 500
_TAIL_BYTES: Final = 64 * 1024
"""What is kept of a task's log for who looks at it now; all of it is in the spool."""


@dataclass(slots=True)
class ShownTask:
    """One task. Times are seconds since 1970; None where it has not come so far."""

    id: str
    type: str
    title: str = ""
    claimed: float | None = None
    started: float | None = None
    finished: float | None = None
    outcome: str = ""
    error: str = ""
    cause: str = ""
    steps: dict[int, StepReport] = field(default_factory=dict)
    lines: int = 0
    tail: deque[ShownLine] = field(default_factory=deque, repr=False)
    _tail_bytes: int = 0

    def printed(self, line: LogLine, stream: str) -> None:
        """Remember a line, and forget the oldest where there are too many."""
        self.tail.append(ShownLine(self.lines, line.time, stream, line.level, line.text))
        self.lines += 1
        self._tail_bytes += line.size
        while len(self.tail) > _TAIL_LINES or (self._tail_bytes > _TAIL_BYTES and len(self.tail) > 1):
            self._tail_bytes -= len(self.tail.popleft().text) + 1


class Activity:
    """The running tasks, the last finished ones, and the last records of the runner's own log.

    What it is told comes from any thread; what it answers is a copy.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, ShownTask] = {}
        self._recent: deque[ShownTask] = deque(maxlen=_RECENT)
        self._records: deque[LogEvent] = deque(maxlen=_RECORDS)
        self.handler: logging.Handler = RecordHandler(self._records.append)
        """Give it to the loggers whose records are shown."""
        self.version = 0
        """Grows with everything that is remembered, log lines excepted."""

    # ------------------------------------------------------------------ being told

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """It is ours."""
        with self._lock:
            self._running[task.id] = ShownTask(task.id, task.type, task.title, claimed=self._clock())
            self.version += 1

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Its handler runs."""
        with self._lock:
            self._of(task).started = self._clock()
            self.version += 1

    @hookimpl
    def task_progressed(self, task: Task, event: Event) -> None:
        """A step of it began or ended."""
        with self._lock:
            shown = self._of(task)
            shown.steps = with_event(shown.steps, event)
            self.version += 1

    @hookimpl
    def task_logged(self, task: Task, line: LogLine, stream: str) -> None:
        """It printed a line."""
        with self._lock:
            self._of(task).printed(line, stream)

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult) -> None:
        """It has its result."""
        with self._lock:
            shown = self._running.pop(task.id, None) or ShownTask(task.id, task.type, task.title)
            shown.finished = self._clock()
            shown.outcome, shown.error, shown.cause = result.outcome, result.error, result.cause or ""
            self._recent.appendleft(shown)
            self.version += 1

    @hookimpl
    def runner_state(self) -> None:
        """The runner is in another state; which one, its snapshot says."""
        self.version += 1

    def _of(self, task: Task) -> ShownTask:
        """The task as it is shown. One that an earlier life had claimed was not announced."""
        return self._running.setdefault(task.id, ShownTask(task.id, task.type, task.title, claimed=self._clock()))

    # ------------------------------------------------------------------ answering

    def running(self) -> list[ShownTask]:
        """The tasks without a result, in the order of their claims."""
        with self._lock:
            return [_copy(task) for task in self._running.values()]

    def recent(self) -> list[ShownTask]:
        """The finished tasks, the latest first."""
        with self._lock:
            return [_copy(task) for task in self._recent]

    def find(self, task_id: str) -> ShownTask | None:
        """A task by its id: the running one, else the latest."""
        with self._lock:
            found = self._running.get(task_id) or next((task for task in self._recent if task.id == task_id), None)
            return _copy(found) if found else None

    def lines(self, task_id: str, start: int) -> list[ShownLine]:
        """The lines of a task from this number on, as far as they are remembered."""
        found = self.find(task_id)
        return [line for line in found.tail if line.number >= start] if found else []

    def records(self) -> list[LogEvent]:
        """The last records of the runner's log, the latest last."""
        return list(self._records)


def _copy(task: ShownTask) -> ShownTask:
    return replace(task, steps=dict(task.steps), tail=task.tail.copy())
