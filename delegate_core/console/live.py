"""The live view of a runner in this process."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TextIO

from delegate_core.beside import beside
from delegate_core.console.events import LogEvent, RecordHandler, TaskFinished
from delegate_core.console.lines import finished_event, summary_of
from delegate_core.console.plain import summary_text
from delegate_core.console.screen import Screen
from delegate_core.console.view import View
from delegate_core.markers import hookimpl

if TYPE_CHECKING:
    from delegate_core.model import Task, TaskResult
    from delegate_core.runner import Runner

__all__ = ["LiveConsole"]

_KEPT: Final = 64
"""Results and records that are remembered: more than any terminal shows."""


class LiveConsole:
    """Draws the runner's state over and over at the bottom of the terminal; see `Screen`.

    Args:
        stream: the terminal.
        clock: seconds since 1970.
        colour: whether to use colours; bold and dim are used anyway.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.time, colour: bool = True) -> None:
        self._clock = clock
        self._screen = Screen(stream, colour=colour)
        self._runner: Runner | None = None
        self._recent: deque[TaskFinished] = deque(maxlen=_KEPT)
        self._records: deque[LogEvent] = deque(maxlen=_KEPT)
        self.handler = RecordHandler(self._records.append)
        self.handler.setLevel(logging.WARNING)

    def attach(self, runner: Runner) -> None:
        """Say whose state is shown."""
        self._runner = runner

    # ------------------------------------------------------------------ observing

    @hookimpl
    def task_started(self) -> None:
        """Draw soon; the task itself is in the runner's snapshot."""
        self._screen.happened()

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """Remember it."""
        self._recent.appendleft(finished_event(self._clock(), task, result, duration))
        self._screen.happened()

    @hookimpl
    def runner_state(self) -> None:
        """Draw soon; the state itself is in the runner's snapshot."""
        self._screen.happened()

    # ------------------------------------------------------------------ drawing

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Draw until left, then clear the view and leave one line in its place.

        Raises:
            RuntimeError: no runner is attached.
        """
        if self._runner is None:
            raise RuntimeError("nothing to show: call attach(runner) before show()")
        live = self._screen.open()
        try:
            with live:
                async with beside(partial(self._screen.draw, live, partial(self._view, self._runner))):
                    yield
        finally:
            self._screen.print(summary_text(summary_of(self._runner, self._clock())) + "\n")
            await self._screen.settle()

    def _view(self, runner: Runner) -> View:
        return View(runner.backend_name, runner.snapshot(), tuple(self._recent), tuple(self._records))
