"""Requests: a task written in JSON, with the secret tasks and the executables that it brings, as go-task has it.

::

    {"type": "fib", "data": {"n": 10}}

    {"task": {"type": "deploy", "data": {"key": "${{secrets.k}}"}},
     "secrets": [{"id": "k", "type": "read-key", "data": {}}]}

``data`` and ``config`` are any JSON; a text that is the base64 of a JSON object or array stands for that. ``delegate
task`` reads a request from a file. A server's task whose data is one needs a handler that says so::

    [handler.cgi]
    request = true
    executables = "verified"

The task's own ``timeout`` is for ``delegate task`` only: a server says itself how long its tasks may take.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, ClassVar, Literal, TypeAlias
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from delegate_core.handlers.base import TaskHandler
from delegate_core.handlers.context import TaskContext
from delegate_core.handlers.options import checked
from delegate_core.model import OwnExecutable, SecretTask, Task, TaskResult
from delegate_core.settings import PositiveDuration

__all__ = ["Request", "RequestHandler", "RequestOptions", "RequestProblem", "Trust", "request"]

Trust: TypeAlias = Literal["none", "verified", "any"]
"""Which executables a task may bring itself; see `delegate_core.model.OwnExecutable`."""


def _decoded(data: Any) -> Any:
    if not isinstance(data, str):
        return data
    try:
        value = json.loads(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return data
    return value if isinstance(value, dict | list) else data


Data = Annotated[JsonValue, BeforeValidator(_decoded)]


class RequestProblem(ValueError):
    """What is wrong with a request, a line each, and where; no value is shown, since it may be a secret."""


class _Sub(BaseModel):
    """A secret task. What other tools add to one is passed over."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1)]
    data: Data = None
    driver: str | None = None
    config: Data = None

    def executable(self, trust: Trust) -> OwnExecutable | None:
        if not self.config and not self.driver:
            return None
        return OwnExecutable(config=self.config, driver=self.driver or "", trust=trust)

    def secret(self, trust: Trust) -> SecretTask:
        return SecretTask(id=self.id, type=self.type, data=self.data, executable=self.executable(trust))


class _Task(_Sub):
    id: Annotated[str, Field(min_length=1, default_factory=lambda: uuid4().hex)]
    timeout: PositiveDuration | None = None
    secrets: list[_Sub] = []


class Request(BaseModel):
    """A request that was read."""

    model_config = ConfigDict(extra="ignore")

    task: _Task
    secrets: list[_Sub] | None = None

    @classmethod
    def read(cls, value: JsonValue) -> Request:
        """Read one: a request, or a task alone.

        Raises:
            RequestProblem: it is none.
        """
        if not isinstance(value, dict):
            raise RequestProblem('it must hold an object: {"type": "TYPE", "data": ...}')
        try:
            return cls.model_validate(value if "task" in value else {"task": value})
        except ValidationError as error:
            raise RequestProblem("\n".join(_problems(error, "task" in value))) from None

    def as_task(self, trust: Trust) -> Task:
        """The task; what it brings to be executed itself is trusted so far."""
        task = self.task
        subs = [*(self.secrets or []), *task.secrets]
        return Task(
            id=task.id,
            type=task.type,
            data=task.data,
            timeout=task.timeout,
            secrets=tuple(one.secret(trust) for one in subs),
            executable=task.executable(trust),
        )


def _problems(error: ValidationError, is_request: bool) -> list[str]:  # noqa: FBT001 - private
    return [
        f"{'.'.join(map(str, each['loc'] if is_request else each['loc'][1:])) or 'task'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]


class RequestOptions(BaseModel):
    """What may be declared of a task type whose tasks hold requests.

    Attributes:
        request: true.
        executables: which executables its tasks may bring themselves: ``none``, ``verified`` ones, which a sha256 or a
            commit names, or ``any``. Whoever may give this runner such tasks decides what runs on this machine.
        limit: tasks of this type at the same time.
        announce: for a pattern, the task types that a server is told of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: Literal[True]
    executables: Trust = "none"
    limit: Annotated[int, Field(ge=1)] | None = None
    announce: tuple[str, ...] = ()


class RequestHandler(TaskHandler):
    """Takes the request out of a task's data; what is in it is executed in its place, by the handler of its type."""

    kind: ClassVar[str] = "request"
    expressions = False
    """Those within belong to the task within."""

    def __init__(self, task_type: str, options: RequestOptions) -> None:
        super().__init__(task_type, limit=options.limit, announce=options.announce)
        self.options = options

    @property
    def origin(self) -> str:
        """What it allows."""
        allowed = {"none": "no executables", "verified": "verified executables", "any": "any executables"}
        return f"tasks that bring {allowed[self.options.executables]} of their own"

    def renamed(self, task_type: str) -> RequestHandler:
        """The same for another task type."""
        return RequestHandler(task_type, self.options)

    def unwrapped(self, task: Task) -> Task:
        """The task within, under the id and the time that the server gave to the outer one.

        Raises:
            RequestProblem: the data is no request.
        """
        within = Request.read(task.data).as_task(self.options.executables)
        brought = {"type": within.type, "data": within.data, "secrets": within.secrets, "executable": within.executable}
        return task.model_copy(update=brought)

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:  # noqa: ARG002 - as every handler's
        """Only where one request holds another: the first was taken apart before its handler was looked for."""
        return TaskResult.rejected(f"a request of type {task.type!r} within a request: give the task itself")


def request(task_type: str, **options: Any) -> RequestHandler:
    """A handler for tasks whose data is a request: a task, its secret tasks, and executables that they bring.

    ::

        request("cgi", executables="verified")

    Args:
        task_type: the type, or a pattern.
        options: the fields of `RequestOptions`.

    Raises:
        PluginError: an option cannot be used.
    """
    return RequestHandler(task_type, checked(RequestOptions, task_type, {"request": True, **options}))
