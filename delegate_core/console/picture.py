"""A picture at the bottom of the terminal, of which only the lines that have changed are written again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console as Terminal
from rich.console import ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

__all__ = ["Picture"]

_WHOLE_EVERY: Final = 5.0
"""Seconds after which all of it is drawn: a program that has written over it on its own leaves no trace for longer."""


class Picture:
    """Draws lines over those drawn before. What the program prints meanwhile scrolls by above them.

    To draw a whole picture costs several times what it costs to make one, and most of its lines are those of the
    frame before. So the first one, and one of another height, is drawn whole, by rich; of any other the lines that
    differ.

    Args:
        terminal: where to. Its size has to be right whenever something is drawn.
        ink: prints a line into a text as the terminal shows it.
        write: takes the changed lines, one text for each frame.
        clock: seconds.
    """

    def __init__(
        self,
        terminal: Terminal,
        ink: Terminal,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ink = ink
        self._write = write
        self._clock = clock
        self._frame = _Frame()
        self._live = Live(self._frame, console=terminal, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._shown: list[_Look] = []
        self._whole_at = 0.0

    def __enter__(self) -> Self:
        """Take what is printed from now on."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Clear it."""
        self._live.__exit__(kind, error, traceback)

    def forget(self) -> None:
        """The terminal does not show any more what was drawn: draw all of it next time."""
        self._shown = []

    def draw(self, lines: Sequence[Text]) -> None:
        """Draw these lines, each no wider than the terminal, all of them no more than it has."""
        before, self._shown = self._shown, [_look(line) for line in lines]
        # Before anything is written: who prints just now draws these lines below, and writing them twice is no harm.
        self._frame.lines = lines
        if len(before) != len(lines) or self._clock() - self._whole_at >= _WHOLE_EVERY:
            self._whole_at = self._clock()
            self._live.refresh()
            return
        last = len(lines) - 1
        changed = [at for at, look in enumerate(self._shown) if look != before[at]]
        if changed:
            self._write("".join(_written(last - at, self._inked(lines[at])) for at in changed))

    def _inked(self, line: Text) -> str:
        with self._ink.capture() as captured:
            self._ink.print(line, end="", soft_wrap=True)
        return captured.get()


_Look = tuple[object, ...]


def _look(line: Text) -> _Look:
    """What a line looks like, to compare: rich's own comparison leaves out the style below the spans."""
    return line.plain, str(line.style), tuple(line.spans)


def _written(up: int, text: str) -> str:
    """What writes a line so many above the last, where the cursor is before and after."""
    there, back = (f"\x1b[{up}A", f"\x1b[{up}B") if up else ("", "")
    return f"\r{there}\x1b[2K{text}\r{back}"


class _Frame:
    """The lines as rich draws them: always the present ones."""

    def __init__(self) -> None:
        self.lines: Sequence[Text] = ()

    def __rich_console__(self, console: Terminal, options: ConsoleOptions) -> RenderResult:
        yield from self.lines
