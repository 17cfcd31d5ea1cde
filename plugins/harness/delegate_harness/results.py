"""From a task's outcome to the manager's two forms of a result."""

from __future__ import annotations

import base64
from typing import Any

from delegate_core.model import JsonValue, Outcome, Task, TaskResult
from delegate_harness.client import encode

__all__ = ["RETRY", "legacy_body", "runner_body"]

RETRY = "RETRY_ON_OTHER_DELEGATE"

_STATUS_TYPES = ("CI_LE_STATUS", "DLITE_CI_VM_")
"""Types whose data is bound to a class with a ``command_execution_status``."""


def legacy_body(task: Task, result: TaskResult, *, code: str | None = None) -> dict[str, Any]:
    """The legacy form. The manager's parser wants id, type, code and data, and data to be an object."""
    return {
        "id": task.id,
        "type": task.type,
        "code": code or ("OK" if result.outcome is Outcome.SUCCEEDED else "FAILED"),
        "data": _legacy_data(task, result),
    }


def _legacy_data(task: Task, result: TaskResult) -> dict[str, JsonValue]:
    data = _object(result.data)
    if result.outcome is not Outcome.SUCCEEDED:
        data = {**data, "error_message": result.error}
        if task.type.startswith(_STATUS_TYPES):
            data["command_execution_status"] = "FAILURE"
    return data


def _object(data: JsonValue) -> dict[str, JsonValue]:
    if isinstance(data, dict):
        return data
    return {} if data is None else {"result": data}


def runner_body(task: Task, result: TaskResult) -> dict[str, Any]:
    """The runner's form, which the V2 status shares: the data travels as base64 of its JSON."""
    codes = {Outcome.SUCCEEDED: "OK", Outcome.TIMED_OUT: "TIMEOUT"}
    return {
        "id": task.id,
        "type": task.type,
        "code": codes.get(result.outcome, "FAILED"),
        "error": result.error,
        "data": base64.b64encode(encode(result.data)).decode(),
    }
