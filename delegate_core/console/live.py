"""The live view of a runner in this process."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TextIO

from delegate_core.console.events import LogEvent, RecordHandler, TaskFinished
from delegate_core.console.lines import finished_event, summary_of
from delegate_core.console.look import Look
from delegate_core.console.plain import summary_text
from delegate_core.console.screen import Screen
from delegate_core.console.view import Memory, View
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
        environ: says what the terminal can show, see `Screen`.
        keys: read keys from this stream if it is a terminal.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        keys: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._screen = Screen(stream, environ, keys)
        self._runner: Runner | None = None
        self._memory: Memory | None = None
        self._recent: deque[TaskFinished] = deque(maxlen=_KEPT)
        self._records: deque[LogEvent] = deque(maxlen=_KEPT)
        self.handler = RecordHandler(self._records.append)
        self.handler.setLevel(logging.WARNING)

    def attach(self, runner: Runner, memory: Memory | None = None) -> None:
        """Say whose state is shown, and who remembers what tasks print."""
        self._runner, self._memory = runner, memory

    def release(self) -> None:
        """Give the terminal back now."""
        self._screen.release()

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
        try:
            async with self._screen.showing(partial(self._view, self._runner)):
                yield
        finally:
            self._screen.print(summary_text(summary_of(self._runner, self._clock())) + "\n")
            await self._screen.settle()

    def _view(self, runner: Runner, look: Look) -> View:
        view = View(runner.backend_name, runner.snapshot(), tuple(self._recent), tuple(self._records))
        if self._memory is None:
            return view
        log = tuple(self._memory.lines(look.selected, 0)) if look.page == "log" else None
        return replace(view, rates=self._memory.rates(), log=log)
