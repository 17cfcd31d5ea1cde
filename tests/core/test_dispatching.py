"""Handlers and dispatchers that misbehave: their task fails, and nothing else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import (
    Outcome,
    Task,
    TaskResult,
)
from delegate_core.testing.bench import PATIENCE, Bench
from tests.core.scripted_backend import Scripted, echo


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_handler_that_exits_fails_its_task_and_not_the_runner(
    backend: Scripted, bench: Bench, kind: str
) -> None:
    def leave() -> None:
        sys.exit("enough")

    async def leave_async() -> None:
        sys.exit("enough")

    await bench.start({"leave": leave if kind == "sync" else leave_async, "echo": echo})
    await backend.offer("leave")
    assert (await backend.result()).error == "SystemExit: enough"
    await backend.offer("echo", "next")
    assert (await backend.result("next")).outcome is Outcome.SUCCEEDED


class Dispatcher:
    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    @hookimpl
    async def dispatch(self, task: Task, context: TaskContext) -> TaskResult | None:
        return self.answer()  # type: ignore[no-any-return]  # a test may answer what breaks the contract


class Around:
    """A dispatcher that only has something to do before and after."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @hookimpl
    async def dispatch(
        self, task: Task, context: TaskContext, run_here: Callable[[Task, TaskContext], Awaitable[TaskResult]]
    ) -> TaskResult:
        self.seen.append(task.type)
        result = await run_here(task, context)
        self.seen.append(result.outcome)
        return result


async def test_a_dispatcher_can_wrap_the_handler_that_runs_here(backend: Scripted, bench: Bench) -> None:
    around = Around()
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, data={"n": 1})
    await bench.start({"echo": echo}, plugins=(around,))
    await backend.offer("echo")
    assert (await backend.result()).data == {"n": 1}
    assert around.seen == ["echo", Outcome.SUCCEEDED]
    await backend.offer("other", "second")
    assert (await backend.result("second")).outcome is Outcome.REJECTED


def _explode() -> None:
    raise OSError("no cluster today, the token is correct-horse")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda: {"not": "a result"}, "the dispatch hook answered dict"),
        (_explode, "the runner could not execute it: OSError: no cluster today"),
        (lambda: TaskResult.succeeded("\udcff"), "the runner failed: "),
    ],
)
async def test_a_dispatcher_that_breaks_its_word_fails_the_task_and_says_whose_fault_it_was(
    backend: Scripted, bench: Bench, answer: Callable[[], Any], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, masks=("correct-horse",))
    await bench.start({}, plugins=(Dispatcher(answer),))
    await backend.offer("anything")
    result = await backend.result()
    assert result.outcome is Outcome.FAILED
    assert result.error.startswith(text)
    assert "correct-horse" not in result.error + caplog.text


async def test_an_error_text_that_is_no_utf8_is_still_reported(backend: Scripted, bench: Bench) -> None:
    def fail() -> None:
        raise FileNotFoundError("no file \udcff.txt")

    await bench.start({"fail": fail})
    await backend.offer("fail")
    assert (await backend.result()).error == r"FileNotFoundError: no file \udcff.txt"


async def test_a_thread_that_outlives_its_task_prints_into_no_log_and_holds_up_no_drain(
    backend: Scripted, bench: Bench
) -> None:
    go_on, printed = threading.Event(), threading.Event()

    def stubborn(context: TaskContext) -> None:
        go_on.wait(PATIENCE)
        context.log("much too late")
        printed.set()

    backend.on_claim = lambda offer, again: Task(id=offer.task_id, type=offer.type, timeout=0.1)
    started = await bench.start({"stubborn": stubborn}, grace=0.05)
    await backend.offer("stubborn")
    assert (await backend.result()).outcome is Outcome.TIMED_OUT
    go_on.set()
    assert await anyio.to_thread.run_sync(printed.wait, PATIENCE)
    started.runner.drain()
    assert await started.ended() is None
    assert started.runner.snapshot().logs_open == 0
