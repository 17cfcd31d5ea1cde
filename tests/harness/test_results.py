"""From an outcome to the manager's two forms: every row of the table, with nothing in between."""

import base64
import json
from typing import Any

import pytest

from delegate_core.model import CancelCause, JsonValue, Task, TaskResult
from delegate_harness.client import encode
from delegate_harness.results import RETRY, legacy_body, runner_body

FIB = Task(id="t1", type="fib")
VM = Task(id="t1", type="DLITE_CI_VM_EXECUTE_TASK")

ROWS = [
    (TaskResult.succeeded({"n": 1}), "OK", {"n": 1}, "OK", ""),
    (TaskResult.failed("it broke"), "FAILED", {"error_message": "it broke"}, "FAILED", "it broke"),
    (
        TaskResult.timed_out(9.5),
        "FAILED",
        {"error_message": "timed out after 9.5s"},
        "TIMEOUT",
        "timed out after 9.5s",
    ),
    (TaskResult.cancelled(CancelCause.SERVER), "FAILED", {"error_message": "aborted"}, "FAILED", "aborted"),
    (
        TaskResult.cancelled(CancelCause.STOPPED),
        "FAILED",
        {"error_message": "runner stopped"},
        "FAILED",
        "runner stopped",
    ),
    (TaskResult.lost_in_crash(), "FAILED", {"error_message": "runner restarted"}, "FAILED", "runner restarted"),
    (TaskResult.rejected("why"), "FAILED", {"error_message": "rejected: why"}, "FAILED", "rejected: why"),
]
NAMES = ["succeeded", "failed", "timed out", "aborted", "stopped", "crashed", "rejected"]


def decoded(body: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(body["data"]))


@pytest.mark.parametrize(("result", "code", "data", "runner_code", "error"), ROWS, ids=NAMES)
def test_an_outcome_has_its_form(result: TaskResult, code: str, data: Any, runner_code: str, error: str) -> None:
    assert legacy_body(FIB, result) == {"id": "t1", "type": "fib", "code": code, "data": data}
    told = runner_body(FIB, result)
    assert (told["id"], told["type"], told["code"], told["error"]) == ("t1", "fib", runner_code, error)
    assert decoded(told) == result.data


@pytest.mark.parametrize(("result", "code", "data", "runner_code", "error"), ROWS, ids=NAMES)
def test_a_ci_task_that_did_not_succeed_has_the_status_too(
    result: TaskResult, code: str, data: Any, runner_code: str, error: str
) -> None:
    wanted = data if code == "OK" else {**data, "command_execution_status": "FAILURE"}
    assert legacy_body(VM, result)["data"] == wanted


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (None, {}),
        (7, {"result": 7}),
        ("x", {"result": "x"}),
        ([1], {"result": [1]}),
        ({}, {}),
        ({"a": None}, {"a": None}),
    ],
)
def test_legacy_data_is_always_an_object(data: Any, sent: dict[str, Any]) -> None:
    assert legacy_body(FIB, TaskResult.succeeded(data))["data"] == sent


def test_a_step_that_exits_non_zero_is_ok_with_the_failure_in_its_data() -> None:
    data: dict[str, JsonValue] = {"command_execution_status": "FAILURE", "error_message": "exit status 1"}
    body = legacy_body(VM, TaskResult.succeeded(data))
    assert (body["code"], body["data"]) == ("OK", data)


def test_what_a_failed_handler_returned_goes_along() -> None:
    result = TaskResult.failed("it broke", {"command_execution_status": "TIMEOUT", "outputs": [1]})
    wanted = {"command_execution_status": "FAILURE", "outputs": [1], "error_message": "it broke"}
    assert legacy_body(VM, result)["data"] == wanted


def test_the_code_for_another_delegate_is_given_on_request_only() -> None:
    body = legacy_body(FIB, TaskResult.rejected("why"), code=RETRY)
    assert (body["code"], body["data"]) == ("RETRY_ON_OTHER_DELEGATE", {"error_message": "rejected: why"})


@pytest.mark.parametrize("odd", ["half \ud83d a pair", "\udcff", "\x00", "\u2028", "𝄞"])
def test_any_text_of_a_handler_can_be_sent(odd: str) -> None:
    data: dict[str, JsonValue] = {odd: odd}
    for body in (legacy_body(FIB, TaskResult.failed(odd, data)), runner_body(FIB, TaskResult.succeeded(odd))):
        assert json.loads(encode(body)) == body


def test_numbers_that_json_does_not_know_are_sent_as_text() -> None:
    body = legacy_body(FIB, TaskResult.succeeded({"a": float("nan"), "b": float("inf")}))
    assert json.loads(encode(body))["data"] == {"a": "NaN", "b": "Infinity"}
