"""The console that prints one line an event."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from delegate_core.concern import Concern
from delegate_core.console.events import (
    Event,
    LogEvent,
    RecordHandler,
    RunnerState,
    Summary,
    TaskEvent,
    TaskFinished,
    TaskLine,
)
from delegate_core.console.outlet import Outlet, Stream
from delegate_core.markers import hookimpl

if TYPE_CHECKING:
    from delegate_core.console.view import Memory
    from delegate_core.logs import LogLine
    from delegate_core.model import Task, TaskResult
    from delegate_core.runner import Runner

__all__ = ["PATIENCE", "LineConsole", "finished_event", "summary_of"]

PATIENCE: Final = 2.0
"""Seconds that a slow reader has at the end."""


class LineConsole:
    """Prints events as lines, whole ones, from whatever threads they come.

    Args:
        stream: where to.
        line: a line for an event of a runner, with its line end.
        task_lines: also print what tasks print.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        stream: Stream,
        line: Callable[[Event, Concern], str],
        *,
        task_lines: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outlet = Outlet(stream, lost=lambda lines: self._missing(lines, "there was no room for them"))
        self._line = line
        self._task_lines = task_lines
        self._clock = clock
        self._runner: Runner | None = None
        self._whose = Concern()
        self.handler = RecordHandler(self._tell)

    def attach(self, runner: Runner, memory: Memory | None = None) -> None:
        """Say whose lines these are, and whose summary is printed at the end."""
        del memory  # lines come as they are printed
        self._runner = runner
        self._whose = Concern(runner.name, runner.backend_name)

    def release(self) -> None:
        """It holds no terminal."""

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Print what happens, and at the end a summary."""
        try:
            yield
        finally:
            if self._runner is not None:
                self._tell(summary_of(self._runner, self._clock()))
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._outlet.settle, PATIENCE)

    def _tell(self, event: Event) -> None:
        if dropped := self._outlet.take_dropped():
            self._outlet.write(self._missing(dropped, "the output did not keep up"))
        self._outlet.write(self._line(event, self._whose))

    def _missing(self, lines: int, why: str) -> str:
        text = f"{lines:,} line{'s are' if lines > 1 else ' is'} missing here: {why}"
        return self._line(LogEvent(self._clock(), "warning", __name__, text), self._whose)

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """Print it."""
        self._tell(TaskEvent(self._clock(), "claimed", task.id, task.type))

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Print it."""
        self._tell(TaskEvent(self._clock(), "started", task.id, task.type))

    @hookimpl
    def task_logged(self, task: Task, line: LogLine, stream: str = "") -> None:
        """Print it where task lines are wanted."""
        if self._task_lines:
            self._tell(TaskLine(line.time, task.id, task.type, line.level, line.text, stream))

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """Print it."""
        self._tell(finished_event(self._clock(), task, result, duration))

    @hookimpl
    def runner_state(self, state: str, reason: str) -> None:
        """Print it."""
        self._tell(RunnerState(self._clock(), state, reason))


def finished_event(at: float, task: Task, result: TaskResult, duration: float) -> TaskFinished:
    """A task's end as an event."""
    return TaskFinished(at, task.id, task.type, result.outcome, duration, result.error, result.cause or "", task.title)


def summary_of(runner: Runner, at: float) -> Summary:
    """What a runner has done so far."""
    now = runner.snapshot()
    return Summary(at, now.name, now.uptime, now.finished, now.backlog + now.undeliverable)
