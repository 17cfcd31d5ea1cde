"""``delegate run`` as a process that tests kill, and what it leaves behind on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from tests.integration.command import environment
from tests.reliability.sides import PATIENCE, Side

ROOT = Path(__file__).parents[2]
RUN = ("run", "--console", "plain", "--task-logs", "--name", "matrix", "--capacity", "20", "--grace", "300ms")


class Running:
    """A runner process. What it prints goes to a file, so that nothing waits for a reader."""

    def __init__(self, process: Process, console: Path) -> None:
        self.process = process
        self._console = console

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        """What it printed so far."""
        return self._console.read_text(errors="replace")

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def said(self, words: str) -> None:
        """Wait until it has printed these words.

        Raises:
            TimeoutError: it does not.
        """
        with anyio.fail_after(PATIENCE):
            while words not in self.text:  # noqa: ASYNC110 - a file tells nobody
                await anyio.sleep(0.02)

    async def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; its exit status.

        Raises:
            TimeoutError: it does not end.
        """
        with anyio.fail_after(seconds):
            return await self.process.wait()


@asynccontextmanager
async def started(folder: Path, side: Side, url: str, *arguments: str, **variables: str) -> AsyncIterator[Running]:
    """A runner whose state is in the folder; it is killed at the end if it still runs."""
    settings = {**side.settings(url), "PYTHONPATH": str(ROOT), **variables}
    console = folder / "console.txt"
    with console.open("ab") as file:
        process = await anyio.open_process(
            [sys.executable, "-m", "delegate_core", *RUN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment(folder, **settings),
        )
    async with process:
        try:
            yield Running(process, console)
        finally:
            if process.returncode is None:
                process.kill()


async def killed(running: Running) -> None:
    """Wait for the end of a runner that kills itself, or is killed."""
    assert await running.ended() == -9, running.text


def processes_of(folder: Path, *, besides: Iterable[int] = ()) -> list[str]:
    """What runs in this test's folder, or with its environment: pid and command line of each."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) in {os.getpid(), *besides}:
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            ours = str(folder).encode() in command + (entry / "environ").read_bytes()
        except OSError:
            continue
        if ours and command:
            found.append(f"{entry.name} {command.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


async def no_processes_of(folder: Path, *, besides: Iterable[int] = ()) -> None:
    """Wait until nothing is left.

    Raises:
        TimeoutError: something is.
    """
    with anyio.move_on_after(PATIENCE):
        while processes_of(folder, besides=besides):  # noqa: ASYNC110 - nothing tells of another's child's end
            await anyio.sleep(0.02)
        return
    raise TimeoutError(f"left behind: {processes_of(folder, besides=besides)}")
