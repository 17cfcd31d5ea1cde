"""The outbox of a running runner, and what it does with results that can never be delivered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from delegate_core.errors import DrainIncomplete, SettingsError, StateError
from delegate_core.handlers import TaskContext
from delegate_core.history import History
from delegate_core.markers import hookimpl
from delegate_core.model import Delivery, Entry, Phase, Registration, Session, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench, Started
from tests.core.scripted_backend import Scripted, lived

pytestmark = pytest.mark.anyio


def echo() -> str:
    return "done"


async def soon(condition: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what a runner counts tells nobody that it changed
            await anyio.sleep(0.01)


def undelivered(started: Started) -> list[Entry]:
    return History(started.runner.state_dir).outbox()


def never(_task: Task, _result: TaskResult) -> Delivery:
    return Delivery(kind="never", reason="it is too long")


async def test_what_can_never_be_delivered_is_kept_aside_and_delivered_when_it_is_retried(
    bench: Bench, backend: Scripted
) -> None:
    backend.on_report = never
    started = await bench.start({"echo": echo})
    await backend.offer("echo")
    await soon(lambda: started.runner.snapshot().undeliverable)
    await soon(lambda: [entry.phase for entry in undelivered(started)] == [Phase.UNDELIVERABLE])
    (entry,) = undelivered(started)
    assert (entry.phase, entry.note) == (Phase.UNDELIVERABLE, "it is too long")

    backend.on_report = lambda _task, _result: Delivery()
    (treated,) = await started.runner.outbox.retry(["t"])
    assert treated.what == "is tried now"
    await soon(lambda: started.runner.snapshot().delivered)
    await soon(lambda: not undelivered(started))
    assert [result.data for result in backend.reported["t"]] == ["done", "done"]


async def test_what_is_retried_and_still_cannot_be_delivered_is_aside_again(bench: Bench, backend: Scripted) -> None:
    backend.on_report = never
    started = await bench.start({"echo": echo})
    await backend.offer("echo")
    await soon(lambda: started.runner.snapshot().undeliverable == 1)
    await started.runner.outbox.retry([])
    await soon(lambda: started.runner.snapshot().undeliverable == 2)
    await soon(lambda: [entry.phase for entry in undelivered(started)] == [Phase.UNDELIVERABLE])
    assert [result.data for result in backend.reported["t"]] == ["done", "done"]


async def test_a_dropped_result_is_not_tried_again_and_does_not_keep_a_drain_waiting(
    bench: Bench, backend: Scripted
) -> None:
    def fail(_task: Task, _result: TaskResult) -> Delivery:
        raise ConnectionError("no route")

    backend.on_report = fail
    started = await bench.start({"echo": echo})
    await backend.offer("echo")
    await soon(lambda: undelivered(started))
    (treated,) = await started.runner.outbox.drop(["t"])
    assert treated.what == "given up by the operator"
    started.runner.drain()
    assert await started.ended() is None
    assert backend.left == 1, "nothing is owed, so it said goodbye"


async def test_an_id_that_means_no_result_or_several_changes_nothing(bench: Bench, backend: Scripted) -> None:
    backend.on_report = never
    started = await bench.start({"echo": echo})
    for task_id in ("task-1", "task-2"):
        await backend.offer("echo", task_id)
    await soon(lambda: started.runner.snapshot().undeliverable == 2 and len(undelivered(started)) == 2)
    with pytest.raises(StateError, match="beginning of 2 ids"):
        await started.runner.outbox.drop(["task"])
    with pytest.raises(StateError, match="no undelivered result of a task other"):
        await started.runner.outbox.drop(["task-1", "other"])
    assert len(undelivered(started)) == 2
    for nothing in (started.runner.outbox.drop, started.runner.outbox.retry):
        with pytest.raises(SettingsError, match="an empty id means no result"):
            await nothing([""])


async def owing(bench: Bench, backend: Scripted) -> None:
    """An earlier life owes the result of task ``t``, and that of task ``aside`` could never be delivered."""

    def fail(task: Task, _result: TaskResult) -> Delivery:
        if task.id == "aside":
            return Delivery(kind="never", reason="it is too long")
        raise ConnectionError("no route")

    backend.on_report = fail
    started = await bench.start({"echo": echo})
    for task_id in ("aside", "t"):
        await backend.offer("echo", task_id)
    await soon(lambda: {entry.task_id for entry in undelivered(started) if entry.tries or entry.note} == {"aside", "t"})
    await started.crash()
    backend.on_report = lambda _task, _result: Delivery()


def refuse(_registration: Registration) -> None:
    raise ConnectionError("the server is away")


async def test_a_runner_that_never_reached_its_server_ends_by_naming_what_it_owes(
    bench: Bench, backend: Scripted
) -> None:
    await owing(bench, backend)
    backend.on_register = refuse
    again = await bench.start({"echo": echo}, until="registering")
    again.runner.drain()
    error = await again.ended()
    assert isinstance(error, DrainIncomplete)
    assert "tasks not settled with the server: 1 (t); start this runner again" in str(error)


async def test_results_can_be_dropped_and_tried_again_while_the_server_is_away(bench: Bench, backend: Scripted) -> None:
    await owing(bench, backend)
    backend.on_register = refuse
    again = await bench.start({"echo": echo}, until="registering")
    (dropped,) = await again.runner.outbox.drop(["t"])
    (retried,) = await again.runner.outbox.retry(["aside"])
    assert (dropped.what, retried.what) == ("given up by the operator", "is tried when the runner has registered")
    backend.on_register = lambda _: None
    await backend.result("aside")
    await soon(lambda: not undelivered(again))
    assert "t" not in backend.reported


class WithSlowLog(Scripted):
    """A backend whose log service takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.answering = anyio.Event()

    @hookimpl
    async def open_log(self) -> None:
        await self.answering.wait()


async def test_a_result_that_is_dropped_while_it_waits_for_its_log_is_not_delivered(tmp_path: Path) -> None:
    def chatty(context: TaskContext) -> str:
        context.log("hello")
        return "done"

    backend = WithSlowLog()
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        started = await bench.start({"chatty": chatty})
        await backend.offer("chatty")
        await started.seen.wait(lambda now: "t" in now.finished)
        (treated,) = await started.runner.outbox.drop(["t"])
        assert treated.what == "given up by the operator"
        await soon(lambda: not started.runner.snapshot().backlog)
        assert backend.reported == {}
        assert History(started.runner.state_dir).find("t").phase is Phase.DROPPED
        backend.answering.set()


class Thoughtful(Scripted):
    """A backend that needs a moment to know whose an entry is."""

    @hookimpl
    async def resume(self, session: Session) -> Session:
        await anyio.lowlevel.checkpoint()
        return session


async def test_two_orders_at_once_to_try_again_are_one_delivery(tmp_path: Path) -> None:
    backend = Thoughtful()
    backend.on_report = never
    said: list[str] = []
    async with Bench.opened(tmp_path, lambda: backend) as bench:
        started = await bench.start({"echo": echo})
        await backend.offer("echo")
        await soon(lambda: [entry.phase for entry in undelivered(started)] == [Phase.UNDELIVERABLE])
        await started.crash()
        again = await bench.start({"echo": echo})

        async def retry() -> None:
            said.extend(each.what for each in await again.runner.outbox.retry(["t"]))

        async with anyio.create_task_group() as orders:
            orders.start_soon(retry)
            orders.start_soon(retry)
        again.runner.drain()
        assert await again.ended() is None
    assert sorted(said) == ["is on its way", "is tried now"]
    assert len(backend.reported["t"]) == 2


def test_a_retry_that_is_asked_for_during_a_try_comes_right_after_it(tmp_path: Path) -> None:
    """The try that is under way may have nearly timed out."""
    backend, tries = Scripted(), list[float]()

    async def until_delivered(started: Started) -> None:
        async def report(_task: Task, _result: TaskResult) -> Delivery:
            tries.append(anyio.current_time())
            if len(tries) == 8:
                await started.runner.outbox.retry([])
            if len(tries) < 10:
                raise OSError("the line is down")
            return Delivery()

        backend.on_report = report
        await backend.offer("echo")
        while not backend.reported:  # noqa: ASYNC110 - it takes longer than the backend waits
            await anyio.sleep(10)

    lived(tmp_path, backend, until_delivered)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert [pause > 0 for pause in pauses] == [*[True] * 7, False, True]
