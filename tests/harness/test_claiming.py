"""Acquiring: what each answer means, and what follows a lost one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from delegate_core.model import CancelCause, Ended, Offer, Outcome, Task, TaskResult
from delegate_harness.aborts import Aborts
from delegate_harness.claiming import PAUSES, claim
from delegate_harness.client import ManagerFault
from delegate_harness.logtarget import target_of
from delegate_harness.manager import EmbeddedManager, Fault, FaultKind, Submission, Verdict
from delegate_harness.session import HarnessSession
from delegate_harness.wire import AcquiredTask
from tests.harness.handlers import fib
from tests.harness.runners import entries, eventually, running, session_at
from tests.harness.scripted import Call, ScriptedManager, event, package, unauthorized

pytestmark = pytest.mark.anyio
NOT_TO_BE_HAD = [
    (500, {"responseMessages": [{"code": "DEFAULT_ERROR_CODE"}]}),
    (500, "<html>"),
    (404, ""),
    (409, "{}"),
    (204, ""),
    (200, ""),
    (200, {}),
    (200, {"id": None}),
    (200, "null"),
]


@pytest.fixture
async def session(scripted: ScriptedManager) -> AsyncIterator[HarnessSession]:
    async with session_at(scripted) as session:
        yield session


@pytest.mark.parametrize("answer", NOT_TO_BE_HAD)
async def test_a_task_that_is_not_to_be_had_is_forgotten_at_once(
    scripted: ScriptedManager, session: HarnessSession, answer: tuple[int, Any]
) -> None:
    scripted.on("acquire", answer)
    assert await claim(session, Offer("t1", "fib"), Aborts(), again=False) is None
    assert len(scripted.calls) == 1


@pytest.mark.parametrize("answer", NOT_TO_BE_HAD)
async def test_after_a_lost_reply_the_same_answer_is_asked_again(
    scripted: ScriptedManager, session: HarnessSession, answer: tuple[int, Any]
) -> None:
    scripted.on("acquire", answer, answer, answer, lambda call: (200, package(call)))
    claimed = await claim(session, Offer("t1", "fib"), Aborts(), again=True, pauses=[0.0] * 5)
    assert isinstance(claimed, Task)
    assert len(scripted.calls) == 4


async def test_after_a_lost_reply_it_is_forgotten_in_the_end(
    scripted: ScriptedManager, session: HarnessSession
) -> None:
    assert await claim(session, Offer("t1", "fib"), Aborts(), again=True, pauses=[0.0] * 5) is None
    assert len(scripted.calls) == 6
    assert 120 <= sum(PAUSES) <= 240, "some minutes"


@pytest.mark.parametrize("delegate", [{"instance_id": "other"}, {"instance_id": ""}, {}, None])
async def test_a_package_for_another_instance_is_not_run(
    scripted: ScriptedManager, session: HarnessSession, delegate: object
) -> None:
    scripted.on("acquire", lambda call: (200, package(call, delegate=delegate)))
    assert await claim(session, Offer("t1", "fib"), Aborts(), again=False) is None


async def test_a_package_of_another_task_is_not_run(scripted: ScriptedManager, session: HarnessSession) -> None:
    scripted.on("acquire", lambda call: (200, package(call, id="t2")))
    assert await claim(session, Offer("t1", "fib"), Aborts(), again=False) is None


@pytest.mark.parametrize("name", ["secret_details", "encryption_configs"])
async def test_secrets_that_we_would_have_to_decrypt_are_rejected_clearly(
    scripted: ScriptedManager, session: HarnessSession, name: str
) -> None:
    scripted.on("acquire", lambda call: (200, package(call, **{name: {"uuid": {"config": "h1dden"}}})))
    claimed = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(claimed, Ended)
    assert claimed.result.outcome is Outcome.REJECTED
    assert "decrypt" in claimed.result.error
    assert "h1dden" not in repr(claimed)


async def test_a_package_becomes_a_task(scripted: ScriptedManager, session: HarnessSession) -> None:
    logging = {"token": "l0g", "abstractions": {"accountId": "a", "stage": "s t"}}
    scripted.on("acquire", lambda call: (200, package(call, secrets=["p4ss", None, 7], logging=logging)))
    task = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(task, Task)
    assert (task.id, task.type, task.data, task.timeout, task.masks) == ("t1", "fib", {"n": 1}, 60.0, ("p4ss",))
    assert task.state == {"form": "legacy", "log_key": "accountId:a/stage:s t"}
    assert "p4ss" not in repr(task)
    assert "l0g" not in repr(task) + task.model_dump_json()


@pytest.mark.parametrize("told", [0, -1, None])
async def test_no_timeout_leaves_it_to_the_settings(
    scripted: ScriptedManager, session: HarnessSession, told: int | None
) -> None:
    scripted.on("acquire", lambda call: (200, package(call, timeout=told)))
    task = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(task, Task)
    assert task.timeout is None


def test_a_log_key_joins_the_abstractions_in_their_order() -> None:
    package = {"id": "t", "logging": {"abstractions": {"b": "2", "a": "1"}}}
    assert target_of(AcquiredTask.model_validate(package)).key == "b:2/a:1"
    assert target_of(AcquiredTask()).key == ""


@pytest.mark.parametrize(
    "data",
    [
        {"log_key": "k", "log_config": {"url": "http://logs", "token": "t0k", "indirect_upload": True}},
        {
            "setup_vm_request": {
                "log_key": "k",
                "setup_request": {"log_config": {"url": "http://logs", "token": "t0k", "indirect_upload": True}},
            }
        },
        {
            "log_config": {"url": "http://logs", "token": "t0k", "indirect_upload": True},
            "execute_step_request": {"start_step_request": {"log_key": "k"}},
        },
    ],
)
def test_a_ci_task_names_its_log_in_its_data(data: dict[str, Any]) -> None:
    package = {"id": "t", "data": data, "logging": {"token": "other", "abstractions": {"a": "1"}}}
    target = target_of(AcquiredTask.model_validate(package))
    assert (target.url, target.token.get_secret_value(), target.key, target.indirect) == (
        "http://logs",
        "t0k",
        "k",
        True,
    )
    assert "t0k" not in repr(target)


@pytest.mark.parametrize("data", [None, [], "text", {"log_config": 1, "log_key": 2}, {"setup_vm_request": []}])
def test_odd_data_leaves_the_log_to_the_logging_section(data: Any) -> None:
    package = {"id": "t", "data": data, "logging": {"token": "other", "abstractions": {"a": "1"}}}
    target = target_of(AcquiredTask.model_validate(package))
    assert (target.url, target.token.get_secret_value(), target.key) == ("", "other", "a:1")


# ---------------------------------------------------------------------- through a runner


async def test_a_lost_reply_is_asked_again_by_the_same_instance(manager: EmbeddedManager, tmp_path: Path) -> None:
    manager.faults.add(Fault("acquire", FaultKind.LOSE_REPLY, times=2))  # one is sent again by the transport
    async with running(manager, tmp_path, {"fib": fib}):
        task = await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
    assert task.outcome is not None
    assert task.outcome.verdict is Verdict.SUCCEEDED
    first, again = task.events("acquired")[0], task.events("re-acquired")[0]
    assert first.instance_id == again.instance_id != first.delegate_id


@pytest.mark.parametrize("kind", [FaultKind.GARBAGE, FaultKind.TRUNCATED])
async def test_an_acquire_with_an_unreadable_reply_is_asked_again(
    manager: EmbeddedManager, tmp_path: Path, kind: FaultKind
) -> None:
    manager.faults.add(Fault("acquire", kind))
    async with running(manager, tmp_path, {"fib": fib}):
        task = await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
    assert len(task.events("re-acquired")) == 1


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_gateways_fault_is_asked_again(manager: EmbeddedManager, tmp_path: Path, status: int) -> None:
    manager.faults.add(Fault("acquire", FaultKind.STATUS, status=status))
    async with running(manager, tmp_path, {"fib": fib}):
        await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))


async def test_a_package_that_is_not_assigned_is_asked_for_again_when_listed(
    manager: EmbeddedManager, tmp_path: Path
) -> None:
    manager.faults.add(Fault("acquire", FaultKind.UNASSIGNED))
    async with running(manager, tmp_path, {"fib": fib}):
        task = await manager.wait_finished(manager.submit(Submission("fib", {"n": 1})))
    assert manager.state.calls["acquire"] == 2
    assert len(task.events("acquired")) == 1


async def test_a_forgotten_task_leaves_no_trace_in_the_journal(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    async with running(scripted, tmp_path, {"fib": fib}) as started:
        await scripted.seen("acquire")
        await eventually(lambda: started.runner.slots.used == 0)
        assert started.runner.snapshot().claimed == 0
    assert entries(tmp_path) == []


async def test_a_token_refused_at_an_acquire_ends_the_run(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", unauthorized("INVALID_TOKEN"))
    async with running(scripted, tmp_path, {"fib": fib}, drain_timeout=0.5) as started:
        error = await started.ended()
    assert error is not None
    assert error.exit_code == 4


async def test_a_rejected_package_is_reported_with_its_reason(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("t1"))
    scripted.on("acquire", lambda call: (200, package(call, secret_details={"x": {}})))
    async with running(scripted, tmp_path, {"fib": fib}):
        sent = (await scripted.seen("result")).json()
    assert sent["code"] == "FAILED"
    assert sent["data"]["error_message"].startswith("rejected: ")
    assert "decrypt" in sent["data"]["error_message"]


async def test_an_odd_id_survives_the_whole_way(scripted: ScriptedManager, tmp_path: Path) -> None:
    scripted.lists(event("a/b c%ä"))
    scripted.on("acquire", lambda call: (200, package(call, id="a/b c%ä")))
    async with running(scripted, tmp_path, {"fib": fib}):
        call = await scripted.seen("result")
    assert call.target.startswith("/api/agent/v2/tasks/a%2Fb%20c%25%C3%A4/delegates/dlg1?")
    assert call.json()["id"] == "a/b c%ä"


async def test_an_abort_says_that_a_task_is_ours_though_the_replies_were_lost(
    scripted: ScriptedManager, session: HarnessSession
) -> None:
    """It is not waited for the next try, which is a minute away."""
    scripted.on("acquire", (500, "<html>"))
    aborts = Aborts()
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await claim(session, Offer("t1", "fib"), aborts, again=True, pauses=[60.0]))

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await eventually(lambda: bool(scripted.calls))
            aborts.add("t1")
    (answer,) = answers
    assert isinstance(answer, Ended)
    assert (answer.task.id, answer.result) == ("t1", TaskResult.cancelled(CancelCause.SERVER))


async def test_half_a_surrogate_pair_in_the_data_loses_no_task(
    scripted: ScriptedManager, session: HarnessSession
) -> None:
    scripted.on("acquire", lambda call: (200, package(call, data={"text": "a\ud800b"})))
    task = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(task, Task)
    assert task.data == {"text": "a?b"}


_UNREADABLE = {
    "deeper than pydantic reads": "[" * 300 + "]" * 300,
    "deeper than Python reads": '{"a":[' * 30_000 + "]}" * 30_000,
    "a number of more digits than Python reads": "9" * 5000,
}


def package_text(call: Call, data: str, timeout: str = "60000") -> str:
    """A package whose data, and time, are written as they are given."""
    return json.dumps(package(call, data="DATA", timeout="TIME")).replace('"DATA"', data).replace('"TIME"', timeout)


@pytest.mark.parametrize("data", _UNREADABLE.values(), ids=_UNREADABLE)
async def test_data_that_no_parser_takes_is_rejected_at_once_instead_of_holding_a_slot(
    scripted: ScriptedManager, session: HarnessSession, data: str
) -> None:
    scripted.on("acquire", lambda call: (200, package_text(call, f'["a \\" [ quoted", {data}]')))
    answer = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(answer, Ended)
    assert answer.result.outcome is Outcome.REJECTED
    assert "nested" in answer.result.error
    assert answer.task.timeout == 60


async def test_unreadable_data_reaches_the_manager_as_a_result_and_the_next_task_is_run(
    scripted: ScriptedManager, tmp_path: Path
) -> None:
    scripted.lists(event("t1"), event("t2"))

    def acquired(call: Call) -> tuple[int, str]:
        return 200, package_text(call, "[" * 300 + "]" * 300 if "/t1/" in call.target else '{"n": 1}')

    scripted.on("acquire", acquired)
    async with running(scripted, tmp_path, {"fib": fib}, capacity=1):
        await scripted.seen("result", 2)
    told = {call.json()["id"]: call.json()["code"] for call in scripted.named("result")}
    assert told == {"t1": "FAILED", "t2": "OK"}


@pytest.mark.parametrize("time", ["9" * 400, "1e999", "NaN", "-5", '"soon"'])
async def test_a_time_that_is_none_loses_no_task(scripted: ScriptedManager, session: HarnessSession, time: str) -> None:
    scripted.on("acquire", lambda call: (200, package_text(call, "1", time)))
    task = await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert isinstance(task, Task)
    assert task.timeout is None


@pytest.mark.parametrize("text", ['{"id": "t1", "data": "canary', '["canary"]', '"canary', '[[[[[[["canary"'])
async def test_a_reply_that_is_no_package_is_a_fault_that_shows_nothing_of_it(
    scripted: ScriptedManager, session: HarnessSession, text: str
) -> None:
    """It may hold a task's data, and with them its secrets."""
    scripted.on("acquire", (200, text))
    with pytest.raises(ManagerFault, match="is it a Harness manager") as caught:
        await claim(session, Offer("t1", "fib"), Aborts(), again=False)
    assert "canary" not in str(caught.value)
