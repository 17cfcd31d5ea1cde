"""The outbox of a running runner, and what it does with results that can never be delivered."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from delegate_core.errors import StateError
from delegate_core.history import History
from delegate_core.model import Delivery, Entry, Phase, Task, TaskResult
from delegate_core.testing.bench import PATIENCE, Bench, Started
from tests.core.scripted_backend import Scripted

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
