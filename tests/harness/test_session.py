"""Staying registered, being moved, told to end, or refused in mid-run, and leaving."""

from pathlib import Path

import pytest

from delegate_core.errors import CredentialsError, StoppedByServer
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission, Verdict
from tests.harness.handlers import Gate, endless, fib
from tests.harness.runners import eventually, running
from tests.harness.scripted import ScriptedManager, event, package

pytestmark = pytest.mark.anyio
QUICK = {"heartbeat_interval": 0.03}
DELETED = (200, {"resource": {"status": "DELETED"}})
ENABLED = (200, {"resource": {"status": "ENABLED"}})


# ---------------------------------------------------------------------- while it runs


async def test_a_delegate_deleted_once_registers_again(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.on("heartbeat", DELETED, ENABLED)
    scripted.on("register", (200, {"resource": {"delegateId": "one"}}), (200, {"resource": {"delegateId": "two"}}))
    async with running(scripted, tmp_path, {"fib": fib}, backend=QUICK) as started:
        await scripted.seen("register", 2)
        await eventually(lambda: "/two/" in scripted.named("task-events")[-1].target)
        await scripted.seen("heartbeat", 3)
        assert scripted.named("heartbeat")[-1].json()["delegateId"] == "two"
        assert started.runner.state == "running"


async def test_a_delegate_deleted_and_later_deleted_anew_may_register_again(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.on("heartbeat", DELETED, ENABLED, DELETED, ENABLED)
    async with running(scripted, tmp_path, {"fib": fib}, backend=QUICK) as started:
        await scripted.seen("register", 3)
        await scripted.seen("heartbeat", 4)
        assert started.runner.state == "running"


async def test_a_delegate_deleted_twice_ends(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.on("heartbeat", DELETED)
    async with running(scripted, tmp_path, {"fib": fib}, backend=QUICK) as started:
        error = await started.ended()
    assert isinstance(error, StoppedByServer)
    assert "twice" in str(error)
    assert len(scripted.named("register")) == 2


async def test_a_delegate_deleted_by_an_operator_ends_its_tasks_and_itself(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    async with running(manager, tmp_path, {"fib": endless}, backend=QUICK) as started:
        task = manager.submit(Submission("fib"))
        await manager.wait_for(lambda state: state.task(task).status == "STARTED")
        await eventually(lambda: started.runner.snapshot().running)
        (delegate,) = manager.state.delegates(manager.account_id)
        manager.state.delete_delegate(manager.account_id, delegate.delegate_id)
        assert isinstance(await started.ended(), StoppedByServer)
    outcome = manager.task(task).outcome
    assert outcome is not None
    assert outcome.result is not None
    assert outcome.result.data["error_message"] == "runner stopped"


async def test_self_destruct_by_a_heartbeat_ends_the_run(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("heartbeat", FaultKind.SELF_DESTRUCT, after=1))
    async with running(manager, tmp_path, {"fib": fib}, backend=QUICK) as started:
        assert isinstance(await started.ended(), StoppedByServer)


async def test_results_of_tasks_claimed_before_a_move_go_to_the_old_address(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    gate = Gate()
    async with (
        EmbeddedManager(manager.account_id, manager.account_secret) as new,
        running(manager, tmp_path, {"fib": fib, "gate": gate.handler}, backend=QUICK),
    ):
        before = manager.submit(Submission("gate"))
        await gate.entered.wait()
        manager.faults.add(Fault("heartbeat", FaultKind.MIGRATE, url=new.url))
        await new.wait_finished(new.submit(Submission("fib", {"n": 1})))
        polls = manager.state.calls["task-events"]
        gate.open.set()
        finished = await manager.wait_finished(before)
        assert manager.state.calls["task-events"] == polls
    assert finished.outcome is not None
    assert finished.outcome.verdict is Verdict.SUCCEEDED
    assert new.state.strays == manager.state.strays
    assert (new.state.calls["unregister"], manager.state.calls["unregister"]) == (1, 0)


async def test_an_invalid_token_in_mid_run_ends_what_runs(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": endless}) as started:
        task = manager.submit(Submission("fib"))
        await eventually(lambda: started.runner.snapshot().running)
        manager.faults.add(Fault("task-events", FaultKind.UNAUTHORIZED, times=None, code="INVALID_TOKEN"))
        error = await started.ended()
    assert isinstance(error, CredentialsError)
    outcome = manager.task(task).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.FAILED


async def test_a_revoked_token_in_mid_run_lets_the_running_task_finish(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}) as started:
        task = manager.submit(Submission("gate"))
        await gate.entered.wait()
        manager.faults.add(Fault("task-events", FaultKind.UNAUTHORIZED, times=None, code="REVOKED_TOKEN"))
        await eventually(lambda: started.runner.state == "draining")
        gate.open.set()
        error = await started.ended()
    assert isinstance(error, CredentialsError)
    outcome = manager.task(task).outcome
    assert outcome is not None
    assert outcome.verdict is Verdict.SUCCEEDED


async def test_a_revoked_token_that_comes_back_to_nothing_leaves_the_results_in_the_journal(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    """The token is dead for every call: the run ends in its time, and nothing is lost."""
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}, drain_timeout=1.0) as started:
        manager.submit(Submission("gate"))
        await gate.entered.wait()
        manager.state.accounts.revoke_token(manager.account_id)
        await eventually(lambda: started.runner.state == "draining")
        gate.open.set()
        error = await started.ended()
    assert isinstance(error, CredentialsError)
    assert manager.state.calls["result"] < 10
    assert manager.state.calls["unregister"] == 0


async def test_an_expired_token_in_mid_run_is_renewed(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": fib}) as started:
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        for endpoint in ("task-events", "acquire", "result"):
            manager.faults.add(Fault(endpoint, FaultKind.UNAUTHORIZED, code="EXPIRED_TOKEN"))
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        assert started.runner.snapshot().trouble == ""


@pytest.mark.parametrize("code", ["EXPIRED_TOKEN", None], ids=["stays expired", "no code"])
async def test_a_401_that_may_pass_is_waited_out(manager: EmbeddedManager, tmp_path: Path, code: str | None) -> None:
    async with running(manager, tmp_path, {"fib": fib}) as started:
        await manager.wait_for(lambda state: state.calls["task-events"] > 0)
        manager.faults.add(Fault("task-events", FaultKind.UNAUTHORIZED, times=2, code=code))
        await eventually(lambda: started.runner.snapshot().trouble)
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
        assert started.runner.state == "running"


async def test_faults_of_the_heartbeat_are_waited_out(manager: EmbeddedManager, tmp_path: Path) -> None:
    kinds = (FaultKind.STATUS, FaultKind.GARBAGE, FaultKind.NULL, FaultKind.EMPTY, FaultKind.LOSE_REPLY)
    manager.faults.add(*(Fault("heartbeat", kind) for kind in kinds))
    async with running(manager, tmp_path, {"fib": fib}, backend=QUICK) as started:
        await manager.wait_for(lambda state: state.calls["heartbeat"] > len(kinds) + 2)
        assert started.runner.state == "running"


# ---------------------------------------------------------------------- leaving


async def test_two_runners_on_one_host_are_two_delegates_and_one_leaving_does_not_harm_the_other(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}, name="stays") as stays:
        task = manager.submit(Submission("gate"))
        await gate.entered.wait()
        async with running(manager, tmp_path, {"fib": fib}, name="leaves") as leaves:
            await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
            leaves.runner.drain()
            assert await leaves.ended() is None
        assert manager.state.calls["unregister"] == 1
        gate.open.set()
        finished = await manager.wait_finished(task)
        assert stays.runner.state == "running"
    assert finished.outcome is not None
    assert finished.outcome.verdict is Verdict.SUCCEEDED


async def test_unregistering_comes_after_the_last_result(scripted: ScriptedManager, tmp_path: Path) -> None:
    gate = Gate()
    scripted.lists(event("t1", taskType="gate"))
    scripted.on("acquire", lambda call: (200, package(call, type="gate")))
    scripted.on("result", (503, "<html>"), (0, ""), (204, ""))
    async with running(scripted, tmp_path, {"gate": gate.handler}) as started:
        await gate.entered.wait()
        started.runner.drain()
        gate.open.set()
        assert await started.ended() is None
    names = [call.name for call in scripted.calls]
    assert names.count("result") == 3
    assert names.count("unregister") == 1
    assert names.index("unregister") > max(index for index, name in enumerate(names) if name == "result")
    sent, told = scripted.named("unregister")[0].json(), scripted.named("register")[0].json()
    assert (sent["hostName"], sent["ipAddress"]) == (told["hostName"], told["ip"])


async def test_nobody_unregisters_with_a_result_undelivered(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    scripted.on("result", (503, "<html>"))
    async with running(scripted, tmp_path, {"fib": fib}, drain_timeout=0.5) as started:
        await scripted.seen("result")
        started.runner.drain()
        error = await started.ended()
    assert error is not None
    assert error.exit_code == 8
    assert not scripted.named("unregister")


async def test_an_idle_runner_asks_no_more_than_it_says(scripted: ScriptedManager, tmp_path: Path) -> None:
    async with running(scripted, tmp_path, {"fib": fib}, poll_interval=0.2, backend={"heartbeat_interval": 0.5}):
        await scripted.seen("heartbeat", 2)
    polls = len(scripted.named("task-events"))
    assert 4 <= polls <= 7
    assert len(scripted.calls) - polls <= 5
