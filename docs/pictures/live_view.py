"""Draws the live view of an invented runner as a picture."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.terminal_theme import MONOKAI

from delegate_core.console.events import LogEvent, TaskFinished
from delegate_core.console.look import Look
from delegate_core.console.palette import NAMED
from delegate_core.console.render import render
from delegate_core.console.view import Rates, ShownLine, View
from delegate_core.runner.snapshot import RunningTask
from delegate_core.runner.standing import Standing
from docs.pictures.samples import NOON, PRINTED, STEPS, snapshot

_WIDTH = 100

_RUNNING = (
    RunningTask("Qm3xT9wLR1uVbK0sYzP5aA", "deploy", 1130.0, 1200.0, "waiting for 2 of 12 replicas", cancelling=False),
    RunningTask(
        "hV7cJ2nXS4eWd8GfUoI6tQ", "build", 412.0, 3600.0, "[ 61%] compiling src/store/index.c", cancelling=False
    ),
    RunningTask("L0pZ5rBMT3yHk9EiAqN1vw", "build", 187.0, 3600.0, "collected 1,284 items", cancelling=True),
    RunningTask("Xa8uD6gKP2mCj4OfRsW7lE", "http_probe", 3.2, 30.0, "GET https://shop.example/health", cancelling=False),
    RunningTask("Bn1yF3qVH9tIz5SkMxU0oG", "fib", 0.4, 60.0, "computing fib(32)", cancelling=False),
    RunningTask("Ce4wJ7dLR6pAh2TbNvY8sK", "build", None, 3600.0, "", cancelling=False),
)

_RECENT = (
    TaskFinished(NOON - 2, "Dk5vG8sQX1nOu7ZcErT3mI", "fib", "succeeded", 1.31),
    TaskFinished(NOON - 9, "Fj2hM6aWY9xPb4LgStC0qU", "build", "succeeded", 356.0),
    TaskFinished(NOON - 31, "Gt7zN3eKB5iRd8VfHwJ1oA", "build", "failed", 94.0, "step unit-tests: exit status 1"),
    TaskFinished(NOON - 58, "Hx0bP4uCM2kSl6YqDnE9vT", "http_probe", "timed_out", 30.0, "timed out after 30s"),
    TaskFinished(NOON - 77, "Iw9cQ1yFN8jTg3XrAzK5pL", "deploy", "cancelled", 12.4, "aborted"),
)

_RECORDS = (
    LogEvent(NOON - 312, "warning", "", "heartbeat: manager.example answered 503; next try in 1.8s"),
    LogEvent(NOON - 310, "warning", "", "report of task Fj2hM6aWY9xPb4LgStC0qU: timed out after 10s; next try in 2.1s"),
)

RATES = Rates(
    interval=5.0,
    number=1608,
    finished=tuple(4 + (5 * number) % 7 + number // 12 for number in range(60)),
    failed=tuple(int(number % 23 == 11) for number in range(60)),
    pickup=tuple(0.02 + 0.004 * (number * number % 11) for number in range(60)),
    log_bytes=tuple(40_000 + 2_500 * (number * 7 % 17) for number in range(60)),
)

_SNAPSHOT = snapshot(
    capacity=8,
    used=6,
    running=_RUNNING,
    claimed=1259,
    finished={"succeeded": 1204, "failed": 31, "timed_out": 3, "cancelled": 14, "rejected": 1},
    delivered=1252,
    backlog=1,
    logs_open=6,
    standing=Standing(),
)


def picture() -> str:
    """The list of tasks, as SVG."""
    view = View("harness", _SNAPSHOT, _RECENT, _RECORDS, RATES)
    return _drawn("live-view", 26, view, Look(keys=True, selected=_RUNNING[1].id))


def picture_of_a_task() -> str:
    """One task with its steps and its log, as SVG."""
    running = replace(STEPS[2], status="running"), replace(STEPS[3], status="running")
    steps = (*(replace(step, status="success") for step in STEPS[:2]), *running, STEPS[4])
    task = RunningTask("71", "exec", 74.0, 3600.0, PRINTED[-1][1], cancelling=False, title="acme/shop#71", steps=steps)
    log = tuple(ShownLine(number, NOON - 9 + number, *printed) for number, printed in enumerate(_LOG))
    view = View("drone", snapshot(capacity=4, used=1, running=(task,), claimed=1260), log=log)
    return _drawn("live-view-task", 15, view, Look(keys=True, page="log", selected=task.id))


_LOG = tuple((stream, "info", text) for stream, text in PRINTED)


def _drawn(name: str, height: int, view: View, look: Look) -> str:
    console = Console(
        record=True,
        file=io.StringIO(),
        width=_WIDTH,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        theme=NAMED,
    )
    with _utc():
        console.print(render(view, _WIDTH, height, look))
    svg = console.export_svg(title=f"delegate run --backend {view.backend}", theme=MONOKAI, unique_id=name)
    # Some viewers trim the blanks of a text otherwise, and the columns move.
    svg = svg.replace("<text ", '<text xml:space="preserve" ')
    # The picture loads no font from anywhere: the viewer's own monospace will do.
    return re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)


@contextmanager
def _utc() -> Iterator[None]:
    """The view shows local times; the picture is the same wherever it is drawn."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
