"""``delegate top`` as people have it: in a terminal, started from a shell that has job control."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.console.terminal import TestTerminal, open_terminal
from tests.integration.command import PATIENCE, environment
from tests.status.observed import observed

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@asynccontextmanager
async def shell(folder: Path) -> AsyncIterator[TestTerminal]:
    """A shell that edits no line, so that the terminal is in its usual mode whenever the shell has it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = environment(folder, PATH=path, TERM="xterm-256color", PS1="$ ")
    line = ("setsid", "--ctty", "bash", "--norc", "--noediting", "-i")
    with open_terminal(raw=False) as terminal:
        there = terminal.stream.fileno()
        async with await anyio.open_process(
            line, stdin=there, stdout=there, stderr=there, cwd=folder, env=environ
        ) as process:
            try:
                yield terminal
            finally:
                process.kill()


async def _typed(terminal: TestTerminal, keys: str, shown: str) -> None:
    before = terminal.press(keys)
    await _seen(terminal, shown, after=before)


async def _seen(terminal: TestTerminal, shown: str, *, after: int = 0) -> None:
    await anyio.to_thread.run_sync(lambda: terminal.wait_for(shown, PATIENCE, after=after))


async def test_it_follows_a_runner_that_is_started_again_and_gives_the_terminal_back_for_ctrl_z(
    tmp_path: Path,
) -> None:
    async with shell(tmp_path) as terminal:
        async with observed(tmp_path) as it:
            await _typed(terminal, f"delegate top --state-dir {it.runner.state_dir}\n", "build-7")
            await _seen(terminal, "Enter")
            assert not terminal.reads_lines()
        await _seen(terminal, "no answer")
        before = len(terminal.written)
        async with observed(tmp_path) as it:
            await _seen(terminal, "no task for this runner on the server", after=before)
            await _typed(terminal, "\x1a", "Stopped")
            assert terminal.reads_lines()
            await _typed(terminal, "fg\n", "tests at memory")
            await _typed(terminal, "?", "choose a task")
            assert not terminal.reads_lines()
            await _typed(terminal, "qq", "$ ")
            await _typed(terminal, "echo left with $?\n", "left with 0")
            assert terminal.reads_lines()
