"""Session hooks that fail or break their word: named, waited out, and never the end of another task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from delegate_core.errors import CredentialsError, PluginError
from delegate_core.handlers import TaskContext
from delegate_core.logs import LogSink
from delegate_core.markers import hookimpl
from delegate_core.model import (
    CancelCause,
    Delivery,
    Ended,
    Gap,
    Offer,
    Outcome,
    Session,
    Settled,
    Task,
    TaskCancelled,
    TaskResult,
)
from delegate_core.testing.bench import Bench
from tests.core.scripted_backend import Scripted, echo, hold, once


async def test_a_delegate_error_of_a_report_stops_the_runner_with_it_and_the_result_is_delivered(
    backend: Scripted, bench: Bench
) -> None:
    refused = CredentialsError("the token was refused: make a new one")
    backend.on_report = once(refused, lambda task, result: Delivery())
    started = await bench.start({"echo": echo})
    await backend.offer("echo")
    assert await started.ended() is refused
    assert (await backend.result()).outcome is Outcome.SUCCEEDED


async def test_a_delegate_error_of_a_claim_stops_the_runner_with_it(backend: Scripted, bench: Bench) -> None:
    refused = CredentialsError("the token was refused: make a new one")
    backend.on_claim = once(refused, lambda offer, again: None)
    started = await bench.start({"echo": echo})
    assert await backend.offer("echo") is Settled.GONE
    assert await started.ended() is refused


async def test_a_hook_that_answers_the_wrong_kind_of_value_is_named(backend: Scripted, bench: Bench) -> None:
    backend.on_report = lambda task, result: "done"
    started = await bench.start({"echo": echo}, drain_timeout=0.2)
    await backend.offer("echo")
    error = await started.ended()
    assert isinstance(error, PluginError)
    assert str(error) == "the backend's report hook answered str; it must answer Delivery"


async def test_a_claim_that_ends_the_task_has_it_reported_unrun(backend: Scripted, bench: Bench) -> None:
    rejected = TaskResult.rejected("it wants a GPU")
    backend.on_claim = lambda offer, again: Ended(Task(id=offer.task_id, type=offer.type), rejected)
    started = await bench.start({"echo": echo})
    assert await backend.offer("echo") is Settled.CLAIMED
    assert await backend.result() == rejected
    assert not started.seen.started


async def test_a_callback_of_the_backend_that_raises_hurts_no_task(backend: Scripted, bench: Bench) -> None:
    await bench.start({"echo": echo})
    await backend.until(lambda: backend.inbox)
    assert backend.inbox is not None

    def settled(what: Settled) -> None:
        raise RuntimeError("I do not want to know")

    assert backend.inbox.submit(Offer("t", "echo"), settled)
    assert (await backend.result()).outcome is Outcome.SUCCEEDED


class Watching(Scripted):
    """A backend that is asked whether its tasks were cancelled."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)
        self.touches = 0

    @hookimpl
    async def watch(self, session: Session, task: Task) -> TaskCancelled | Gap:
        if not self.answers:
            await anyio.sleep_forever()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # a test may answer what breaks the contract

    @hookimpl
    async def progress(self, task: Task) -> Any:
        self.touches += 1
        self.note()
        return task.state


async def test_a_watched_task_is_cancelled_after_gaps_and_faults(tmp_path: Path) -> None:
    backend = Watching(Gap(), OSError("the line broke"), Gap(), TaskCancelled("a user"))
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        await bench.start({"hold": hold})
        await backend.offer("hold")
        assert (await backend.result()).cause is CancelCause.SERVER
        assert backend.touches == 2


async def test_a_watch_that_is_always_deaf_does_not_become_a_hot_loop(tmp_path: Path) -> None:
    backend = Watching(*[Gap()] * 10_000)
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        await bench.start({"hold": hold})
        await backend.offer("hold")
        await backend.until(lambda: backend.touches >= 3)
        assert len(backend.answers) > 9_000


class LogBackend(Scripted):
    """A backend whose log sink is no sink."""

    @hookimpl
    async def open_log(self, session: Session, task: Task) -> LogSink:
        return "no sink"  # type: ignore[return-value]  # the contract is broken on purpose


async def test_a_log_that_cannot_be_sent_changes_nothing_else(tmp_path: Path) -> None:
    async def say(context: TaskContext) -> str:
        context.log("hello")
        return "said"

    backend = LogBackend()
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        started = await bench.start({"say": say})
        await backend.offer("say")
        assert (await backend.result()).data == "said"
        started.runner.drain()
        assert await started.ended() is None
