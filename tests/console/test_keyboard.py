"""Keys in the live view of a real runner, in a real terminal."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from delegate_core.console import Console, open_console
from delegate_core.console.look import Look
from delegate_core.console.screen import Screen
from delegate_core.console.view import View
from delegate_core.model import Task
from tests.console.control_plane import MemoryBackend, runner_of, running
from tests.console.terminal import TestTerminal, open_terminal

_ECHO = Task(id="task-one", type="echo", data={"text": "a line \x1b[2J\x1b]0;owned\x07 of its log"})


def _opened(terminal: TestTerminal) -> Console:
    return open_console("live", terminal.stream, environ={}, keys=terminal.stream)


async def _drawn(terminal: TestTerminal, shown: str = "Enter") -> None:
    """Wait for a view with this: a key acts on what is seen."""
    await anyio.to_thread.run_sync(terminal.wait_for, shown)


async def _pressed(terminal: TestTerminal, keys: str, shown: str) -> None:
    before = terminal.press(keys)
    await anyio.to_thread.run_sync(lambda: terminal.wait_for(shown, after=before))


async def test_a_tasks_log_is_shown_on_demand_and_acts_on_nothing(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        async with running(_opened(terminal), tmp_path, _ECHO):
            await _drawn(terminal, "✓ succeeded")
            await _pressed(terminal, "\x1b[B", "▸")
            await _pressed(terminal, "\r", r"a line \x1b[2J\x1b]0;owned\x07 of its log")
            await _pressed(terminal, "\x1b", "Finished")
            await _pressed(terminal, "?", "choose a task, running or finished")
            await _pressed(terminal, "qq", "Ctrl-C drains it")
        terminal.wait_for("build-7: 1 succeeded in")
    assert "\x1b]0;" not in terminal.written


async def test_the_terminal_is_as_before_when_the_view_ends(tmp_path: Path) -> None:
    with open_terminal(raw=False) as terminal:
        assert terminal.reads_lines()
        async with running(_opened(terminal), tmp_path):
            await _drawn(terminal)
            await _pressed(terminal, "?", "Keys")
            assert not terminal.reads_lines()
        assert terminal.reads_lines()


async def test_it_is_also_when_the_runner_fails(tmp_path: Path) -> None:
    with open_terminal(raw=False) as terminal:
        console = _opened(terminal)
        console.attach(runner_of(MemoryBackend(), console, tmp_path))

        async def fail() -> None:
            async with console.show():
                assert not terminal.reads_lines()
                raise LookupError("the runner's own")

        with pytest.raises(LookupError):
            await fail()
        assert terminal.reads_lines()


async def test_it_is_also_when_the_process_leaves_without_a_word(tmp_path: Path) -> None:
    with open_terminal(raw=False) as terminal:
        console = _opened(terminal)
        async with running(console, tmp_path):
            await _drawn(terminal)
            await _pressed(terminal, "?", "Keys")
            await anyio.to_thread.run_sync(console.release)
            assert terminal.reads_lines()
            os.kill(os.getpid(), signal.SIGCONT)
            await anyio.lowlevel.checkpoint()
            assert terminal.reads_lines(), "somebody has taken it again"


async def test_a_view_that_fails_gives_the_terminal_back() -> None:
    with open_terminal(raw=False) as terminal:
        screen = Screen(terminal.stream, {}, terminal.stream)

        def broken(_look: Look) -> View:
            raise LookupError("of the view")

        async with screen.showing(broken):
            await anyio.to_thread.run_sync(terminal.wait_for, "the live view is off")
            assert terminal.reads_lines()


async def test_what_is_no_terminal_is_not_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as keys, os.fdopen(writing, "wb", buffering=0) as typed, open_terminal() as terminal:
        typed.write(b"?")
        for stream in (keys, io.StringIO("?"), None):
            console = open_console("live", terminal.stream, environ={}, keys=stream)
            async with running(console, tmp_path):
                await anyio.to_thread.run_sync(terminal.wait_for, "Ctrl-C")
                assert not [one for one in threading.enumerate() if one.name == "keyboard"]
        assert os.read(keys.fileno(), 10) == b"?"
        assert "Enter" not in terminal.written


async def test_a_terminal_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, encoding="utf-8") as keys, open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={}, keys=keys)
        async with running(console, tmp_path, _ECHO) as runner:
            await _drawn(terminal)
            os.close(master)
        assert runner.snapshot().finished == {"succeeded": 1}
