"""Choosing and opening a console. Nothing here imports rich until a live view is opened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Literal, Protocol, TextIO

from delegate_core.console.colours import redrawn
from delegate_core.console.json_lines import json_line
from delegate_core.console.lines import LineConsole
from delegate_core.console.plain import plain_line, quiet_line

if TYPE_CHECKING:
    from delegate_core.console.view import Memory
    from delegate_core.runner import Runner

__all__ = ["Console", "Kind", "open_console"]

Kind = Literal["auto", "live", "plain", "json", "quiet"]
"""How to show it; ``auto`` is live in a terminal and plain elsewhere, ``quiet`` warnings and errors only."""

_LINES: Final = {"plain": plain_line, "json": json_line, "quiet": quiet_line}


class Console(Protocol):
    """Shows one runner. It is a plugin too: what happens reaches it by its hook implementations.

    Example::

        console = open_console("auto", sys.stdout, environ=os.environ)
        logging.getLogger("delegate_core").addHandler(console.handler)
        runner = Runner(backend, plugins=[console])
        console.attach(runner)
        async with console.show():
            await runner.run()
    """

    @property
    def handler(self) -> logging.Handler:
        """Shows the runner's own log records between the rest. It has no level: the logger's counts."""

    def attach(self, runner: Runner, memory: Memory | None = None) -> None:
        """Say whose state is shown, and who remembers rates and what tasks print. Call it before `show`."""

    def show(self) -> AbstractAsyncContextManager[None]:
        """Be inside while the runner runs. At the end everything is written, and a summary."""

    def release(self) -> None:
        """Give the terminal back now, since the process ends without leaving `show`. From any thread."""


def open_console(
    kind: Kind,
    stream: TextIO,
    *,
    environ: Mapping[str, str],
    keys: TextIO | None = None,
    task_lines: bool = False,
    clock: Callable[[], float] = time.time,
) -> Console:
    """Open a console on a stream. The stream stays the caller's to close.

    Args:
        kind: ``auto`` is ``live`` where the stream is a terminal that can show it, and no CI system reads it.
        stream: where to write. It is written to in a thread, so that a stopped terminal never stops the runner.
        environ: ``TERM``, ``COLORTERM``, ``CI``, ``NO_COLOR`` and ``FORCE_COLOR`` count.
        keys: the live view reads keys from this stream if it is a terminal.
        task_lines: also print each line that a task prints; the live view shows the last one anyway.
        clock: seconds since 1970.
    """
    chosen = kind if kind != "auto" else "live" if redrawn(stream, environ) else "plain"
    if chosen == "live":
        from delegate_core.console.live import LiveConsole  # noqa: PLC0415 - rich is loaded only where it is needed

        return LiveConsole(stream, environ, keys=keys, clock=clock)
    return LineConsole(stream, _LINES[chosen], task_lines=task_lines, clock=clock)
