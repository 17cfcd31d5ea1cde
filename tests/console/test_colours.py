"""Who gets colours, by the rules that `docs/reference/terminal.md` tells: of every command, in every kind of output."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from delegate_core.cli.doctor.view import open_view
from delegate_core.console.colours import colourful, log_text, redrawn
from delegate_core.console.printing import terminal_of
from delegate_core.diagnosis import Checked, Finding
from tests.console.terminal import open_terminal
from tests.integration.command import Command
from tests.status.observed import observed

XTERM = {"TERM": "xterm-256color"}
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)[;m]")


@pytest.mark.parametrize(
    ("environ", "in_a_terminal", "into_a_pipe", "is_redrawn"),
    [
        (XTERM, True, False, True),
        (XTERM | {"NO_COLOR": "1"}, False, False, True),
        (XTERM | {"NO_COLOR": ""}, True, False, True),
        (XTERM | {"FORCE_COLOR": "1"}, True, True, True),
        (XTERM | {"FORCE_COLOR": "0"}, False, False, True),
        (XTERM | {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False, True),
        (XTERM | {"CI": "true"}, True, False, False),
        (XTERM | {"CI": "false"}, True, False, True),
        ({"TERM": "dumb"}, False, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True, False),
        ({}, False, False, False),
    ],
)
def test_who_gets_colours_and_who_a_live_view(
    environ: Mapping[str, str],
    in_a_terminal: bool,  # noqa: FBT001 - what the table says
    into_a_pipe: bool,  # noqa: FBT001 - the same
    is_redrawn: bool,  # noqa: FBT001 - the same
) -> None:
    with open_terminal() as terminal:
        assert (colourful(terminal.stream, environ), redrawn(terminal.stream, environ)) == (in_a_terminal, is_redrawn)
    assert (colourful(io.StringIO(), environ), redrawn(io.StringIO(), environ)) == (into_a_pipe, False)


def test_what_is_printed_without_colours_has_no_escape_at_all() -> None:
    out = io.StringIO()
    terminal_of(out, XTERM).print("[bold red]bad[/] [dim]faint[/]")
    assert out.getvalue() == "bad faint\n"


def test_colours_can_be_asked_for_where_nobody_would_expect_them() -> None:
    out = io.StringIO()
    terminal_of(out, {"FORCE_COLOR": "1"}).print("[red]bad[/]")
    assert _COLOUR.search(out.getvalue())


def test_a_redrawn_picture_without_colours_keeps_its_bold() -> None:
    out = io.StringIO()
    terminal_of(out, XTERM | {"NO_COLOR": "1"}, moving=True).print("[bold red]bad[/]")
    assert out.getvalue() == "\x1b[1mbad\x1b[0m\n"


_LOG = "\x1b[32mcompiled\x1b[0m\x1b[2J\n"
_SHOWN = "\x1b[32mcompiled\x1b[0m\\x1b[2J\x1b[0m\n"


@pytest.mark.parametrize(
    ("environ", "in_a_terminal", "into_a_pipe"),
    [
        (XTERM, _SHOWN, _LOG),
        (XTERM | {"NO_COLOR": "1"}, "compiled\\x1b[2J\n", "compiled\\x1b[2J\n"),
        ({"TERM": "dumb"}, "compiled\\x1b[2J\n", _LOG),
        (XTERM | {"FORCE_COLOR": "1"}, _SHOWN, _SHOWN),
    ],
)
def test_the_log_of_a_task_follows_them_too_and_goes_into_a_pipe_as_it_is(
    environ: Mapping[str, str], in_a_terminal: str, into_a_pipe: str
) -> None:
    with open_terminal() as terminal:
        assert log_text(terminal.stream, environ)(_LOG) == in_a_terminal
    assert log_text(io.StringIO(), environ)(_LOG) == into_a_pipe


def test_the_doctor_colours_its_lines_where_that_is_asked_for() -> None:
    out = io.StringIO()
    found = [Checked("git", Finding.warning("git is not on the PATH", "install git"), 0.1)]
    open_view(out, {"FORCE_COLOR": "1"}, as_json=False).end(found, "drone", 0)
    assert _COLOUR.search(out.getvalue())


async def test_piped_commands_write_no_escape_and_coloured_ones_on_demand(tmp_path: Path) -> None:
    delegate = Command(tmp_path)
    async with observed(tmp_path) as it:
        it.server.submit("steps")
        await it.until("running.0.steps.0.status", "success")
        top = ("top", "--state-dir", str(it.runner.state_dir))
        piped = await delegate(*top, TERM="xterm-256color")
        forced = await delegate(*top, TERM="xterm-256color", FORCE_COLOR="1")
    assert "build-7" in piped.out
    assert "\x1b" not in piped.out
    assert "Ctrl-C" not in piped.out
    assert _COLOUR.search(forced.out)
    assert "\x1b[?25" not in forced.out
    for command in (("plugins", "list"), ("config", "show", "--backend", "drone"), ("nonsense",), ("--help",)):
        ended = await delegate(*command, TERM="xterm-256color", DELEGATE_SERVER="http://localhost")
        assert ended.out + ended.err
        assert "\x1b" not in ended.out + ended.err, command
