"""The live view: the steps' graph at the bottom of the terminal, what they print scrolling by above it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TextIO
from zlib import crc32

import anyio
from rich.console import Console as Terminal
from rich.console import Group
from rich.text import Text

from delegate_drone.local.board import Board
from delegate_drone.local.events import Event, PipelineLeftOut, Printed, RunOver
from delegate_drone.local.picture import draw
from delegate_drone.local.plain import prefix_of
from delegate_drone.local.printable import coloured_line, plain_line
from delegate_drone.local.summary import Summary
from delegate_drone.local.writing import Writer

__all__ = ["LiveView"]

_BETWEEN_FRAMES: Final = 0.1
_LEAST: Final = 10
"""Lines of the picture before it leaves any for what the steps print."""
_PENDING: Final = 64 * 1024
"""Characters that wait for the next frame; more are shown at once, and the steps wait for the terminal."""
_COLOURS: Final = (32, 33, 34, 35, 36)
"""Of the prefixes: green, yellow, blue, magenta, cyan."""


class LiveView:
    """Clears the last picture, writes what was printed since, and draws the next one: one write a frame.

    Args:
        stream: the terminal, for its size.
        writer: writes to it.
        colour: whether to use colours.
        several: name the pipeline in every line.
        clock: seconds since 1970.
        size: columns and lines; asked before each frame.
    """

    def __init__(
        self,
        stream: TextIO,
        writer: Writer,
        *,
        colour: bool = True,
        several: bool = False,
        clock: Callable[[], float] = time.time,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self.board = Board()
        self._writer = writer
        self._colour = colour
        self._several = several
        self._clock = clock
        self._size = size or (lambda: _size_of(stream))
        self._summary = Summary()
        self._pending: list[str] = []
        self._characters = 0
        self._height = 0
        self._width = 0
        self._over = False

    @asynccontextmanager
    async def show(self) -> AsyncIterator[None]:
        """Draw until left."""
        self._writer.write("\x1b[?25l")
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._tick)
                yield
                group.cancel_scope.cancel()
        finally:
            self._over = True
            self._frame()
            self._writer.write("\x1b[?25h")

    def tell(self, event: Event) -> None:
        """Note it; what was printed is shown with the next frame."""
        self.board.tell(event)
        self._summary.tell(event)
        match event:
            case Printed(_, pipeline, step, lines):
                self._print(self._prefixed(pipeline, step, lines))
            case PipelineLeftOut(_, pipeline, reason):
                self._print([plain_line(f"{pipeline}: not run: {reason}")])
            case RunOver():
                self._over = True
                width, _ = self._size()
                self._print(list(self._summary.lines(several=self._several, colour=self._colour, width=width)))
            case _:
                pass

    def _print(self, lines: Sequence[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self._pending.append(text)
        self._characters += len(text)
        if self._characters > _PENDING:
            self._frame()

    def _prefixed(self, pipeline: str, step: str, lines: Sequence[str]) -> list[str]:
        prefix = prefix_of(pipeline, step, several=self._several)
        if not self._colour:
            return [f"{prefix} {plain_line(line)}" for line in lines]
        number = _COLOURS[crc32(prefix.encode("utf-8", "replace")) % len(_COLOURS)]
        return [f"\x1b[{number}m{prefix}\x1b[0m {coloured_line(line)}" for line in lines]

    async def _tick(self) -> None:
        while True:
            self._frame()
            await anyio.sleep(_BETWEEN_FRAMES)

    def _frame(self) -> None:
        """One frame. After the end only what was printed is left: the table at the end says all that the view did."""
        width, height = self._size()
        clear = self._cleared(width)
        printed, self._pending, self._characters = "".join(self._pending), [], 0
        lines = [] if self._over else self._drawn(width, _room(height))
        self._height, self._width = len(lines), width
        self._writer.write(f"{clear}{printed}{self._rendered(lines, width)}")

    def _drawn(self, width: int, height: int) -> list[Text]:
        """The picture. A defect of the drawing ends it, not the run."""
        try:
            return draw(self.board, self._clock(), width, height)
        except Exception as error:  # noqa: BLE001 - the run goes on unseen
            self._over = True
            self._writer.write(f"the live view is off, it failed with {error!r}\n")
            return []

    def _cleared(self, width: int) -> str:
        """To the beginning of the last picture, and nothing after it. A narrower terminal has wrapped its lines."""
        if not self._height:
            return ""
        wrapped = -(-self._width // max(1, width)) if width < self._width else 1
        return f"\r\x1b[{self._height * wrapped}A\x1b[J"

    def _rendered(self, lines: Sequence[Text], width: int) -> str:
        if not lines:
            return ""
        text = io.StringIO()
        terminal = Terminal(
            file=text,
            width=width,
            force_terminal=True,
            color_system="standard",
            no_color=not self._colour,
            legacy_windows=False,
            highlight=False,
        )
        terminal.print(Group(*lines))
        return text.getvalue()


def _room(height: int) -> int:
    """Lines for the picture. The last line stays free: a full screen would scroll with each frame.

    A quarter of a screen of a usual size is left for what the steps print.
    """
    return max(1, min(height - 1, max(_LEAST, height * 3 // 4)))


def _size_of(stream: TextIO) -> tuple[int, int]:
    """Columns and lines of a terminal; of anything else those of the classic one."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24
