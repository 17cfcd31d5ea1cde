"""The manager's JSON as models.

Unknown fields are ignored, and a value of the wrong kind is as good as none: a task that is ours must not be lost
because a field that nobody needs has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, OnErrorOmit
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "ABORT",
    "AcquiredTask",
    "ErrorReply",
    "Heartbeat",
    "HeartbeatReply",
    "Logging",
    "Message",
    "RegisterReply",
    "Registered",
    "TaskEvent",
    "TaskEvents",
]

ABORT = "DelegateTaskAbortEvent"

_FOR_EVER = 1000 * 366 * 24 * 3600 * 1000.0
"""Milliseconds; a number of hundreds of digits is no time, and cannot be calculated with."""


class _OrEmpty:
    """A value of another kind counts as an empty one. Within pydantic's core: a list may have hundreds of tasks."""

    def __init__(self, empty: Callable[[], object]) -> None:
        self._empty = empty

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default_factory=self._empty, on_error="default")


def _none() -> None:
    return None


def _milliseconds(value: object) -> int:
    """What is no number, or of a thousand years, names no time."""
    return int(value) if isinstance(value, int | float) and 0 < value < _FOR_EVER else 0


Text = Annotated[str, _OrEmpty(str)]
Flag = Annotated[bool, _OrEmpty(bool)]


class _Reply(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True)


class Registered(_Reply):
    """The resource of the reply to register."""

    delegate_id: Text = Field("", alias="delegateId")
    action: Text = ""
    migrate_url: Text = Field("", alias="migrateUrl")


class RegisterReply(_Reply):
    """The reply to register. Without a resource the manager did not take us (a source-address allow-list, say)."""

    resource: Annotated[Registered | None, _OrEmpty(_none)] = None


class Heartbeat(_Reply):
    """The resource of the reply to a heartbeat. The orders that registering is given may come here too."""

    status: Text = ""
    action: Text = ""
    migrate_url: Text = Field("", alias="migrateUrl")


class HeartbeatReply(_Reply):
    """The reply to a heartbeat."""

    resource: Annotated[Heartbeat | None, _OrEmpty(_none)] = None


class TaskEvent(_Reply):
    """One entry of task-events: a task that is to be had, or an abort."""

    event_type: Text = Field("", alias="eventType")
    task_id: Text = Field("", alias="delegateTaskId")
    task_type: Text = Field("", alias="taskType")
    sync: Flag = False


class TaskEvents(_Reply):
    """The reply to task-events.

    What is no event is left out: an abort comes in one reply only, and another entry must not hide it.
    """

    events: Annotated[list[OnErrorOmit[TaskEvent]], _OrEmpty(list)] = Field([], alias="delegateTaskEvents")


class Logging(_Reply):
    """Where and as whom to log. The token is for the log service."""

    token: Text = Field("", repr=False)
    abstractions: Annotated[dict[str, Any], _OrEmpty(dict)] = {}


class Assigned(_Reply):
    """To whom a task was assigned."""

    id: Text = ""
    instance_id: Text = ""


class AcquiredTask(_Reply):
    """The package that acquire answers with; without an id the task is not to be had."""

    id: Text = ""
    type: Text = ""
    data: Any = None
    timeout: Annotated[int, BeforeValidator(_milliseconds)] = 0
    """Milliseconds; 0: the manager names none."""
    runner_response: Flag = Field(False, alias="runnerResponse")
    logging: Annotated[Logging, _OrEmpty(Logging)] = Logging()
    delegate: Annotated[Assigned, _OrEmpty(Assigned)] = Assigned()
    secrets: Annotated[list[Any], _OrEmpty(list)] = Field([], repr=False)
    """Clear values that must be masked in the task's output."""
    encryption_configs: Any = Field(None, repr=False)
    secret_details: Any = Field(None, repr=False)


class Message(_Reply):
    """One message of an error."""

    code: Text = ""
    message: Text = ""


class ErrorReply(_Reply):
    """The body of a manager's error."""

    messages: Annotated[list[OnErrorOmit[Message]], _OrEmpty(list)] = Field([], alias="responseMessages")
