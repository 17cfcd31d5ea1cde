"""Aborts are listed once, and only in a poll: they are heeded whatever the runner is doing."""

from pathlib import Path

import anyio
import pytest

from delegate_harness.manager import EmbeddedManager, Submission, TaskRecord, Verdict
from tests.harness.handlers import Gate, endless, fib
from tests.harness.runners import entries, eventually, running
from tests.harness.scripted import Call, ScriptedManager, abort, event, package

pytestmark = pytest.mark.anyio


def text_of(task: TaskRecord) -> str:
    assert task.outcome is not None
    assert task.outcome.result is not None
    return str(task.outcome.result.data["error_message"])


async def aborted(manager: EmbeddedManager, task: str) -> TaskRecord:
    assert manager.abort(task)
    finished = await manager.wait_finished(task)
    assert finished.outcome is not None
    assert finished.outcome.verdict is Verdict.ABORTED
    return finished


@pytest.mark.parametrize("state", ["with room", "full", "paused", "draining"])
async def test_a_running_task_is_ended_by_an_abort(manager: EmbeddedManager, tmp_path: Path, state: str) -> None:
    async with running(manager, tmp_path, {"fib": endless}, capacity=1 if state == "full" else 5) as started:
        task = manager.submit(Submission("fib"))
        await eventually(lambda: started.runner.snapshot().running)
        if state == "full":
            manager.submit(Submission("fib"))
        if state == "paused":
            started.runner.pause()
        if state == "draining":
            started.runner.drain()
        assert text_of(await aborted(manager, task)) == "aborted"
        if state == "draining":
            assert await started.ended() is None


async def test_an_abort_reaches_the_runner_that_has_the_task(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with (
        running(manager, tmp_path, {"fib": endless}, name="one", tags=("one",)) as one,
        running(manager, tmp_path, {"fib": endless}, name="two", tags=("two",)) as two,
    ):
        of_one = manager.submit(Submission("fib", selectors=("one",)))
        of_two = manager.submit(Submission("fib", selectors=("two",)))
        await eventually(lambda: one.runner.snapshot().running and two.runner.snapshot().running)
        await aborted(manager, of_two)
        assert manager.task(of_one).status == "STARTED"
        await aborted(manager, of_one)


async def test_an_abort_listed_before_the_acquires_reply_is_heeded(scripted: ScriptedManager, tmp_path: Path) -> None:
    """The acquire's reply is lost; meanwhile the abort is listed; then the manager gives the task again."""
    ran: list[object] = []

    def note(data: object) -> None:
        ran.append(data)

    scripted.on("task-events", (200, {"delegateTaskEvents": [event("t1")]}), (200, {"delegateTaskEvents": []}))
    scripted.on("acquire", (0, ""), (0, ""), lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": note}):
        await scripted.seen("acquire")
        scripted.on("task-events", (200, {"delegateTaskEvents": [abort("t1")]}), (200, {"delegateTaskEvents": []}))
        sent = (await scripted.seen("result")).json()
    assert (sent["code"], sent["data"]) == ("FAILED", {"error_message": "aborted"})
    assert ran == []


async def test_an_abort_in_the_reply_that_lists_the_task_is_heeded(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.on("task-events", (200, {"delegateTaskEvents": [event("t1"), abort("t1")]}), (200, {}))
    scripted.on("acquire", lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": fib}):
        sent = (await scripted.seen("result")).json()
    assert sent["data"]["error_message"] == "aborted"


async def test_an_abort_beside_something_unreadable_is_heeded(scripted: ScriptedManager, tmp_path: Path) -> None:
    gate = Gate()
    scripted.lists(event("t1", taskType="gate"))
    scripted.on("acquire", lambda call: (200, package(call, type="gate")))
    async with running(scripted, tmp_path, {"gate": gate.handler}):
        await gate.entered.wait()
        scripted.on("task-events", (200, {"delegateTaskEvents": [{"sync": {}}, [], abort("t1"), {"eventType": 1}]}))
        assert (await scripted.seen("result")).json()["data"]["error_message"] == "aborted"


async def test_an_abort_of_a_task_that_is_not_here_is_no_task(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(abort("t1"), abort(""))
    async with running(scripted, tmp_path, {"fib": fib}) as started:
        await scripted.seen("task-events", 3)
        assert started.runner.state == "running"
    assert not scripted.named("acquire")


async def test_an_abort_of_an_orphan_in_the_journal_is_heeded(scripted: ScriptedManager, tmp_path: Path) -> None:
    """Claimed before a crash, asked for again after it, aborted in between."""
    scripted.lists(event("t1"))
    scripted.on("acquire", (0, ""))
    async with running(scripted, tmp_path, {"fib": fib}) as first:
        await scripted.seen("acquire")
        await first.kill()
    scripted.on("task-events", (200, {"delegateTaskEvents": [abort("t1")]}), (200, {}))
    scripted.calls.clear()

    def once_the_abort_is_told(call: Call) -> tuple[int, object]:
        return (200, package(call)) if len(scripted.named("task-events")) > 1 else (503, "")

    scripted.on("acquire", once_the_abort_is_told)
    async with running(scripted, tmp_path, {"fib": fib}):
        sent = (await scripted.seen("result")).json()
    assert sent["data"]["error_message"] == "aborted"
    assert [entry.phase for entry in entries(tmp_path)] == ["delivered"]


async def test_an_abort_while_its_result_travels_changes_nothing(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.on("task-events", (200, {"delegateTaskEvents": [event("t1")]}), (200, {}))
    scripted.on("acquire", lambda call: (200, package(call)))
    scripted.on("result", (503, ""), (204, ""))
    async with running(scripted, tmp_path, {"fib": fib}):
        await scripted.seen("result")
        scripted.on("task-events", (200, {"delegateTaskEvents": [abort("t1")]}), (200, {}))
        sent = (await scripted.seen("result", 2)).json()
    assert sent["code"] == "OK"


async def test_an_abort_leaves_a_task_its_grace(manager: EmbeddedManager, tmp_path: Path) -> None:
    cleaned: list[str] = []

    async def tidy(data: object) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned.append("up")

    async with running(manager, tmp_path, {"fib": tidy}) as started:
        task = manager.submit(Submission("fib"))
        await eventually(lambda: started.runner.snapshot().running)
        await aborted(manager, task)
    assert cleaned == ["up"]
