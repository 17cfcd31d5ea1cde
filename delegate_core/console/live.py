"""The live view in a terminal."""

from __future__ import annotations

import io
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, TextIO, cast

import anyio
from rich.console import Console as Terminal
from rich.console import ConsoleDimensions
from rich.live import Live

from delegate_core.console.events import LogEvent, RecordHandler, TaskFinished
from delegate_core.console.lines import PATIENCE, finished_event, summary_of
from delegate_core.console.outlet import Outlet
from delegate_core.console.plain import summary_text
from delegate_core.console.render import render
from delegate_core.console.view import View
from delegate_core.markers import hookimpl

if TYPE_CHECKING:
    from delegate_core.model import Task, TaskResult
    from delegate_core.runner import Runner

__all__ = ["LiveConsole"]

_BETWEEN_FRAMES: Final = 0.5
"""Seconds from one drawing to the next, at least: quick enough for a person, and calm."""

_QUIET: Final = 0.5
"""Seconds that a runner without tasks waits on top for something to happen."""

_KEPT: Final = 64
"""Results and records that are remembered: more than any terminal shows."""


class LiveConsole:
    """Draws the runner's state over and over at the bottom of the terminal.

    Not on the alternate screen: what was printed before the start stays readable above, a runner that is killed
    leaves its last picture and a terminal that is still the normal one, and what a handler prints scrolls by above
    the view instead of tearing it.

    Everything is drawn in the event loop, where the runner's state is consistent, and written in a thread: a stopped
    terminal gets no new picture until it has taken the last one, and the runner never waits for it.

    Args:
        stream: the terminal.
        clock: seconds since 1970.
        colour: whether to use colours; bold and dim are used anyway.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.time, colour: bool = True) -> None:
        self._stream = stream
        self._clock = clock
        self._outlet = Outlet(stream)
        self._terminal = Terminal(
            file=cast("IO[str]", _Frames(self._outlet)),
            force_terminal=True,
            force_interactive=True,
            color_system="standard",
            no_color=not colour,
            legacy_windows=False,
            highlight=False,
        )
        self._runner: Runner | None = None
        self._size = ConsoleDimensions(0, 0)
        self._recent: deque[TaskFinished] = deque(maxlen=_KEPT)
        self._records: deque[LogEvent] = deque(maxlen=_KEPT)
        self._happened = anyio.Event()
        self.handler = RecordHandler(self._records.append)
        self.handler.setLevel(logging.WARNING)

    def attach(self, runner: Runner) -> None:
        """Say whose state is shown."""
        self._runner = runner

    # ------------------------------------------------------------------ observing

    @hookimpl
    def task_started(self) -> None:
        """Draw soon; the task itself is in the runner's snapshot."""
        self._happened.set()

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """Remember it."""
        self._recent.appendleft(finished_event(self._clock(), task, result, duration))
        self._happened.set()

    @hookimpl
    def runner_state(self) -> None:
        """Draw soon; the state itself is in the runner's snapshot."""
        self._happened.set()

    # ------------------------------------------------------------------ drawing

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Draw until left, then clear the view and leave one line in its place.

        Raises:
            RuntimeError: no runner is attached.
        """
        if self._runner is None:
            raise RuntimeError("nothing to show: call attach(runner) before show()")
        self._measure()
        live = Live(console=self._terminal, auto_refresh=False, transient=True, vertical_overflow="crop")
        try:
            with live:
                async with _beside(partial(self._draw, live, self._runner)):
                    yield
        finally:
            self._outlet.write(summary_text(summary_of(self._runner, self._clock())) + "\n")
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._outlet.settle, PATIENCE)

    async def _draw(self, live: Live, runner: Runner) -> None:
        """Draw at most twice a second, and nothing while the last frame is unwritten.

        Error handling: writing never fails, see `Outlet`. A defect of the drawing ends it, not the runner.
        """
        try:
            while True:
                await self._draw_once(live, runner)
        except Exception as error:  # noqa: BLE001 - the runner goes on unseen
            self._outlet.write(f"the live view is off, it failed with {error!r}\n")

    async def _draw_once(self, live: Live, runner: Runner) -> None:
        self._happened = anyio.Event()
        view = self._view(runner)
        if self._outlet.idle:
            self._measure()
            live.update(render(view, *self._size), refresh=True)
        await anyio.sleep(_BETWEEN_FRAMES)
        if not view.snapshot.running:
            with anyio.move_on_after(_QUIET):
                await self._happened.wait()

    def _view(self, runner: Runner) -> View:
        return View(_backend(runner), runner.snapshot(), tuple(self._recent), tuple(self._records))

    def _measure(self) -> None:
        """Follow the terminal's size. A narrower one has wrapped what it showed, so that is cleared."""
        size = _size_of(self._stream)
        if size != self._size:
            if self._size != (0, 0):
                self._terminal.clear()
            self._size = self._terminal.size = size


@asynccontextmanager
async def _beside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Do some work while the body runs. What the body raises comes out as it is, not in a group."""
    raised: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(work)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below
            raised = error
        group.cancel_scope.cancel()
    if raised is not None:
        raise raised


def _backend(runner: Runner) -> str:
    return runner.settings.backend or type(runner.plugins.backend).__name__.removesuffix("Backend").lower()


def _size_of(stream: TextIO) -> ConsoleDimensions:
    """Columns and lines of a terminal; of anything else those of the classic one."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return ConsoleDimensions(80, 24)
    return ConsoleDimensions(size.columns or 80, size.lines or 24)


class _Frames(io.TextIOBase):
    """Where rich writes: each of its texts is a whole frame."""

    encoding = "utf-8"

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def write(self, text: str, /) -> int:
        self._outlet.write(text)
        return len(text)

    def isatty(self) -> bool:
        return True
