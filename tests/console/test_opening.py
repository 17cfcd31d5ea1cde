"""Which console an operator gets."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from delegate_core.console import open_console
from delegate_core.console.lines import LineConsole
from delegate_core.console.live import LiveConsole
from tests.console.terminal import open_terminal

_XTERM = {"TERM": "xterm-256color"}


def test_a_terminal_gets_the_live_view() -> None:
    with open_terminal() as terminal:
        assert isinstance(open_console("auto", terminal.stream, environ=_XTERM), LiveConsole)


@pytest.mark.parametrize("environ", [{}, {"TERM": "dumb"}, {**_XTERM, "CI": "true"}], ids=["no TERM", "dumb", "CI"])
def test_a_terminal_that_cannot_show_it_gets_lines(environ: dict[str, str]) -> None:
    with open_terminal() as terminal:
        assert isinstance(open_console("auto", terminal.stream, environ=environ), LineConsole)


def test_an_ascii_terminal_gets_the_live_view_too() -> None:
    with open_terminal() as terminal:
        terminal.stream.reconfigure(encoding="ascii")
        assert isinstance(open_console("auto", terminal.stream, environ=_XTERM), LiveConsole)


def test_a_file_gets_lines(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        assert isinstance(open_console("auto", file, environ=_XTERM), LineConsole)


def test_what_is_asked_for_counts_more_than_the_stream() -> None:
    assert isinstance(open_console("live", io.StringIO(), environ={"CI": "1"}), LiveConsole)


def test_rich_is_loaded_only_for_the_live_view() -> None:
    program = (
        "import io, sys; from delegate_core.console import open_console; "
        "open_console('plain', io.StringIO(), environ={}); assert 'rich' not in sys.modules; "
        "open_console('live', io.StringIO(), environ={}); assert 'rich' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
