"""The live view in a real terminal, of a real runner."""

from __future__ import annotations

import logging
import re
import termios
from pathlib import Path

import anyio
import pytest

from delegate_core.console import open_console
from delegate_core.model import Task
from tests.console.control_plane import MemoryBackend, runner_of, running
from tests.console.terminal import open_terminal

pytestmark = pytest.mark.anyio

_ECHO = Task(id="task-one", type="echo", data={"text": "hi"})


async def test_the_view_follows_the_runner_and_leaves_one_line(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={})
        async with running(console, tmp_path, _ECHO):
            await anyio.to_thread.run_sync(terminal.wait_for, "task-one")
        terminal.wait_for("build-7: 1 succeeded in")
        assert "account acme in memory" in terminal.written
        hidden, shown = terminal.written.rfind("\x1b[?25l"), terminal.written.rfind("\x1b[?25h")
        assert 0 <= hidden < shown
        after = terminal.written[shown:]
        assert re.fullmatch(r"\x1b\[\?25h[\r\n\x1b\[\dAKm]*build-7: 1 succeeded in \S+\r?\n", after), after


async def test_without_colour_it_is_still_readable(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={"NO_COLOR": "1"})
        async with running(console, tmp_path, _ECHO):
            await anyio.to_thread.run_sync(terminal.wait_for, "✓ succeeded")
        assert "\x1b[1m" in terminal.written
        assert not re.search(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)m", terminal.written)


async def test_what_ends_the_runner_comes_out_as_it_is() -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={})
        console.attach(runner_of(MemoryBackend(), console, Path("unused")))
        with pytest.raises(LookupError, match="the runner's own"):
            async with console.show():
                raise LookupError("the runner's own")
        terminal.wait_for("\x1b[?25h")


async def test_a_cancelled_runner_leaves_a_restored_terminal(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={})
        runner = runner_of(MemoryBackend(), console, tmp_path)
        with anyio.move_on_after(0):
            async with console.show():
                await runner.run()
        await anyio.to_thread.run_sync(terminal.wait_for, "\x1b[?25h")
        await anyio.to_thread.run_sync(terminal.wait_for, "build-7: no tasks in")
        assert terminal.written.rindex("\x1b[?25h") > terminal.written.rindex("\x1b[?25l")


async def test_warnings_are_shown_and_information_is_not(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={})
        log = logging.Logger("delegate_core.somewhere")  # noqa: LOG001 - of this test alone, not a global one
        log.addHandler(console.handler)
        log.info("all is well")
        log.warning("the manager answered %s \x1b]0;title\x07", 503)
        async with running(console, tmp_path):
            await anyio.to_thread.run_sync(terminal.wait_for, r"the manager answered 503 \x1b]0;title\x07")
        assert "all is well" not in terminal.written


async def test_a_view_of_nothing_is_refused() -> None:
    with open_terminal() as terminal, pytest.raises(RuntimeError, match="attach"):
        async with open_console("live", terminal.stream, environ={}).show():
            pass


async def test_the_view_follows_the_terminals_size(tmp_path: Path) -> None:
    with open_terminal(80, 24) as terminal:
        console = open_console("live", terminal.stream, environ={})
        async with running(console, tmp_path):
            await anyio.to_thread.run_sync(terminal.wait_for, "Warnings")
            termios.tcsetwinsize(terminal.stream.fileno(), (8, 40))
            before = await anyio.to_thread.run_sync(terminal.wait_for, "\x1b[2J")
        terminal.wait_for("build-7: no tasks in")
        assert "Warnings" not in terminal.written[before:]


async def test_what_a_handler_prints_scrolls_by_above_the_view(tmp_path: Path) -> None:
    with open_terminal() as terminal:
        console = open_console("live", terminal.stream, environ={})
        async with running(console, tmp_path):
            await anyio.to_thread.run_sync(terminal.wait_for, "running")
            print("printed by a handler")  # noqa: T201 - what this test is about
            above = await anyio.to_thread.run_sync(terminal.wait_for, "printed by a handler")
            await anyio.to_thread.run_sync(lambda: terminal.wait_for("running", after=above))
