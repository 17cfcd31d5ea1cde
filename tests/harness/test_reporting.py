"""Delivering results through a runner: until they arrive, once where once is the rule."""

from pathlib import Path
from typing import Any

import pytest

from delegate_core.model import Entry, Task, TaskResult
from delegate_harness.client import ManagerFault
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Rules, Submission, TaskRecord, Verdict
from delegate_harness.reporting import Reporter
from tests.harness.handlers import endless, fib
from tests.harness.runners import entries, eventually, running, session_at
from tests.harness.scripted import ScriptedManager, event, package, unauthorized

pytestmark = pytest.mark.anyio
OTHERS = {"reject_to_others": True}


def broken(data: object) -> None:
    raise ValueError("it broke")


def outcome(task: TaskRecord) -> tuple[Verdict, str, str]:
    assert task.outcome is not None
    assert task.outcome.result is not None
    return task.outcome.verdict, task.outcome.result.code, task.outcome.result.error


# ---------------------------------------------------------------------- outcomes, over the wire


async def test_a_failure_is_reported_in_the_form_that_the_task_asks_for(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    async with running(manager, tmp_path, {"broken": broken}):
        legacy = await manager.wait_finished(manager.submit(Submission("broken")))
        runner = await manager.wait_finished(manager.submit(Submission("broken", runner_response=True)))
    assert outcome(legacy)[:2] == (Verdict.FAILED, "FAILED")
    assert outcome(runner)[0] is Verdict.FAILED
    assert "it broke" in outcome(runner)[2]


async def test_a_time_out_comes_before_the_managers_own(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": endless}):
        legacy = manager.submit(Submission("fib", timeout_ms=4000))
        runner = manager.submit(Submission("fib", timeout_ms=4000, runner_response=True))
        first, second = await manager.wait_finished(legacy), await manager.wait_finished(runner)
    assert first.outcome is not None
    assert first.outcome.verdict is Verdict.FAILED
    assert first.outcome.result is not None
    assert first.outcome.result.data["error_message"] == "timed out after 3.6s"
    assert outcome(second) == (Verdict.TIMED_OUT, "TIMEOUT", "timed out after 3.6s")


async def test_a_task_without_a_timeout_gets_the_settings_own(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call, timeout=0)))
    async with running(scripted, tmp_path, {"fib": endless}, default_timeout=0.5):
        assert "timed out" in (await scripted.seen("result")).json()["data"]["error_message"]


async def test_what_ends_with_the_runner_is_reported_as_stopped(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": endless}) as started:
        task = manager.submit(Submission("fib", runner_response=True))
        await eventually(lambda: started.runner.snapshot().running)
        started.runner.stop()
        assert outcome(await manager.wait_finished(task)) == (Verdict.FAILED, "FAILED", "runner stopped")


async def test_a_type_that_nobody_serves_any_more_is_rejected(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1", taskType="gone"))
    scripted.on("acquire", lambda call: (200, package(call, type="gone")))
    async with running(scripted, tmp_path, {"fib": fib}):
        sent = (await scripted.seen("result")).json()
    assert (sent["type"], sent["code"]) == ("gone", "FAILED")
    assert sent["data"]["error_message"].startswith("rejected: no handler")


async def test_a_secret_in_a_result_is_masked(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": lambda data: {"said": "my p4ssw0rd!"}}):
        task = await manager.wait_finished(manager.submit(Submission("fib", secrets=("p4ssw0rd",))))
    assert task.outcome is not None
    assert task.outcome.result is not None
    assert "p4ssw0rd" not in str(task.outcome.result.data)


# ---------------------------------------------------------------------- until it arrives


@pytest.mark.parametrize(
    "fault",
    [
        Fault("result", FaultKind.STATUS, times=2, status=503),
        Fault("result", FaultKind.STATUS, times=2, status=500),
        Fault("result", FaultKind.STATUS, times=2, status=404),
        Fault("result", FaultKind.LOSE_REQUEST, times=2),
        Fault("result", FaultKind.LOSE_REPLY, times=2),
        Fault("result", FaultKind.UNAUTHORIZED, times=2, code="EXPIRED_TOKEN"),
        Fault("result", FaultKind.UNAUTHORIZED, times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.code}",
)
async def test_a_result_is_sent_until_it_arrives(manager: EmbeddedManager, tmp_path: Path, fault: Fault) -> None:
    manager.faults.add(fault)
    async with running(manager, tmp_path, {"fib": fib}) as started:
        task = await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        await eventually(lambda: started.runner.snapshot().delivered == 1)
    assert outcome(task)[0] is Verdict.SUCCEEDED
    assert task.events("conflict") == []


async def test_faults_that_say_nothing_of_the_result_never_use_up_its_tries(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """The counter that ends at the manager's 500s is not moved by a proxy's 401."""
    scripted.on("result", (401, "<html>"))
    reporter = Reporter(reject_to_others=False)
    async with session_at(scripted) as session:
        for _ in range(60):
            with pytest.raises(ManagerFault):
                await reporter.report(session, Task(id="t1", type="fib"), TaskResult.succeeded({}))
        scripted.on("result", (500, {}))
        for _ in range(23):
            with pytest.raises(ManagerFault):
                await reporter.report(session, Task(id="t1", type="fib"), TaskResult.succeeded({}))
        delivery = await reporter.report(session, Task(id="t1", type="fib"), TaskResult.succeeded({}))
    assert delivery.kind == "never"
    assert "500" in delivery.reason


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_result_that_the_manager_cannot_take_ends_its_task_as_failed(
    scripted: ScriptedManager, tmp_path: Path, status: int
) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    refusal = {"responseMessages": [{"code": "INVALID_ARGUMENT", "message": "no such status"}]}
    scripted.on("result", (status, refusal), (204, ""))
    async with running(scripted, tmp_path, {"fib": fib}):
        sent = (await scripted.seen("result", 2)).json()
    assert (sent["id"], sent["type"], sent["code"]) == ("t1", "fib", "FAILED")
    assert f"{status}: no such status" in sent["data"]["error_message"]
    (entry,) = entries(tmp_path)
    assert entry.phase == "delivered"
    assert "reported as failed" in entry.note


async def test_a_ci_result_with_a_status_of_its_own_ends_as_failed(tmp_path: Path) -> None:
    """As the real manager binds it: an unknown status is a 400."""
    kind = "DLITE_CI_VM_EXECUTE_TASK"
    async with EmbeddedManager(rules=Rules(strict=True)) as manager:
        async with running(manager, tmp_path, {kind: lambda data: {"command_execution_status": "TIMEOUT"}}):
            await manager.wait_for(lambda state: state.calls["task-events"] > 0)
            task = await manager.wait_finished(manager.submit(Submission(kind)))
        assert outcome(task)[:2] == (Verdict.FAILED, "FAILED")


async def test_a_result_that_is_refused_in_every_form_is_named_and_given_up(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    scripted.on("result", (400, "<html>"))
    async with running(scripted, tmp_path, {"fib": fib}) as started:
        await eventually(lambda: started.runner.snapshot().undeliverable == 1)
    assert [entry.phase for entry in entries(tmp_path)] == ["undeliverable"]


async def test_a_runner_whose_results_do_not_arrive_goes_on_heartbeating(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("result", FaultKind.DELAY, times=None, seconds=30))
    async with running(
        manager, tmp_path, {"fib": fib}, backend={"heartbeat_interval": 0.05}, drain_timeout=0.2
    ) as started:
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        beats = manager.state.calls["heartbeat"]
        await manager.wait_for(lambda state: state.calls["heartbeat"] > beats + 3)
        assert started.runner.snapshot().backlog == 1


async def test_text_without_a_utf8_form_does_not_hold_up_a_result(scripted: ScriptedManager, tmp_path: Path) -> None:
    def no_such_file(data: object) -> None:
        raise FileNotFoundError("caf\udce9")

    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": no_such_file}):
        assert "caf" in (await scripted.seen("result")).json()["data"]["error_message"]


# ---------------------------------------------------------------------- to another delegate


def rejecting(scripted: ScriptedManager, **fields: Any) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call, secret_details={"x": {}}, **fields)))


async def test_a_rejected_task_goes_to_another_delegate_by_a_setting(tmp_path: Path) -> None:
    async with (
        EmbeddedManager() as manager,
        running(manager, tmp_path, {"fib": fib}, name="able", tags=("able",)) as able,
        running(manager, tmp_path, {}, name="unable", backend=OTHERS) as unable,
    ):
        await eventually(lambda: able.runner.state == unable.runner.state == "running")
        task = manager.submit(Submission("fib", {"n": 1}, selectors=("able",)))
        finished = await manager.wait_finished(task)
    assert outcome(finished)[0] is Verdict.SUCCEEDED


async def test_by_default_a_rejected_task_fails(scripted: ScriptedManager, tmp_path: Path) -> None:
    rejecting(scripted)
    async with running(scripted, tmp_path, {"fib": fib}):
        assert (await scripted.seen("result")).json()["code"] == "FAILED"


@pytest.mark.parametrize(
    "answer",
    [(204, ""), (503, ""), (500, {}), (400, {}), (0, ""), unauthorized("EXPIRED_TOKEN")],
    ids=["taken", "gateway", "500", "400", "lost", "expired"],
)
async def test_handing_over_is_tried_once(scripted: ScriptedManager, tmp_path: Path, answer: tuple[int, Any]) -> None:
    rejecting(scripted)
    scripted.on("result", answer)
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS) as started:
        sent = (await scripted.seen("result")).json()
        await eventually(lambda: started.runner.snapshot().delivered == 1)
        await scripted.seen("task-events", len(scripted.named("task-events")) + 4)
    assert sent["code"] == "RETRY_ON_OTHER_DELEGATE"
    tries = 2 if answer[0] == 401 else 1  # a refused call did nothing: it is sent with a new token
    assert len(scripted.named("result")) == tries
    assert len(scripted.named("acquire")) == 1, "it is listed again, and left"


async def test_the_runner_form_knows_no_other_delegate(scripted: ScriptedManager, tmp_path: Path) -> None:
    rejecting(scripted, runnerResponse=True)
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS):
        assert (await scripted.seen("response")).json()["code"] == "FAILED"


async def test_what_failed_while_it_ran_is_never_handed_over(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    async with running(scripted, tmp_path, {"fib": broken}, backend=OTHERS):
        assert (await scripted.seen("result")).json()["code"] == "FAILED"


async def test_after_a_crash_nothing_is_handed_over_a_second_time(scripted: ScriptedManager, tmp_path: Path) -> None:
    rejecting(scripted)
    scripted.on("result", (-1, ""))
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS) as first:
        await scripted.seen("result")
        await first.kill()
    scripted.calls.clear()
    scripted.lists()
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS):
        await scripted.seen("task-events", 3)

    def settled(entry: Entry) -> bool:
        return entry.phase == "delivered" and "handed" in entry.note

    assert [settled(entry) for entry in entries(tmp_path)] == [True]
    assert not scripted.named("result")


async def test_a_task_acquired_again_after_a_crash_may_be_handed_over(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    """Its first acquire was cut off by the crash, so no result of it has been sent."""
    rejecting(scripted)
    scripted.on("acquire", (-1, ""))
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS) as first:
        await scripted.seen("acquire")
        await first.kill()
    rejecting(scripted)
    scripted.lists()
    async with running(scripted, tmp_path, {"fib": fib}, backend=OTHERS):
        assert (await scripted.seen("result")).json()["code"] == "RETRY_ON_OTHER_DELEGATE"


async def test_the_last_report_is_not_cut_off_by_the_end(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("result", FaultKind.DELAY, seconds=0.3))
    async with running(manager, tmp_path, {"fib": fib}) as started:
        task = manager.submit(Submission("fib", {"n": 1}))
        await manager.wait_for(lambda state: state.calls["acquire"] == 1)
        started.runner.drain()
        assert await started.ended() is None
        assert manager.task(task).finished
    assert [entry.phase for entry in entries(tmp_path)] == ["delivered"]
