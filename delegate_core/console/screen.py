"""A view drawn over and over in a terminal, and the keys that are pressed there."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import IO, Final, TextIO, cast

import anyio
from rich.console import Console as Terminal
from rich.console import ConsoleDimensions

from delegate_core.beside import beside
from delegate_core.console.keyboard import Keyboard
from delegate_core.console.lines import PATIENCE
from delegate_core.console.look import Look, press
from delegate_core.console.outlet import Outlet
from delegate_core.console.palette import Ability, ability, ascii_only
from delegate_core.console.picture import Picture
from delegate_core.console.render import lines_of, page_rows
from delegate_core.console.view import View

__all__ = ["Screen"]

_LEAST: Final = 0.1
"""Seconds from one drawing to the next, at least: while keys are pressed, ten a second."""

_BETWEEN_FRAMES: Final = 0.5
"""The same where no key is pressed: quick enough for a person, and calm."""

_QUIET: Final = 0.5
"""Seconds that a view without tasks waits on top for something to happen."""

_HIDE_CURSOR: Final = "\x1b[?25l"
_SHOW_CURSOR: Final = "\x1b[?25h"


class Screen:
    """Draws a view at the bottom of the terminal.

    Not on the alternate screen: what was printed before the start stays readable above, a program that is killed
    leaves its last picture and a terminal that is still the normal one, and what is printed meanwhile scrolls by above
    the view instead of tearing it.

    Everything is drawn in the event loop and written in a thread: a stopped terminal gets no new picture until it has
    taken the last one, and nobody waits for it.

    Args:
        stream: the terminal.
        environ: ``TERM``, ``COLORTERM`` and ``NO_COLOR`` say what it can show; bold and reverse are used anyway.
        keys: read keys from this stream if it is a terminal.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str], keys: TextIO | None = None) -> None:
        can = ability(stream, environ)
        self._stream = stream
        self._outlet = Outlet(stream)
        self._frames = _Frames(self._outlet, unicode=can.unicode)
        self._terminal = _terminal(self._frames, can)
        self._ink = _terminal(io.StringIO(), can)
        self._size = ConsoleDimensions(0, 0)
        self._stale = False
        self._view: View | None = None
        self._keyboard: Keyboard | None = None
        self._keys = _descriptor_of(keys)
        self.look = Look(keys=self._keys is not None)
        """What the person in front of it looks at."""
        self._happened = anyio.Event()
        self._pressed = anyio.Event()
        self._turned = anyio.Event()
        self._left = anyio.Event()

    def happened(self) -> None:
        """Something has: draw soon."""
        self._happened.set()

    def print(self, text: str) -> None:
        """Write a text below all that was drawn."""
        self._outlet.write(text)

    @asynccontextmanager
    async def showing(self, view: Callable[[Look], View]) -> AsyncIterator[None]:
        """Draw a view over and over while the body runs, and clear it at the end. Keys are read meanwhile."""
        self._measure()
        picture = Picture(self._terminal, self._ink, self._frames.write)
        with self._reading(), picture:
            async with beside(partial(self._draw, picture, view)):
                yield

    async def settle(self) -> None:
        """Wait until all is written, but not for long."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._outlet.settle, PATIENCE)

    async def left(self) -> None:
        """Wait until somebody has pressed the key for leaving."""
        await self._left.wait()

    async def turned(self) -> None:
        """Wait until another page, or another task, is looked at."""
        await self._turned.wait()

    def release(self) -> None:
        """Give the terminal back now, since the program ends without leaving `showing`. From any thread."""
        if self._keyboard is not None:
            self._keyboard.release()

    # ------------------------------------------------------------------ drawing

    async def _draw(self, picture: Picture, view: Callable[[Look], View]) -> None:
        """Draw twice a second, and soon after a key; nothing while the last frame is unwritten. Ends by cancellation.

        Error handling: writing never fails, see `Outlet`. A defect of the drawing ends it, and nothing else.
        """
        try:
            while True:
                self._view = view(self.look)
                await self._draw_once(picture, self._view)
        except Exception as error:  # noqa: BLE001 - whatever is shown goes on unseen
            self.release()
            self._outlet.write(f"the live view is off, it failed with {error!r}\n")

    async def _draw_once(self, picture: Picture, view: View) -> None:
        self._happened, self._pressed = anyio.Event(), anyio.Event()
        if self._outlet.idle and self._is_in_front():
            if self._measure():
                picture.forget()
            picture.draw(lines_of(view, *self._size, self.look))
        await anyio.sleep(_LEAST)
        with anyio.move_on_after(_BETWEEN_FRAMES - _LEAST):
            await self._pressed.wait()
        if not view.snapshot.running and not self._pressed.is_set():
            with anyio.move_on_after(_QUIET):
                await self._happened.wait()

    def _measure(self) -> bool:
        """Follow the terminal's size. A narrower one has wrapped what it showed, so that is cleared: True then."""
        size = _size_of(self._stream)
        if size == self._size and not self._stale:
            return False
        if self._size != (0, 0):
            self._terminal.clear()
        self._stale = False
        self._size = self._terminal.size = size
        return True

    # ------------------------------------------------------------------ keys

    def _reading(self) -> AbstractContextManager[None]:
        if self._keys is None:
            return nullcontext()
        loop = asyncio.get_running_loop()

        def wake(key: str) -> None:
            with suppress(RuntimeError):  # the loop has just been closed
                loop.call_soon_threadsafe(self._press, key)

        self._keyboard = Keyboard(
            self._keys,
            wake,
            continued=partial(wake, "redraw"),
        )
        return self._keyboard.reading()

    def _is_in_front(self) -> bool:
        """What runs behind the shell does not draw over it."""
        return self._keyboard is None or self._keyboard.is_in_front

    def _press(self, key: str) -> None:
        """A key was pressed. When the program goes on after a stop, that counts as one for drawing all anew."""
        if key == "redraw":
            self._stale = True
        elif self._view is not None:
            before, self.look = self.look, press(self.look, key, self._view, page_rows(self._size.height))
            if (before.page, before.selected) != (self.look.page, self.look.selected):
                self._turned.set()
                self._turned = anyio.Event()
            if self.look.left:
                self._left.set()
        self._pressed.set()
        self._happened.set()


def _descriptor_of(stream: TextIO | None) -> int | None:
    """Of a terminal; None of anything else."""
    try:
        return stream.fileno() if stream is not None and stream.isatty() else None
    except (OSError, ValueError):
        return None


def _size_of(stream: TextIO) -> ConsoleDimensions:
    """Columns and lines of a terminal; of anything else those of the classic one."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return ConsoleDimensions(80, 24)
    return ConsoleDimensions(size.columns or 80, size.lines or 24)


def _terminal(file: io.TextIOBase, can: Ability) -> Terminal:
    return Terminal(
        file=cast("IO[str]", file),
        force_terminal=True,
        force_interactive=True,
        color_system="256" if can.indexed else "standard",
        no_color=not can.colour,
        theme=can.theme,
        legacy_windows=False,
        highlight=False,
    )


class _Frames(io.TextIOBase):
    """Where rich writes: each of its texts is a whole frame.

    The cursor is hidden while it goes to and fro, and never between frames: who is killed, with no last word, leaves a
    terminal that has one.
    """

    encoding = "utf-8"

    def __init__(self, outlet: Outlet, *, unicode: bool) -> None:
        self._outlet = outlet
        self._unicode = unicode

    def write(self, text: str, /) -> int:
        shown = text if self._unicode else ascii_only(text)
        if shown not in {_HIDE_CURSOR, _SHOW_CURSOR}:
            self._outlet.write(f"{_HIDE_CURSOR}{shown}{_SHOW_CURSOR}")
        return len(text)

    def isatty(self) -> bool:
        return True
