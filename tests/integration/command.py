"""Running ``delegate`` as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

__all__ = ["PATIENCE", "Command", "Ended", "Running", "environment"]

PATIENCE = 50.0
"""Seconds for anything, also on a machine with other work: less than a test's own time."""


def environment(home: Path, **more: str) -> dict[str, str]:
    """What the command may see: nothing of the tests' own settings."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG"} or name.startswith("COV")}
    return {**kept, "HOME": str(home), "TMPDIR": str(home), "XDG_STATE_HOME": str(home / "state"), **more}


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """The ``delegate`` command in a folder of its own."""

    folder: Path

    async def __call__(self, *arguments: str, stdin: str = "", **variables: str) -> Ended:
        """Run it to its end."""
        with anyio.fail_after(PATIENCE):
            done = await anyio.run_process(
                self._line(arguments),
                input=stdin.encode(),
                check=False,
                cwd=self.folder,
                env=environment(self.folder, **variables),
            )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    @asynccontextmanager
    async def started(self, *arguments: str, **variables: str) -> AsyncIterator[Running]:
        """Start it; it is killed at the end if it still runs."""
        async with self.started_by(*self._line(arguments), **variables) as running:
            yield running

    @asynccontextmanager
    async def started_by(self, *line: str, **variables: str) -> AsyncIterator[Running]:
        """Start it by a command line of one's own."""
        process = await anyio.open_process(
            line,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=environment(self.folder, **variables),
        )
        async with process:
            try:
                yield Running(process)
            finally:
                if process.returncode is None:
                    process.kill()

    def _line(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "delegate_core", *arguments]


class Running:
    """A running command and what it printed so far."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process = process
        self.text = ""
        self._stream = TextReceiveStream(process.stdout)

    async def said(self, words: str) -> None:
        """Wait until it has printed these words."""
        with anyio.move_on_after(PATIENCE):
            while words not in self.text:
                try:
                    self.text += await self._stream.receive()
                except anyio.EndOfStream:
                    raise AssertionError(f"it ended without saying {words!r}:\n{self.text}") from None
        assert words in self.text, f"it has not said {words!r} in {PATIENCE} seconds:\n{self.text}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; its exit status."""
        with anyio.fail_after(PATIENCE):
            try:
                while True:
                    self.text += await self._stream.receive()
            except anyio.EndOfStream:
                return await self.process.wait()

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()


def manager_settings(manager: Any) -> Mapping[str, str]:
    """Variables with which a runner reaches an embedded manager."""
    return {
        "DELEGATE_ENDPOINT": manager.url,
        "DELEGATE_ACCOUNT_ID": manager.account_id,
        "DELEGATE_ACCOUNT_SECRET": manager.account_secret,
        "DELEGATE_LOG_URL": manager.log_service_url,
        "DELEGATE_POLL_INTERVAL": "100ms",
    }
