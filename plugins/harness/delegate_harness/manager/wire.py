"""The JSON of the manager's interface: requests as models, replies as plain objects.

Replies are built by hand, not by models, since the poll and the acquire are called all the time.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from .records import Delegate, DelegateStatus, Result, ResultCode, TaskRecord

__all__ = [
    "STRICT_TYPES",
    "Capacity",
    "LegacyResult",
    "Registration",
    "RunnerResult",
    "Unregistration",
    "VmTaskResponse",
    "abort_event",
    "directive",
    "failure",
    "heartbeat_reply",
    "package",
    "registered",
    "task_event",
    "without_nulls",
    "wrapped",
]

STRICT_TYPES = frozenset(
    {
        "CI_LE_STATUS",
        "DLITE_CI_VM_CAPACITY_TASK",
        "DLITE_CI_VM_CLEANUP_TASK",
        "DLITE_CI_VM_CLEANUP_TASK_V2",
        "DLITE_CI_VM_EXECUTE_TASK",
        "DLITE_CI_VM_EXECUTE_TASK_V2",
        "DLITE_CI_VM_INITIALIZE_TASK",
    }
)
"""The task types whose parameters and responses the real manager can hold as JSON."""


class _Request(BaseModel):
    """A request body: camel case on the wire, unknown fields ignored, null the same as missing."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        return without_nulls(data)


class Registration(_Request):
    """Body of register and heartbeat-with-polling; everything is optional."""

    delegate_id: str | None = None
    delegate_name: str | None = None
    delegate_group_name: str | None = None
    host_name: str | None = None
    ip: str | None = None
    ng: bool = False
    delegate_type: str | None = None
    immutable: bool = False
    supported_task_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sequence_num: int | None = None
    delegate_random_token: str | None = None
    delegate_connection_id: str | None = None

    @property
    def group(self) -> str:
        """The group the delegate belongs to; the name makes one where none is given."""
        return self.delegate_group_name or self.delegate_name or ""


class Unregistration(_Request):
    """Body of unregister; its delegateId is of no account."""

    host_name: str | None = None
    ip_address: str | None = None
    ng: bool = False
    delegate_type: str | None = None


class Capacity(_Request):
    """Body of register-delegate-capacity."""

    maximum_number_of_builds: int | None = None


class LegacyResult(BaseModel):
    """Body of the legacy result call: all four fields are required, data must be an object."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    type: str
    code: Literal["OK", "FAILED", "RETRY_ON_OTHER_DELEGATE"]
    data: dict[str, Any]

    def result(self, sender: str) -> Result:
        """The same as the value the manager keeps."""
        return Result(ResultCode(self.code), self.data, "legacy", sender)


class RunnerResult(BaseModel):
    """Body of the runner form and of the V2 status: data is the base64 of JSON, or empty."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    type: str
    code: Literal["OK", "FAILED", "TIMEOUT", "UNKNOWN"]
    error: str = ""
    data: str | None = None

    def result(self, form: str, sender: str) -> Result:
        """The same as the value the manager keeps, its data decoded.

        Raises:
            ValueError: The data is not base64 of JSON.
        """
        return Result(ResultCode(self.code), _decoded(self.data), form, sender, self.error)


def _decoded(data: str | None) -> Any:
    if not data:
        return None
    try:
        return json.loads(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError(f"data is not the base64 of JSON: {error}") from error


class _ServiceStatus(BaseModel):
    status: Literal["RUNNING", "ERROR"] | None = None


class _Output(BaseModel):
    type: Literal["STRING", "SECRET"] | None = None


class VmTaskResponse(BaseModel):
    """What the manager binds the data of a CI VM task to: unknown fields pass, unknown enum values do not."""

    command_execution_status: Literal["SUCCESS", "FAILURE", "RUNNING", "QUEUED", "SKIPPED"] | None = None
    error_message: str | None = None
    ip_address: str | None = None
    output_vars: dict[str, str] | None = None
    outputs: list[_Output] | None = None
    service_statuses: list[_ServiceStatus] | None = None


def without_nulls(data: Any) -> Any:
    """An object without its null fields, as the manager's JSON readers take it; anything else as it is."""
    if not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if value is not None}


def wrapped(resource: Any) -> dict[str, Any]:
    """A reply in the manager's success wrapper."""
    return {"metaData": {}, "resource": resource, "responseMessages": []}


def failure(code: str, message: str) -> dict[str, Any]:
    """The body of an error reply."""
    messages = [{"code": code, "level": "ERROR", "message": message}]
    return {"metaData": {}, "resource": None, "responseMessages": messages}


def registered(delegate: Delegate, registration: Registration) -> dict[str, Any]:
    """The resource of a register reply that admits the delegate."""
    return {
        "delegateId": delegate.delegate_id,
        "action": None,
        "migrateUrl": None,
        "sequenceNum": registration.sequence_num,
        "delegateRandomToken": registration.delegate_random_token,
    }


def directive(action: str, url: str | None) -> dict[str, Any]:
    """The resource of a reply that orders the delegate away: it has no id."""
    return {"delegateId": None, "action": action, "migrateUrl": url}


def heartbeat_reply(status: DelegateStatus, heartbeat: Registration) -> dict[str, Any]:
    """The resource of a heartbeat reply."""
    return {
        "delegateId": heartbeat.delegate_id,
        "status": status.value,
        "useCdn": False,
        "jreVersion": "",
        "delegateRandomToken": heartbeat.delegate_random_token,
        "sequenceNumber": heartbeat.sequence_num,
    }


def task_event(task: TaskRecord) -> dict[str, Any]:
    """A task to acquire, as a poll lists it."""
    return {
        "eventType": "DelegateTaskEvent",
        "accountId": task.account_id,
        "delegateTaskId": task.task_id,
        "sync": task.spec.sync,
        "taskType": task.spec.type,
    }


def abort_event(account_id: str, task_id: str) -> dict[str, Any]:
    """An abort, as a poll lists it."""
    return {
        "eventType": "DelegateTaskAbortEvent",
        "accountId": account_id,
        "delegateTaskId": task_id,
        "sync": False,
        "taskType": None,
    }


def package(task: TaskRecord, delegate_id: str, instance_id: str, log_token: str) -> dict[str, Any]:
    """The body of a successful acquire; an empty ``instance_id`` means *not assigned to you*."""
    return {
        "id": task.task_id,
        "type": task.spec.type,
        "data": task.spec.data,
        "async": not task.spec.sync,
        "timeout": task.spec.timeout_ms,
        "runnerResponse": task.spec.runner_response,
        "logging": {"token": log_token, "abstractions": task.spec.abstractions},
        "delegate": {"id": delegate_id, "instance_id": instance_id, "token": ""},
        "encryption_configs": {},
        "secret_details": {},
        "secrets": task.spec.secrets,
        "capabilities": [],
    }
