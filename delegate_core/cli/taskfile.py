"""The file of ``delegate task``: one task, or a request with a task and its secret tasks.

::

    {"type": "fib", "data": {"n": 10}, "timeout": "30s"}

    {"task": {"type": "deploy", "data": {"key": "${{secrets.k}}"}},
     "secrets": [{"id": "k", "type": "read-key", "data": {}}]}

``data`` is any JSON; a text that is the base64 of a JSON object or array stands for that, as other tools write it.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from typing import Annotated, Any
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from delegate_core.errors import SettingsError
from delegate_core.model import SecretTask, Task
from delegate_core.settings import PositiveDuration

__all__ = ["read_task"]


def _decoded(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        value = json.loads(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return data
    return value if isinstance(value, dict | list) else data


Data = Annotated[JsonValue, BeforeValidator(_decoded)]


class _Sub(BaseModel):
    """A secret task. What other tools add to one is passed over: nothing in a task chooses what executes it."""

    model_config = ConfigDict(extra="ignore")

    driver: Any = None
    config: Any = None

    id: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    data: Data = None


class _Task(_Sub):
    id: Annotated[str, Field(min_length=1, default_factory=lambda: uuid4().hex)]
    timeout: PositiveDuration | None = None
    secrets: list[_Sub] = []


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")

    task: _Task
    secrets: list[_Sub] | None = None


def read_task(text: str, named: str, timeout: float | None) -> Task:
    """The task that a file describes.

    Args:
        text: the file's content.
        named: the file, for errors.
        timeout: seconds, before those of the file.

    Raises:
        SettingsError: what is wrong with it, and where; no value is shown, since it may be a secret.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{named}: no JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise SettingsError(f"{named}: nested too deeply") from None
    if not isinstance(value, dict):
        raise SettingsError(f'{named}: it must hold an object: {{"type": "TYPE", "data": ...}}')
    try:
        request = _Request.model_validate(value if "task" in value else {"task": value})
    except ValidationError as error:
        raise SettingsError("\n".join(f"{named}: {line}" for line in _problems(error, "task" in value))) from None
    if any(one.driver or one.config for one in (request.task, *(request.secrets or []))):
        sys.stderr.write(
            "delegate: driver and config are passed over: [handler.TYPE] in delegate.toml says what they say\n"
        )
    return _made(request, timeout)


def _made(request: _Request, timeout: float | None) -> Task:
    task = request.task
    subs = [*(request.secrets or []), *task.secrets]
    return Task(
        id=task.id,
        type=task.type,
        data=task.data,
        timeout=_granted(timeout or task.timeout),
        secrets=tuple(SecretTask(id=one.id, type=one.type, data=one.data) for one in subs),
    )


def _granted(seconds: float | None) -> float | None:
    """What a server would have to grant, so that the task has so many seconds: a runner keeps a margin of it."""
    return seconds and max(seconds / 0.9 if seconds < 45 else seconds + 5.0, seconds)


def _problems(error: ValidationError, is_request: bool) -> list[str]:  # noqa: FBT001 - private
    return [
        f"{'.'.join(map(str, each['loc'] if is_request else each['loc'][1:])) or 'task'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
