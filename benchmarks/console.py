"""What the live view costs: ``python benchmarks/console.py``.

A real `Screen` draws into a terminal that another process empties: 200 running tasks in every state, finished ones and
warnings behind them, at two sizes. Each frame is of another moment, as they are when a runner works. Printed is the
processor time of a frame, and what share of one processor that is at the two rates that the view has: twice a second,
and ten times while keys are pressed.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))

from delegate_core.console.look import Look
from delegate_core.console.screen import Screen
from delegate_core.console.view import View
from tests.console.test_render import _busy

FRAMES = 100
TASKS = 200
SIZES = ((80, 24), (200, 60))
RATES = (2, 10)
_NO_KEY = b"x"


class Moments:
    """Views of a busy runner, each a tenth of a second after the one before; after the last one there is no other."""

    def __init__(self, *, changing: bool) -> None:
        self._view = _busy(TASKS, TASKS)
        self._changing = changing
        self.drawn = 0
        self.over = anyio.Event()

    def __call__(self, _look: Look) -> View:
        """The next one."""
        self.drawn += 1
        if self.drawn > FRAMES:
            self.over.set()
        if not self._changing:
            return self._view
        now = self._view.snapshot
        running = tuple(replace(one, elapsed=(one.elapsed or 0.0) + 0.1 * self.drawn) for one in now.running)
        return replace(self._view, snapshot=replace(now, running=running, uptime=now.uptime + 0.1 * self.drawn))


async def measured(width: int, height: int, *, changing: bool) -> tuple[float, int]:
    """Milliseconds of processor time a frame, and bytes written in all."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (height, width))
    with _reading(ours) as (keys, reader):
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            screen, moments = Screen(stream, {"TERM": "xterm-256color"}, stream), Moments(changing=changing)
            async with screen.showing(moments):
                began = time.process_time()
                while not moments.over.is_set():
                    os.write(keys, _NO_KEY)
                    await anyio.sleep(0.1)
                took = time.process_time() - began
            await screen.settle()
        os.close(keys)
        written = int(reader.communicate()[0] or 0)
    return 1000 * took / FRAMES, written


@contextmanager
def _reading(terminal: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The terminal's end to type at, and a process that reads all that is drawn, and counts it."""
    with subprocess.Popen(["wc", "-c"], stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        yield terminal, reader


def main() -> None:
    """Measure and print the table."""
    print(f"{TASKS} tasks, {FRAMES} frames each; Python {sys.version.split()[0]}\n")
    print("| terminal | what is drawn | CPU a frame | 2 frames/s | 10 frames/s | bytes a frame |")
    print("|---|---|--:|--:|--:|--:|")
    for width, height in SIZES:
        for changing, what in ((True, "each task's time changes"), (False, "nothing changes")):
            spent, written = anyio.run(partial(measured, width, height, changing=changing))
            shares = " | ".join(f"{spent * rate / 10:.1f} %" for rate in RATES)
            print(f"| {width}x{height} | {what} | {spent:.1f} ms | {shares} | {written // FRAMES:,} |", flush=True)


if __name__ == "__main__":
    main()
