"""The manager's JSON as models. Imported by the client only; unknown fields are ignored, null is as good as absent."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "ABORT",
    "AcquiredTask",
    "ErrorReply",
    "Heartbeat",
    "HeartbeatReply",
    "Logging",
    "RegisterReply",
    "Registered",
    "TaskEvent",
    "TaskEvents",
]

ABORT = "DelegateTaskAbortEvent"


def _null_is_empty(kind: type) -> BeforeValidator:
    return BeforeValidator(lambda value: kind() if value is None else value)


Text = Annotated[str, _null_is_empty(str)]


class _Reply(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True)


class Registered(_Reply):
    """The resource of the reply to register."""

    delegate_id: Text = Field("", alias="delegateId")
    action: Text = ""
    migrate_url: Text = Field("", alias="migrateUrl")


class RegisterReply(_Reply):
    """The reply to register. Without a resource the manager did not take us (a source-address allow-list, say)."""

    resource: Registered | None = None


class Heartbeat(_Reply):
    """The resource of the reply to a heartbeat."""

    status: Text = ""


class HeartbeatReply(_Reply):
    """The reply to a heartbeat."""

    resource: Heartbeat | None = None


class TaskEvent(_Reply):
    """One entry of task-events: a task that is to be had, or an abort."""

    event_type: Text = Field("", alias="eventType")
    task_id: Text = Field("", alias="delegateTaskId")
    task_type: Text = Field("", alias="taskType")
    sync: Annotated[bool, _null_is_empty(bool)] = False


class TaskEvents(_Reply):
    """The reply to task-events."""

    events: Annotated[list[TaskEvent], _null_is_empty(list)] = Field(default_factory=list, alias="delegateTaskEvents")


class Logging(_Reply):
    """Where and as whom to log. The token is for the log service."""

    token: Text = Field("", repr=False)
    abstractions: Annotated[dict[str, Any], _null_is_empty(dict)] = {}


class Assigned(_Reply):
    """To whom a task was assigned."""

    id: Text = ""
    instance_id: Text = ""


class AcquiredTask(_Reply):
    """The package that acquire answers with; without an id the task is not to be had."""

    id: Text = ""
    type: Text = ""
    data: Any = None
    timeout: Annotated[int, _null_is_empty(int)] = 0
    """Milliseconds; 0: the manager names none."""
    runner_response: Annotated[bool, _null_is_empty(bool)] = Field(False, alias="runnerResponse")
    logging: Annotated[Logging, _null_is_empty(Logging)] = Logging()
    delegate: Annotated[Assigned, _null_is_empty(Assigned)] = Assigned()
    secrets: Annotated[list[Any], _null_is_empty(list)] = Field([], repr=False)
    """Clear values that must be masked in the task's output."""
    encryption_configs: Any = Field(None, repr=False)
    secret_details: Any = Field(None, repr=False)


class Message(_Reply):
    """One message of an error."""

    code: Text = ""
    message: Text = ""


class ErrorReply(_Reply):
    """The body of a manager's error."""

    messages: Annotated[list[Message], _null_is_empty(list)] = Field(default_factory=list, alias="responseMessages")
