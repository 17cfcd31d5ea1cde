"""What becomes of a result, in each of its forms."""

from typing import Any

import pytest

from delegate_harness.manager import EmbeddedManager, Outcome, Rules, Submission, TaskStatus, Verdict

from .delegate import BareDelegate, Clock, http_client


async def started(delegate: BareDelegate, **fields: Any) -> str:
    task_id = delegate.manager.submit(Submission("fib", **fields))
    assert (await delegate.acquire(task_id)).status_code == 200
    return task_id


def outcome(delegate: BareDelegate, task_id: str) -> Outcome:
    told = delegate.manager.task(task_id).outcome
    assert told is not None
    return told


async def test_a_result_ends_the_task_with_its_data(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    reply = await delegate.answer(task_id, data={"value": 55})
    assert (reply.status_code, reply.content) == (204, b"")
    told = outcome(delegate, task_id)
    assert told.result is not None
    assert (told.verdict, told.result.data) == (Verdict.SUCCEEDED, {"value": 55})


async def test_a_failed_result_tells_its_error(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    await delegate.answer(task_id, "FAILED", {"error_message": "no such number"})
    told = outcome(delegate, task_id)
    assert (told.verdict, told.message) == (Verdict.FAILED, "no such number")


@pytest.mark.parametrize("missing", ["id", "type", "code", "data"])
async def test_each_field_of_the_legacy_form_is_required(delegate: BareDelegate, missing: str) -> None:
    task_id = await started(delegate)
    body = {"id": task_id, "type": "fib", "code": "OK", "data": {}}
    del body[missing]
    reply = await delegate.answer_raw(task_id, body)
    assert reply.status_code == 400
    assert missing in reply.text
    assert not delegate.manager.task(task_id).finished


@pytest.mark.parametrize("data", [[], "text", None, 5])
async def test_legacy_data_must_be_an_object(delegate: BareDelegate, data: Any) -> None:
    task_id = await started(delegate)
    body = {"id": task_id, "type": "fib", "code": "OK", "data": data}
    assert (await delegate.answer_raw(task_id, body)).status_code == 400


@pytest.mark.parametrize("code", ["TIMEOUT", "ok", "", None])
async def test_legacy_knows_three_codes(delegate: BareDelegate, code: Any) -> None:
    task_id = await started(delegate)
    body = {"id": task_id, "type": "fib", "code": code, "data": {}}
    assert (await delegate.answer_raw(task_id, body)).status_code == 400


async def test_an_empty_body_is_refused(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    assert (await delegate.answer_raw(task_id, b"")).status_code == 400


async def test_no_value_of_a_refused_result_is_repeated_in_the_error(delegate: BareDelegate) -> None:
    body = {"id": "t", "type": "fib", "code": "OK", "data": "hush"}
    assert "hush" not in (await delegate.answer_raw("t", body)).text


async def test_repetitions_are_swallowed_and_change_nothing(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    for code in ("OK", "OK", "FAILED"):
        assert (await delegate.answer(task_id, code)).status_code == 204
    task = delegate.manager.task(task_id)
    assert outcome(delegate, task_id).verdict is Verdict.SUCCEEDED
    assert (len(task.events("duplicate")), len(task.events("conflict"))) == (1, 1)


async def test_a_result_for_an_unknown_task_is_swallowed_and_kept_as_a_stray(delegate: BareDelegate) -> None:
    assert (await delegate.answer("unknown")).status_code == 204
    assert [task_id for task_id, _ in delegate.manager.state.strays] == ["unknown"]


async def test_a_result_of_somebody_else_counts_and_is_noted(delegate: BareDelegate, other: BareDelegate) -> None:
    """The manager does not compare the sender; a test wants to know."""
    task_id = await started(delegate)
    await other.answer(task_id)
    assert outcome(delegate, task_id).verdict is Verdict.SUCCEEDED
    assert len(delegate.manager.task(task_id).events("unclaimed")) == 1


async def test_a_result_after_the_manager_gave_up_is_late(delegate: BareDelegate, clock: Clock) -> None:
    task_id = await started(delegate, timeout_ms=1_000)
    clock.advance(1)
    delegate.manager.state.tick()
    assert (await delegate.answer(task_id)).status_code == 204
    assert outcome(delegate, task_id).verdict is Verdict.EXPIRED
    assert len(delegate.manager.task(task_id).events("late")) == 1


async def test_a_retry_on_another_delegate_puts_the_task_back(delegate: BareDelegate, other: BareDelegate) -> None:
    task_id = await started(delegate)
    await delegate.answer(task_id, "RETRY_ON_OTHER_DELEGATE")
    assert await delegate.listed_ids() == await other.listed_ids() == [task_id]
    assert (await other.acquire(task_id)).status_code == 200


async def test_a_retry_with_nobody_left_untried_is_a_failure(delegate: BareDelegate, other: BareDelegate) -> None:
    task_id = await started(delegate)
    await delegate.answer(task_id, "RETRY_ON_OTHER_DELEGATE")
    await other.acquire(task_id)
    await other.answer(task_id, "RETRY_ON_OTHER_DELEGATE", {"error_message": "full"})
    told = outcome(delegate, task_id)
    assert (told.verdict, told.message) == (Verdict.FAILED, "full")


async def test_a_repeated_retry_takes_the_task_from_who_runs_it_by_now(
    delegate: BareDelegate, other: BareDelegate
) -> None:
    third = BareDelegate(delegate.manager, delegate.http)
    await third.register(delegateName="third", hostName="host-3")
    task_id = await started(delegate)
    await delegate.answer(task_id, "RETRY_ON_OTHER_DELEGATE")
    await other.acquire(task_id)
    await delegate.answer(task_id, "RETRY_ON_OTHER_DELEGATE")
    assert delegate.manager.task(task_id).status is TaskStatus.QUEUED


async def test_with_the_real_defect_a_task_put_back_can_be_acquired_by_nobody(clock: Clock) -> None:
    rules = Rules(requeue_keeps_instance=True)
    async with EmbeddedManager(clock=clock, rules=rules) as manager, http_client(manager) as http:
        delegate, other = BareDelegate(manager, http), BareDelegate(manager, http)
        await delegate.register()
        await other.register(hostName="host-2")
        task_id = await started(delegate)
        await delegate.answer(task_id, "RETRY_ON_OTHER_DELEGATE")
        assert await other.listed_ids() == [task_id]
        for each in (delegate, other):
            assert (await each.acquire(task_id)).status_code == 500


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("OK", Verdict.SUCCEEDED),
        ("FAILED", Verdict.FAILED),
        ("TIMEOUT", Verdict.TIMED_OUT),
        ("UNKNOWN", Verdict.FAILED),
    ],
)
async def test_the_runner_form_has_codes_of_its_own(delegate: BareDelegate, code: str, verdict: Verdict) -> None:
    task_id = await started(delegate, runner_response=True)
    assert (await delegate.respond(task_id, code, {"n": 1}, "because")).status_code == 204
    told = outcome(delegate, task_id)
    assert told.result is not None
    assert (told.verdict, told.message, told.result.data) == (verdict, "because", {"n": 1})


@pytest.mark.parametrize("change", [{"code": "RETRY_ON_OTHER_DELEGATE"}, {"data": "?"}, {"data": "eyJ"}])
async def test_the_runner_form_refuses_what_it_does_not_know(delegate: BareDelegate, change: dict[str, str]) -> None:
    body = {"id": "t", "type": "fib", "code": "OK", "error": "", "data": "", **change}
    params = {"delegateId": delegate.delegate_id}
    reply = await delegate.http.post("/api/executions/t/response", params=params, json=body)
    assert reply.status_code == 400


async def test_the_v2_status_names_a_runner(delegate: BareDelegate) -> None:
    task_id = await started(delegate)
    body = {"id": task_id, "type": "fib", "code": "OK", "error": "", "data": ""}
    params = {"runnerId": delegate.delegate_id}
    reply = await delegate.http.post(f"/api/executions/{task_id}/task-response", params=params, json=body)
    told = outcome(delegate, task_id)
    assert told.result is not None
    assert (reply.status_code, told.result.form, told.result.data) == (204, "v2", None)


VM_STEP = "DLITE_CI_VM_EXECUTE_TASK"


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        (VM_STEP, {"command_execution_status": "SUCCESS", "unheard_of": 1}, 204),
        (VM_STEP, {"command_execution_status": "TIMEOUT"}, 400),
        (VM_STEP, {"outputs": [{"key": "k", "value": "v", "type": "NUMBER"}]}, 400),
        (VM_STEP, {"service_statuses": [{"status": "ERROR"}]}, 204),
        ("CI_LE_STATUS", {"anything": 1}, 204),
        ("fib", {}, 500),
    ],
)
async def test_strictly_the_data_must_fit_the_class_of_its_type(
    clock: Clock, kind: str, data: dict[str, Any], status: int
) -> None:
    async with EmbeddedManager(clock=clock, rules=Rules(strict=True)) as manager, http_client(manager) as http:
        delegate = BareDelegate(manager, http)
        await delegate.register(supportedTaskTypes=[VM_STEP, "CI_LE_STATUS"])
        body = {"id": "t", "type": kind, "code": "OK", "data": data}
        assert (await delegate.answer_raw("t", body)).status_code == status
