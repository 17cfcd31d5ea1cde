"""The manager's JSON as models.

Unknown fields are ignored, and a value of the wrong kind is as good as none: a task that is ours must not be lost
because a field that nobody needs has changed.
"""

from __future__ import annotations

import logging
import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

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


_log = logging.getLogger(__name__)


def _or_empty(kind: type, *others: type) -> BeforeValidator:
    """Another kind of value counts as an empty one of this kind."""
    return BeforeValidator(lambda value: value if isinstance(value, (kind, *others)) else kind())


def _milliseconds(value: object) -> int:
    known = isinstance(value, int | float) and math.isfinite(value)
    return int(value) if known else 0  # type: ignore[call-overload]  # known says that it is a number


_or_none = BeforeValidator(lambda value: value if isinstance(value, dict) else None)

Text = Annotated[str, _or_empty(str)]
Flag = Annotated[bool, _or_empty(bool)]


class _Reply(BaseModel):
    model_config = ConfigDict(populate_by_name=True, frozen=True)


class Registered(_Reply):
    """The resource of the reply to register."""

    delegate_id: Text = Field("", alias="delegateId")
    action: Text = ""
    migrate_url: Text = Field("", alias="migrateUrl")


class RegisterReply(_Reply):
    """The reply to register. Without a resource the manager did not take us (a source-address allow-list, say)."""

    resource: Annotated[Registered | None, _or_none] = None


class Heartbeat(_Reply):
    """The resource of the reply to a heartbeat. The orders that registering is given may come here too."""

    status: Text = ""
    action: Text = ""
    migrate_url: Text = Field("", alias="migrateUrl")


class HeartbeatReply(_Reply):
    """The reply to a heartbeat."""

    resource: Annotated[Heartbeat | None, _or_none] = None


class TaskEvent(_Reply):
    """One entry of task-events: a task that is to be had, or an abort."""

    event_type: Text = Field("", alias="eventType")
    task_id: Text = Field("", alias="delegateTaskId")
    task_type: Text = Field("", alias="taskType")
    sync: Flag = False


def _readable(events: object) -> list[TaskEvent]:
    """The events that can be read. An abort comes in one reply only: another entry must not hide it."""
    found: list[TaskEvent] = []
    for event in events if isinstance(events, list) else ():
        try:
            found.append(TaskEvent.model_validate(event))
        except ValidationError:
            _log.warning("the manager lists something that is no task event (%s)", type(event).__name__)
    return found


class TaskEvents(_Reply):
    """The reply to task-events."""

    events: Annotated[list[TaskEvent], BeforeValidator(_readable)] = Field([], alias="delegateTaskEvents")


class Logging(_Reply):
    """Where and as whom to log. The token is for the log service."""

    token: Text = Field("", repr=False)
    abstractions: Annotated[dict[str, Any], _or_empty(dict)] = {}


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
    logging: Annotated[Logging, _or_empty(Logging, dict)] = Logging()
    delegate: Annotated[Assigned, _or_empty(Assigned, dict)] = Assigned()
    secrets: Annotated[list[Any], _or_empty(list)] = Field([], repr=False)
    """Clear values that must be masked in the task's output."""
    encryption_configs: Any = Field(None, repr=False)
    secret_details: Any = Field(None, repr=False)


class Message(_Reply):
    """One message of an error."""

    code: Text = ""
    message: Text = ""


def _objects(value: object) -> list[object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


class ErrorReply(_Reply):
    """The body of a manager's error."""

    messages: Annotated[list[Message], BeforeValidator(_objects)] = Field([], alias="responseMessages")
