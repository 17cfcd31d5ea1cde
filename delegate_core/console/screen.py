"""A view drawn over and over in a terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, Final, TextIO, cast

import anyio
from rich.console import Console as Terminal
from rich.console import ConsoleDimensions
from rich.live import Live

from delegate_core.console.lines import PATIENCE
from delegate_core.console.outlet import Outlet
from delegate_core.console.render import render
from delegate_core.console.view import View

__all__ = ["Screen"]

_BETWEEN_FRAMES: Final = 0.5
"""Seconds from one drawing to the next, at least: quick enough for a person, and calm."""

_QUIET: Final = 0.5
"""Seconds that a view without tasks waits on top for something to happen."""


class Screen:
    """Draws a view at the bottom of the terminal.

    Not on the alternate screen: what was printed before the start stays readable above, a program that is killed
    leaves its last picture and a terminal that is still the normal one, and what is printed meanwhile scrolls by above
    the view instead of tearing it.

    Everything is drawn in the event loop and written in a thread: a stopped terminal gets no new picture until it has
    taken the last one, and nobody waits for it.

    Args:
        stream: the terminal.
        colour: whether to use colours; bold and dim are used anyway.
    """

    def __init__(self, stream: TextIO, *, colour: bool = True) -> None:
        self._stream = stream
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
        self._size = ConsoleDimensions(0, 0)
        self._happened = anyio.Event()

    def happened(self) -> None:
        """Something has: draw soon."""
        self._happened.set()

    def print(self, text: str) -> None:
        """Write a text below all that was drawn."""
        self._outlet.write(text)

    def open(self) -> Live:
        """To be entered while it is drawn; the view is cleared at the end."""
        self._measure()
        return Live(console=self._terminal, auto_refresh=False, transient=True, vertical_overflow="crop")

    async def draw(self, live: Live, view: Callable[[], View]) -> None:
        """Draw at most twice a second, and nothing while the last frame is unwritten. Ends by cancellation.

        Error handling: writing never fails, see `Outlet`. A defect of the drawing ends it, and nothing else.
        """
        try:
            while True:
                await self._draw_once(live, view())
        except Exception as error:  # noqa: BLE001 - whatever is shown goes on unseen
            self._outlet.write(f"the live view is off, it failed with {error!r}\n")

    def print_view(self, view: View) -> None:
        """Draw it once, to stay."""
        self._measure()
        self._terminal.print(render(view, *self._size))

    async def settle(self) -> None:
        """Wait until all is written, but not for long."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._outlet.settle, PATIENCE)

    async def _draw_once(self, live: Live, view: View) -> None:
        self._happened = anyio.Event()
        if self._outlet.idle:
            self._measure()
            live.update(render(view, *self._size), refresh=True)
        await anyio.sleep(_BETWEEN_FRAMES)
        if not view.snapshot.running:
            with anyio.move_on_after(_QUIET):
                await self._happened.wait()

    def _measure(self) -> None:
        """Follow the terminal's size. A narrower one has wrapped what it showed, so that is cleared."""
        size = _size_of(self._stream)
        if size != self._size:
            if self._size != (0, 0):
                self._terminal.clear()
            self._size = self._terminal.size = size


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
