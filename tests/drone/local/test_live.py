"""The live view in a terminal of 80 by 24."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from delegate_core.model import Outcome
from delegate_core.pipeline.states import StageStatus, StepState, StepStatus, Verdict
from delegate_drone.local.board import Board
from delegate_drone.local.events import (
    Event,
    PipelineBegan,
    PipelineOver,
    Printed,
    RunOver,
    RunStopping,
    StepBegan,
    StepOver,
    StepPlan,
)
from delegate_drone.local.live import LiveView
from delegate_drone.local.picture import draw
from delegate_drone.local.summary import Summary
from delegate_drone.local.writing import Writer
from tests.console.terminal import open_terminal
from tests.drone.local.command import STEP, Command

WIDTH, HEIGHT = 80, 24


def began(*names: str) -> PipelineBegan:
    return PipelineBegan(100.0, "default", tuple(StepPlan(name) for name in names))


def over(name: str, status: StepStatus, code: int = 0, why: str = "") -> StepOver:
    state = StepState(name=name, number=1, status=status, exit_code=code, skipped_because=why)
    return StepOver(103.0, "default", state, 3.0)


def drawn(*events: Event, width: int = WIDTH, height: int = HEIGHT, now: float = 104.0) -> list[str]:
    """What a terminal of this size shows, checked to be no larger."""
    board = Board()
    for event in events:
        board.tell(event)
    text = io.StringIO()
    console = Console(file=text, width=width, height=height, color_system=None)
    for line in draw(board, now, width, height):
        console.print(line)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    return lines


def test_each_step_shows_its_state_its_time_and_what_it_waits_for() -> None:
    plans = (StepPlan("build"), StepPlan("test", ("build",)), StepPlan("deploy", ("build", "test")), StepPlan("tell"))
    lines = drawn(
        PipelineBegan(100.0, "default", plans),
        StepBegan(100.0, "default", "build"),
        over("build", StepStatus.SUCCESS),
        StepBegan(103.0, "default", "test"),
        Printed(103.5, "default", "test", ("collecting", "12 of 40")),
        over("tell", StepStatus.SKIPPED, why="no step has failed"),
    )
    assert lines == [
        "── default  2 of 4 steps                                                    4.0s",
        " ✓  build        3.0s",
        " ●  test         1.0s  12 of 40",
        " ○  deploy             waits for test",
        " -  tell               no step has failed",
        " Ctrl-C: cancel",
    ]


def test_a_failed_step_shows_its_exit_code_and_its_last_lines() -> None:
    lines = drawn(
        began("build"),
        StepBegan(100.0, "default", "build"),
        Printed(101.0, "default", "build", tuple(f"line {n}" for n in range(9))),
        over("build", StepStatus.FAILURE, 3),
    )
    assert lines[1] == " ✗  build        3.0s  exit 3"
    assert lines[2:7] == [f"     │ line {n}" for n in range(4, 9)]


def test_a_long_name_leaves_room_for_what_the_step_does() -> None:
    long = "a-step-with-a-name-that-goes-on-and-on-and-on-to-the-right-edge"
    lines = drawn(
        began(long, "日本語のテスト"),
        StepBegan(100.0, "default", long),
        Printed(100.0, "default", long, ("compiling 3 of 7",)),
        StepBegan(100.0, "default", "日本語のテスト"),
        over("日本語のテスト", StepStatus.FAILURE, 3),
    )
    assert lines[0].startswith("── default  1 of 2 steps, 1 failed ")
    assert lines[1] == " ●  a-step-with-a-name-that-g…     4.0s  compiling 3 of 7"
    assert lines[2] == " ✗  日本語のテスト                 3.0s  exit 3"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_at_the_end_is_no_wider_than_the_terminal(width: int) -> None:
    summary = Summary()
    for name in ("build", "a-step-with-a-name-that-goes-on-and-on-and-on-to-the-right-edge"):
        summary.tell(over(name, StepStatus.SKIPPED, why='step "build" failed with exit code 2, as all of them did'))
    table = list(summary.lines(several=True, width=width))[1:-1]
    assert [line.split()[0] for line in table] == ["STEP", "default/build", table[2].split()[0]]
    assert max(map(cell_len, table)) <= width
    assert "…" in table[2]


@pytest.mark.parametrize("height", [1, 2, 3, 5, 24])
@pytest.mark.parametrize("width", [1, 10, 20, 40, 80, 300])
def test_it_fits_into_any_terminal(width: int, height: int) -> None:
    names = [f"a step with quite a long name number {n} 漢字" for n in range(60)]
    events: list[Event] = [began(*names), StepBegan(100.0, "default", names[50]), over(names[3], StepStatus.FAILURE, 1)]
    drawn(*events, width=width, height=height)


def test_of_many_steps_those_that_run_or_failed_are_shown() -> None:
    names = [f"s{n}" for n in range(100)]
    lines = drawn(began(*names), StepBegan(100.0, "default", "s90"), over("s50", StepStatus.FAILURE, 1))
    text = "\n".join(lines)
    assert "✗  s50" in text
    assert "●  s90" in text
    assert "… and 79 more" in text
    assert len(lines) == HEIGHT


def test_a_run_that_is_being_ended_says_so() -> None:
    assert drawn(began("build"), RunStopping(101.0, "SIGINT"))[-1] == " SIGINT: ending what runs; once more kills it"


def test_names_and_lines_cannot_move_the_cursor() -> None:
    name = "\x1b[2Jx\n"
    lines = drawn(
        began(name), StepBegan(100.0, "default", name), Printed(1.0, "default", name, ("\x1b[5A\rforged\x07",))
    )
    assert all(line.isprintable() for line in lines)


class Screen:
    """Just enough of a terminal: what is visible after the escapes that the view itself uses."""

    def __init__(self) -> None:
        self.lines = [""]

    def take(self, text: str) -> None:
        while text:
            if text.startswith("\r"):
                text = text[1:]
            elif text.startswith("\x1b["):
                end = next(at for at, mark in enumerate(text) if mark.isalpha())
                self._control(text[2:end], text[end])
                text = text[end + 1 :]
            else:
                self._put(text[0])
                text = text[1:]

    def _control(self, argument: str, letter: str) -> None:
        if letter == "A":
            assert self.lines[-1] == "", "it moves up from the middle of a line"
            del self.lines[-1 - int(argument) :]
            self.lines.append("")
        else:
            assert (letter, argument) in {("J", ""), ("h", "?25"), ("l", "?25")} or letter == "m"

    def _put(self, character: str) -> None:
        if character == "\n":
            self.lines.append("")
        else:
            self.lines[-1] += character


class Recorder(io.StringIO):
    def fileno(self) -> int:
        raise OSError


async def test_lines_scroll_above_the_view_and_only_the_summary_is_left_in_the_end() -> None:
    stream = Recorder()
    view = LiveView(stream, Writer(stream), colour=True, clock=lambda: 104.0, size=lambda: (WIDTH, HEIGHT))
    async with view.show():
        view.tell(began("build"))
        view.tell(StepBegan(100.0, "default", "build"))
        for number in range(5000):
            view.tell(Printed(101.0, "default", "build", (f"\x1b[31mline\x1b[0m {number}\x1b[9A",)))
        view.tell(over("build", StepStatus.FAILURE, 3))
        verdict = Verdict(status=StageStatus.FAILURE, outcome=Outcome.FAILED, exit_code=3, error="it failed")
        view.tell(PipelineOver(104.0, "default", verdict, 4.0))
        view.tell(RunOver(104.0, 1, 4.0))
    screen = Screen()
    screen.take(stream.getvalue())
    assert screen.lines[:5000] == [f"[build] line {number}" for number in range(5000)]
    assert screen.lines[5000:] == [
        "",
        "STEP   STATUS   EXIT  TIME",
        "build  failure  3     3.0s",
        "",
        "default: failure after 4.0s: it failed",
        "",
    ]
    assert "●" in stream.getvalue(), "the view was never drawn"


@pytest.mark.parametrize(("height", "lines"), [(5, 4), (12, 10), (24, 18), (60, 45)])
async def test_many_steps_leave_room_for_what_they_print(height: int, lines: int) -> None:
    stream = Recorder()
    view = LiveView(stream, Writer(stream), colour=False, clock=lambda: 104.0, size=lambda: (WIDTH, height))
    view.tell(began(*(f"step {number}" for number in range(300))))
    view._frame()  # a frame without waiting for its time
    assert stream.getvalue().count("\n") == lines


async def test_a_terminal_that_becomes_narrower_is_cleared_of_the_wrapped_lines() -> None:
    sizes = [(80, 24), (80, 24), (40, 24), (40, 24)]
    stream = Recorder()
    view = LiveView(stream, Writer(stream), colour=False, clock=lambda: 104.0, size=lambda: sizes.pop(0))
    view.tell(began("build"))
    for _ in range(3):
        view._frame()  # a frame without waiting for its time
    assert "\r\x1b[3A\x1b[J" in stream.getvalue()
    assert "\r\x1b[6A\x1b[J" in stream.getvalue()


async def test_in_a_terminal_exec_draws_the_view_and_leaves_the_terminal_as_it_was(delegate: Command) -> None:
    delegate.write(STEP + "  - printf 'one\\033[2J\\033[31mtwo\\n'; exit 3\n")
    with open_terminal(WIDTH, HEIGHT) as terminal:
        code = delegate.in_terminal(terminal.stream, "exec")
        terminal.wait_for("\x1b[?25h")
    screen = Screen()
    screen.take(terminal.written)
    assert code == 1
    assert "[build] onetwo" in screen.lines
    assert screen.lines[-2].startswith("default: failure after ")
    assert "\x1b[?25l" in terminal.written
    assert "\x1b[2J" not in terminal.written
