"""Plain and JSON lines of a runner."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from delegate_core.console import Kind, open_console
from delegate_core.console.durations import time_of_day
from delegate_core.console.lines import LineConsole
from delegate_core.logs import LogLine
from delegate_core.model import CancelCause, Task, TaskResult
from delegate_core.plugins import Plugins
from tests.console.control_plane import MemoryBackend, running

_AT = 1_767_268_800.25
"""2026-01-01 12:00:00.250 UTC."""

_TASK = Task(id="a1b2", type="build")

Told = Callable[[Kind, Callable[[LineConsole], None]], list[str]]


@pytest.fixture
def told() -> Told:
    """The lines that a console prints of what it is told, at a fixed time."""

    def run(kind: Kind, tell: Callable[[LineConsole], None]) -> list[str]:
        stream = io.StringIO()
        console = open_console(kind, stream, environ={}, task_lines=True, clock=lambda: _AT)
        assert isinstance(console, LineConsole)
        tell(console)
        assert console._outlet.settle(20)  # the test's only way to know that its thread is done
        return stream.getvalue().splitlines()

    return run


def _record(message: str, level: int = logging.WARNING, exc_info: Any = None) -> logging.LogRecord:
    record = logging.LogRecord("delegate_core.runner", level, "file.py", 1, message, (), exc_info)
    record.created = _AT
    return record


def test_quiet_is_nothing_but_warnings_and_errors(told: Told) -> None:
    def tell(console: LineConsole) -> None:
        observe = Plugins(MemoryBackend(), [console]).observe
        observe("runner_state")(state="draining", reason="asked to drain")
        observe("task_logged")(task=_TASK, line=LogLine(0, _AT, "info", "hello"))
        observe("task_finished")(task=_TASK, result=TaskResult.failed("exit status 1"), duration=94.0)
        console.handler.handle(_record("registered", logging.INFO))
        console.handler.handle(_record("heartbeat failed"))
        console.handler.handle(_record("journal damaged", logging.ERROR))

    now = time_of_day(_AT)
    assert told("quiet", tell) == [f"{now} warning   heartbeat failed", f"{now} error     journal damaged"]


def test_each_event_is_one_plain_line(told: Told) -> None:
    def tell(console: LineConsole) -> None:
        observe = Plugins(MemoryBackend(), [console]).observe
        observe("runner_state")(state="draining", reason="asked to drain")
        observe("task_claimed")(task=_TASK)
        observe("task_started")(task=_TASK)
        observe("task_logged")(task=_TASK, line=LogLine(0, _AT, "info", "hello"))
        observe("task_finished")(task=_TASK, result=TaskResult.failed("exit status 1"), duration=94.0)
        observe("task_finished")(task=_TASK, result=TaskResult.succeeded(), duration=1.25)
        console.handler.handle(_record("heartbeat failed"))

    now = time_of_day(_AT)
    assert told("plain", tell) == [
        f"{now} runner    draining: asked to drain",
        f"{now} claimed   build a1b2",
        f"{now} started   build a1b2",
        "a1b2 | hello",
        f"{now} failed    build a1b2 1m 34s: exit status 1",
        f"{now} succeeded build a1b2 1.2s",
        f"{now} warning   heartbeat failed",
    ]


def test_the_same_events_as_json(told: Told) -> None:
    def tell(console: LineConsole) -> None:
        console.runner_state("running", "")
        console.task_claimed(_TASK)
        console.task_logged(_TASK, LogLine(0, _AT, "warn", "hello"))
        console.task_finished(_TASK, TaskResult.cancelled(CancelCause.OPERATOR), 0.5)
        console.handler.handle(_record("heartbeat failed"))

    task = {"task_id": "a1b2", "task_type": "build"}
    ended = {"outcome": "cancelled", "duration": 0.5, "error": "cancelled by the operator", "cause": "operator"}
    log = {"level": "warning", "logger": "delegate_core.runner", "message": "heartbeat failed"}
    about = {"task_id": None, "step": None, "error": None, "traceback": None}
    every = {"time": "2026-01-01T12:00:00.250Z", "level": "info", "runner": None, "backend": None}
    said = "cancelled build a1b2 0.5s: cancelled by the operator"
    assert [json.loads(line) for line in told("json", tell)] == [
        {**every, "event": "runner_state", "state": "running", "reason": "", "message": "runner running"},
        {**every, "event": "task_claimed", **task, "message": "claimed build a1b2"},
        {**every, "event": "task_line", **task, "level": "warn", "text": "hello", "step": None},
        {**every, "event": "task_finished", **task, **ended, "message": said},
        {**every, "event": "log", **log, **about},
    ]


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_hostile_text_stays_in_its_line_and_does_nothing(told: Told, kind: Kind) -> None:
    evil = "\x1b[2J\x9b1;1H\n12:00:00 succeeded fake \u202e\r\x07"

    def tell(console: LineConsole) -> None:
        task = Task(id=evil, type=evil)
        console.task_started(task)
        console.task_logged(task, LogLine(0, _AT, "info", evil))
        console.task_finished(task, TaskResult.failed(evil), 1.0)
        console.runner_state("draining", evil)

    lines = told(kind, tell)
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)


def test_lines_of_a_log_record_are_indented_so_that_none_is_taken_for_an_event(told: Told) -> None:
    def tell(console: LineConsole) -> None:
        try:
            int("odd")
        except ValueError:
            console.handler.handle(_record("failed\n12:00:00 succeeded fake", logging.ERROR, sys.exc_info()))

    first, *rest = told("plain", tell)
    assert first == f"{time_of_day(_AT)} error     failed"
    assert rest[0] == "         12:00:00 succeeded fake"
    assert "ValueError: invalid literal" in rest[-1]
    assert all(line.startswith(" " * 9) for line in rest)


def test_a_tasks_colours_are_left_out(told: Told) -> None:
    line = LogLine(0, _AT, "info", "\x1b[32mPASS\x1b[0m all")
    assert told("plain", lambda console: console.task_logged(_TASK, line)) == ["a1b2 | PASS all"]


def test_lines_from_many_threads_are_whole(told: Told) -> None:
    def tell(console: LineConsole) -> None:
        def log(name: int) -> None:
            for number in range(100):
                console.task_logged(_TASK, LogLine(number, _AT, "info", f"{name}-{number}"))

        threads = [threading.Thread(target=log, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = told("plain", tell)
    assert len(lines) == 600
    assert all(re.fullmatch(r"a1b2 \| \d-\d+", line) for line in lines)


@pytest.mark.anyio
async def test_a_real_runner_is_followed_from_registering_to_its_summary(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = open_console("json", stream, environ={})
    tasks = Task(id="1", type="echo", data={"text": "hi"}), Task(id="2", type="nonsense")
    async with running(console, tmp_path, *tasks):
        pass
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["state"] for one in events if one["event"] == "runner_state"] == [
        *("registering", "running", "draining", "stopped")
    ]
    outcomes = {one["task_id"]: one["outcome"] for one in events if one["event"] == "task_finished"}
    assert outcomes == {"1": "succeeded", "2": "rejected"}
    assert [one for one in events if one["event"] == "task_line"] == []
    assert events[-1]["event"] == "summary"
    assert events[-1]["finished"] == {"succeeded": 1, "rejected": 1}


@pytest.mark.anyio
async def test_a_runner_outlives_the_reader_of_its_lines(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = open_console("plain", stream, environ={}, task_lines=True)
        async with running(console, tmp_path, Task(id="1", type="echo", data={"text": "hi"})) as runner:
            assert runner.snapshot().finished == {"succeeded": 1}
