"""Printing with rich, by the rules of `colours`: what a command shows and leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

from rich.console import Console as Terminal
from rich.console import RenderableType

from delegate_core.console.colours import colourful
from delegate_core.console.palette import ability, ascii_only
from delegate_core.console.render import render
from delegate_core.console.view import View

__all__ = ["print_lines", "print_view", "terminal_of"]

_CLASSIC: Final = (80, 24)

_UNBOUNDED: Final = 10_000
"""Columns of a pipe or a file: a row of a table is a line there, for who searches it."""


def terminal_of(stream: TextIO, environ: Mapping[str, str], *, moving: bool = False) -> Terminal:
    """What rich prints with. Without colours it writes no escape at all.

    Args:
        stream: where to.
        environ: says who wants colours, and what the terminal can show.
        moving: a picture is drawn over and over: without colours it is still bold here and there.
    """
    coloured, can = colourful(stream, environ), ability(stream, environ)
    return Terminal(
        file=stream,
        width=None if stream.isatty() or environ.get("COLUMNS") else _UNBOUNDED,
        force_terminal=coloured or moving,
        color_system=("256" if can.indexed else "standard") if coloured or moving else None,
        no_color=not coloured,
        theme=can.theme,
        legacy_windows=False,
        highlight=False,
    )


def print_lines(stream: TextIO, environ: Mapping[str, str], *renderables: RenderableType) -> None:
    """Print them one below the other, with no blanks at the ends of lines."""
    terminal = terminal_of(stream, environ)
    with terminal.capture() as captured:
        for each in renderables:
            terminal.print(each)
    stream.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def print_view(view: View, stream: TextIO, environ: Mapping[str, str]) -> None:
    """Draw a view once, to stay. Its size is that of ``COLUMNS`` and ``LINES``, or of the classic terminal."""
    width, height = (_number(environ, name, usual) for name, usual in zip(("COLUMNS", "LINES"), _CLASSIC, strict=True))
    terminal = terminal_of(stream, environ)
    terminal.size = (width, height)
    with terminal.capture() as captured:
        terminal.print(render(view, width, height, footer=False))
    text = captured.get() if ability(stream, environ).unicode else ascii_only(captured.get())
    stream.write("".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines()))


def _number(environ: Mapping[str, str], name: str, usual: int) -> int:
    given = environ.get(name, "")
    return min(1000, int(given)) if given.isdecimal() and int(given) > 0 else usual
