"""After a crash: what each journal entry becomes."""

import sqlite3
import time
from pathlib import Path

import anyio
import pytest

from delegate_core.model import Entry, Finish, Forget, Phase, Run, SessionIdentity, TaskResult
from delegate_harness.aborts import Aborts
from delegate_harness.claiming import recover
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission, Verdict
from tests.harness.handlers import Gate, fib
from tests.harness.runners import entries, eventually, running, session_at
from tests.harness.scripted import ACCOUNT, ScriptedManager, event, package

pytestmark = pytest.mark.anyio


def entry_of(phase: Phase, *, claimed: float | None = None) -> Entry:
    identity = SessionIdentity(server="http://m", account=ACCOUNT, runner_id="dlg1")
    created = claimed or time.time()
    return Entry(1, "t1", "fib", identity, phase, None, None, 60.0, created, claimed=claimed)


async def test_what_had_started_is_over(scripted: ScriptedManager) -> None:
    async with session_at(scripted) as session:
        assert await recover(session, entry_of(Phase.STARTED), Aborts()) == Finish(TaskResult.lost_in_crash())
    assert scripted.calls == []


@pytest.mark.parametrize("phase", [Phase.INTENT, Phase.CLAIMED])
async def test_what_may_be_ours_is_asked_for_and_runs_in_the_time_left(scripted: ScriptedManager, phase: Phase) -> None:
    scripted.on("acquire", lambda call: (200, package(call)))
    async with session_at(scripted) as session:
        decision = await recover(session, entry_of(phase, claimed=time.time() - 20), Aborts())
    assert isinstance(decision, Run)
    assert decision.task.timeout == pytest.approx(40, abs=2)


async def test_what_has_no_time_left_is_timed_out(scripted: ScriptedManager) -> None:
    scripted.on("acquire", lambda call: (200, package(call)))
    async with session_at(scripted) as session:
        decision = await recover(session, entry_of(Phase.CLAIMED, claimed=time.time() - 59.5), Aborts())
    assert isinstance(decision, Finish)
    assert decision.result.error == "timed out after 60s"


async def test_a_clock_set_back_gives_no_time_away(scripted: ScriptedManager) -> None:
    scripted.on("acquire", lambda call: (200, package(call)))
    async with session_at(scripted) as session:
        decision = await recover(session, entry_of(Phase.CLAIMED, claimed=time.time() + 3600), Aborts())
    assert isinstance(decision, Run)
    assert decision.task.timeout == 60


async def test_what_the_manager_does_not_give_again_is_forgotten(scripted: ScriptedManager) -> None:
    async with session_at(scripted) as session:
        assert isinstance(await recover(session, entry_of(Phase.INTENT), Aborts(), pauses=[0.0, 0.0]), Forget)
    assert len(scripted.calls) == 3


# ---------------------------------------------------------------------- whole lives


async def test_an_acquire_under_way_at_a_crash_is_made_again_with_the_same_instance(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("acquire", FaultKind.DELAY, seconds=30))
    async with running(manager, tmp_path, {"fib": fib}) as first:
        task = manager.submit(Submission("fib", {"n": 1}))
        await manager.wait_for(lambda state: state.task(task).status == "STARTED")
        await first.kill()
    assert [entry.phase for entry in entries(tmp_path)] == ["intent"]
    async with running(manager, tmp_path, {"fib": fib}):
        finished = await manager.wait_finished(task)
    assert finished.outcome is not None
    assert finished.outcome.verdict is Verdict.SUCCEEDED
    assert finished.events("acquired")[0].instance_id == finished.events("re-acquired")[0].instance_id


async def test_a_task_that_had_started_fails_and_is_not_run_again(manager: EmbeddedManager, tmp_path: Path) -> None:
    gate = Gate()
    async with running(manager, tmp_path, {"gate": gate.handler}) as first:
        task = manager.submit(Submission("gate"))
        await gate.entered.wait()
        await first.kill()
    gate.open.set()
    async with running(manager, tmp_path, {"gate": gate.handler}) as second:
        finished = await manager.wait_finished(task)
        assert second.runner.snapshot().claimed == 0
    assert finished.outcome is not None
    assert finished.outcome.result is not None
    assert finished.outcome.result.data["error_message"] == "runner restarted"


@pytest.mark.parametrize("form", ["legacy", "runner"])
async def test_a_result_that_was_there_is_delivered_in_its_form(
    manager: EmbeddedManager, tmp_path: Path, form: str
) -> None:
    endpoint = "result" if form == "legacy" else "response"
    manager.faults.add(Fault(endpoint, FaultKind.LOSE_REQUEST, times=None))
    async with running(manager, tmp_path, {"fib": fib}) as first:
        task = manager.submit(Submission("fib", {"n": 7}, runner_response=form == "runner"))
        await manager.wait_for(lambda state: state.calls[endpoint] > 0)
        await first.kill()
    manager.faults.clear()
    async with running(manager, tmp_path, {"fib": fib}):
        finished = await manager.wait_finished(task)
    assert finished.outcome is not None
    assert finished.outcome.result is not None
    assert (finished.outcome.result.form, finished.outcome.result.data) == (form, {"n": 7})
    assert [entry.phase for entry in entries(tmp_path)] == ["delivered"]


async def test_nothing_secret_is_in_the_state_folder(manager: EmbeddedManager, tmp_path: Path) -> None:
    async with running(manager, tmp_path, {"fib": lambda data: {"said": "p4ssw0rd!"}}) as started:
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1}, secrets=("p4ssw0rd",))))
        await eventually(lambda: started.runner.snapshot().delivered == 1)
    stored = b"".join(file.read_bytes() for file in (tmp_path / "builder").rglob("*") if file.is_file())
    for secret in (manager.account_secret.encode(), b"p4ssw0rd", b"Delegate ey", b"eyJ"):
        assert secret not in stored


async def test_results_are_delivered_as_the_delegate_that_claimed_them(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call)))
    scripted.on("result", (503, ""))
    async with running(scripted, tmp_path, {"fib": fib}) as first:
        await scripted.seen("result")
        await first.kill()
    scripted.calls.clear()
    scripted.lists()
    scripted.on("register", (200, {"resource": {"delegateId": "other"}}))
    scripted.on("result", (204, ""))
    async with running(scripted, tmp_path, {"fib": fib}):
        assert "/delegates/dlg1?" in (await scripted.seen("result")).target


async def test_after_a_move_and_a_crash_results_go_to_where_they_were_claimed(tmp_path: Path) -> None:
    """The endpoint of the settings sends us to `middle`, later to `last`: `middle` is still ours."""
    first_stop, middle, last = ScriptedManager(), ScriptedManager(), ScriptedManager()
    async with first_stop.serve(), middle.serve(), last.serve():
        first_stop.on("register", (200, {"resource": {"action": "MIGRATE", "migrateUrl": middle.url}}))
        middle.lists(event("t1"))
        middle.on("acquire", lambda call: (200, package(call)))
        middle.on("result", (503, ""))
        async with running(first_stop, tmp_path, {"fib": fib}) as before:
            await middle.seen("result")
            await before.kill()
        middle.on("result", (204, ""))
        middle.calls.clear()
        first_stop.on("register", (200, {"resource": {"action": "MIGRATE", "migrateUrl": last.url}}))
        async with running(first_stop, tmp_path, {"fib": fib}):
            await middle.seen("result")
            await last.seen("task-events")


async def test_entries_of_another_account_or_manager_are_kept_aside(tmp_path: Path) -> None:
    here, there = ScriptedManager(), ScriptedManager()
    async with here.serve(), there.serve():
        here.lists(event("t1"))
        here.on("acquire", lambda call: (200, package(call)))
        here.on("result", (503, ""))
        async with running(here, tmp_path, {"fib": fib}) as first:
            await here.seen("result")
            await first.kill()
        here.calls.clear()
        for server, backend in ((there, {}), (here, {"account_id": "other"})):
            here.lists()
            async with running(server, tmp_path, {"fib": fib}, backend=backend):
                await server.seen("task-events", 3)
        assert not [call for call in here.calls + there.calls if call.name == "result"]
        assert [entry.phase for entry in entries(tmp_path)] == ["finished"]
        here.on("result", (204, ""))
        async with running(here, tmp_path, {"fib": fib}):
            await here.seen("result")


async def test_the_intent_is_in_the_journal_before_the_acquire_is_sent(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    found: list[int] = []

    def look(_: object) -> tuple[int, object]:
        with sqlite3.connect(tmp_path / "builder" / "journal.sqlite") as journal:
            found.append(journal.execute("SELECT count(*) FROM entries WHERE phase = 'intent'").fetchone()[0])
        journal.close()
        return 500, {}

    scripted.lists(event("t1"))
    scripted.on("acquire", look)
    async with running(scripted, tmp_path, {"fib": fib}):
        with anyio.fail_after(40):
            await scripted.seen("acquire")
    assert found == [1]
