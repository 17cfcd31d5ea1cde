"""The drawn view, at fixed sizes, against pictures in ``golden/``; ``REWRITE_GOLDEN=1`` draws those anew."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as Terminal

from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.look import Look
from delegate_core.console.palette import INDEXED, NAMED, ascii_only
from delegate_core.console.render import render
from delegate_core.console.view import Rates, ShownLine, View
from delegate_core.model import StepReport
from delegate_core.runner import RunningTask
from delegate_core.runner.advice import Advice
from delegate_core.runner.standing import Standing
from docs.pictures.samples import NOON, snapshot

_GOLDEN = Path(__file__).parent / "golden"

_TYPES = ("build", "deploy_to_production", "fib")
_OUTCOMES = ("succeeded", "succeeded", "failed", "timed_out", "cancelled", "rejected")


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    """Times of day are local, the pictures those of UTC. The zone is the operating system's setting, not our code."""
    before = os.environ.get("TZ")
    _set_zone("UTC")
    yield
    _set_zone(before)


def _set_zone(zone: str | None) -> None:
    os.environ.pop("TZ", None)
    if zone is not None:
        os.environ["TZ"] = zone
    time.tzset()


def _running(number: int) -> RunningTask:
    elapsed = None if number % 5 == 4 else 0.4 * 3.0**number if number < 8 else 12.0 * number
    task_type = _TYPES[number % 3]
    return RunningTask(
        f"{number:04d}-Hx2vUXlRnSnk7nYnYz", task_type, elapsed, 3600.0, f"line {number}", number % 7 == 3
    )


def _finished(number: int) -> TaskFinished:
    outcome = _OUTCOMES[number % 6]
    error = "" if outcome == "succeeded" else f"step unit-tests: exit status {number}"
    return TaskFinished(NOON - 7 * number, f"{9000 - number}", _TYPES[number % 2], outcome, 1.7 * number, error)


def _warning(number: int) -> LogEvent:
    level = "error" if number % 3 == 2 else "warning"
    message = f"heartbeat: manager.example answered 503; next try in {number}.8s"
    return LogEvent(NOON + number, level, "delegate_core.runner", message)


_RATES = Rates(
    interval=5.0,
    number=1203,
    finished=tuple((7 * number) % 23 for number in range(60)),
    failed=tuple(number // 20 % 2 for number in range(60)),
    pickup=tuple(None if number % 9 == 4 else 0.02 + 0.001 * number for number in range(60)),
    log_bytes=tuple(5000 * number for number in range(60)),
)


def _busy(tasks: int, capacity: int, **changes: Any) -> View:
    counts = {"succeeded": 1204, "failed": 31, "timed_out": 2, "cancelled": 4, "rejected": 1}
    running = tuple(map(_running, range(tasks)))
    runner = snapshot(capacity=capacity, used=tasks, running=running, finished=counts, **changes)
    return View("harness", runner, tuple(map(_finished, range(64))), tuple(map(_warning, range(20))), _RATES)


_VIEWS = {
    "registering": View("harness", snapshot(state="registering", session="", ready=False, uptime=1.2)),
    "idle": View("drone", snapshot(), rates=Rates(5.0)),
    "five": _busy(5, 10, backlog=3, logs_open=2),
    "draining": _busy(
        5, 10, state="draining", reason="asked to drain", holds=("asked to drain", "the disk is full"), undeliverable=1,
        trouble="report: connection refused; next try in 3.4s", abandoned_threads=1,
    ),
    "hundreds": _busy(300, 300),
    "troubled": _busy(
        3, 10, ready=False, since_contact=245.0, undeliverable=2, abandoned_threads=1, backlog=4,
        trouble="heartbeat: manager.example does not answer: connection refused; next try in 8s",
        obstacles=(("less than 256.0MiB free on the disk of the state folder /var/lib/delegate; remove what is not "
                   "needed there, or lower min_free_disk"),),
        problems=("plugin delegate-render 1.2 cannot be imported: No module named 'renderlib'",),
        advice=(Advice("server TLS", "TLSv1.3, certificate of R3 valid until 2026-01-09 04:11 UTC",
                       "have the server's certificate renewed"),),
    ),
    "held": _busy(
        2, 10, holds=("12 results are not delivered yet; no new task is taken before",), backlog=12,
        standing=Standing("held", "12 results are not delivered yet; no new task is taken before", 63.0),
    ),
    "deadline": _busy(
        3, 10, state="draining", reason="received SIGTERM", holds=("received SIGTERM",), drain_left=43.2, backlog=2,
        logs_open=3,
    ),
    "lost": replace(_busy(3, 10), elsewhere=True, silent=12.0, lost="http://builder-7:9210 does not answer: refused"),
}  # fmt: skip

_STEPS = tuple(
    StepReport(number, name, status)
    for number, (name, status) in enumerate(
        [
            *(("clone", "success"), ("restore cache", "success"), ("lint", "failure"), ("unit-tests", "running")),
            *(("build", "running"), ("integration", "pending"), ("publish", "skipped"), ("notify", "pending")),
        ],
        start=1,
    )
)
_STAGE = RunningTask("71", "pipeline", 245.0, 3600.0, "ok 41", cancelling=False, title="acme/shop#71", steps=_STEPS)
_LOG = tuple(
    ShownLine(
        number,
        NOON + number,
        "unit-tests" if number % 3 else "build",
        "warn" if number % 10 == 9 else "info",
        f"\x1b[32mok {number}\x1b[0m \x1b[2J" + (" and a long tail of words that has no room" * 3) * (number % 7 == 5),
    )
    for number in range(800, 860)
)
_WITH_STAGE = replace(_busy(4, 10), log=_LOG)
_WITH_STAGE = replace(
    _WITH_STAGE, snapshot=replace(_WITH_STAGE.snapshot, running=(*_WITH_STAGE.snapshot.running, _STAGE))
)
_KEYS = Look(keys=True)

_LOOKS = {
    "cursor": (_WITH_STAGE, replace(_KEYS, selected="71")),
    "deep": (_VIEWS["hundreds"], replace(_KEYS, selected="0150-Hx2vUXlRnSnk7nYnYz")),
    "finished": (_VIEWS["hundreds"], replace(_KEYS, selected="8960")),
    "filter": (_VIEWS["hundreds"], replace(_KEYS, words="001", typing=True)),
    "log": (_WITH_STAGE, replace(_KEYS, page="log", selected="71")),
    "scrolled": (_WITH_STAGE, replace(_KEYS, page="log", selected="71", bottom=812)),
    "result": (replace(_VIEWS["five"], log=()), replace(_KEYS, page="log", selected="8998")),
    "warnings": (_VIEWS["troubled"], replace(_KEYS, page="warnings")),
    "help": (_VIEWS["lost"], replace(_KEYS, page="help")),
    "note": (_VIEWS["idle"], replace(_KEYS, note="this terminal belongs to the runner: Ctrl-C drains it")),
}  # fmt: skip


def _drawn(
    view: View, width: int, height: int, colours: Literal["standard", "256"] | None = None, look: Look | None = None
) -> str:
    file = io.StringIO()
    terminal = Terminal(
        file=file,
        width=width,
        height=height,
        force_terminal=bool(colours),
        color_system=colours,
        theme=INDEXED if colours == "256" else NAMED,
    )
    terminal.print(render(view, width, height, look or Look()))
    return file.getvalue()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (40, 10)])
@pytest.mark.parametrize("name", _VIEWS)
def test_the_picture_is_as_it_was_approved(name: str, width: int, height: int) -> None:
    _compare(f"{name}-{width}x{height}.txt", _drawn(_VIEWS[name], width, height))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60)])
@pytest.mark.parametrize("name", _LOOKS)
def test_what_a_person_looks_at_is_as_it_was_approved(name: str, width: int, height: int) -> None:
    view, look = _LOOKS[name]
    _compare(f"{name}-{width}x{height}.txt", _drawn(view, width, height, look=look))


def test_the_colours_are_as_they_were_approved() -> None:
    _compare("five-80x24.ansi", _drawn(_VIEWS["five"], 80, 24, "standard"))


def test_so_are_those_of_a_terminal_with_256() -> None:
    view, look = _LOOKS["cursor"]
    _compare("cursor-80x24.ansi", _drawn(view, 80, 24, "256", look))


def test_without_unicode_the_picture_is_as_wide() -> None:
    view, look = _LOOKS["cursor"]
    drawn = _drawn(view, 80, 24, look=look)
    _compare("cursor-80x24.ascii.txt", ascii_only(drawn))
    assert [len(line) for line in ascii_only(drawn).splitlines()] == [cell_len(line) for line in drawn.splitlines()]


@pytest.mark.parametrize("name", ["troubled", "deadline", "draining", "lost"])
def test_what_needs_attention_never_pushes_the_tasks_away(name: str) -> None:
    """On a classic terminal all three of them are listed, whatever else there is to say."""
    drawn = _drawn(_VIEWS[name], 80, 24).splitlines()
    assert sum(" line " in line for line in drawn) >= 3


def _compare(name: str, drawn: str) -> None:
    golden = _GOLDEN / name
    text = "".join(f"{line.rstrip(' ')}\n" for line in drawn.splitlines())
    if os.environ.get("REWRITE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


_text = st.text(st.characters(), max_size=60)
_number = st.floats(allow_nan=False)
_tasks = st.lists(st.builds(RunningTask, _text, _text, st.none() | _number, _number, _text, st.booleans()), max_size=40)
_results = st.lists(st.builds(TaskFinished, st.just(0.0), _text, _text, _text, _number, _text), max_size=40)
_records = st.lists(st.builds(LogEvent, st.just(0.0), _text, _text, _text), max_size=20)


@given(_tasks, _results, _records, _text, st.integers(1, 130), st.integers(1, 50))
def test_whatever_is_shown_fits_the_terminal(
    tasks: list[RunningTask],
    results: list[TaskFinished],
    records: list[LogEvent],
    text: str,
    width: int,
    height: int,
) -> None:
    runner = snapshot(
        running=tuple(tasks), name=text, session=text, trouble=text, holds=(text,), capacity=len(text) + 1
    )
    lines = _drawn(View(text, runner, tuple(results), tuple(records)), width, height).split("\n")
    assert len(lines) - 1 <= height
    assert all(cell_len(line) <= width and line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("running", "Ctrl-C: finish running tasks, then leave"),
        ("paused", "Ctrl-C: finish running tasks, then leave"),
        ("draining", "Ctrl-C again: cancel running tasks"),
        ("stopping", "Ctrl-C again: leave now"),
        ("stopped", ""),
    ],
)
def test_the_last_line_says_what_ctrl_c_will_do(state: str, says: str) -> None:
    assert _drawn(View("harness", snapshot(state=state)), 80, 24).splitlines()[-1].strip() == says


def test_nothing_moves_when_tasks_come_and_go() -> None:
    def titles(view: View) -> list[int]:
        return [at for at, line in enumerate(_drawn(view, 80, 24).splitlines()) if line.startswith("──")]

    assert titles(_VIEWS["idle"]) == titles(_busy(1, 10)) == titles(_busy(10, 10))


def test_a_runner_that_lost_its_server_is_not_shown_as_fine() -> None:
    assert "running, not ready" in _drawn(View("harness", snapshot(ready=False)), 80, 24)


@pytest.mark.parametrize(
    ("word", "state", "shown"),
    [
        ("maintenance", "paused", ("● maintenance", "▲ maintenance: by ops: new disk", "→ delegate maintenance off")),
        ("paused", "paused", ("● paused", "▲ paused: by ops: new disk", "→ delegate resume")),
        ("unauthorized", "running", ("● unauthorized", "▲ unauthorized: answers 401", "→ delegate doctor")),
        ("offline", "running", ("● offline", "▲ no contact for 4m 05s: answers 401", "→ delegate doctor")),
    ],
)
def test_a_runner_that_waits_for_somebody_says_for_whom_and_what_to_do(
    word: str, state: str, shown: tuple[str, ...]
) -> None:
    trouble = "answers 401" if state == "running" else ""
    runner = snapshot(
        state=state, ready=False, since_contact=245.0, trouble=trouble, standing=Standing(word, "by ops: new disk", 9.0)
    )
    drawn = _drawn(View("harness", runner), 100, 24)
    assert [text for text in shown if text not in drawn] == []


def test_what_is_drawn_over_and_over_shows_its_last_state() -> None:
    task = RunningTask("1", "build", 1.0, 60.0, "\x1b[32m 10%\x1b[0m\r 55%\r", cancelling=False)
    drawn = _drawn(View("harness", snapshot(running=(task,))), 80, 24)
    assert "55%" in drawn
    assert "10%" not in drawn
