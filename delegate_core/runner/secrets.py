"""The secrets of a task's data: found, put in, and masked, before the task is dispatched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from delegate_core.handlers import TaskContext
from delegate_core.handlers.base import Execute
from delegate_core.hooks import Implementation
from delegate_core.model import JsonValue, Outcome, SecretTask, Task, TaskResult
from delegate_core.secrets import ExpressionError, SecretError, Template, builtin, parse
from delegate_core.settings import Reference
from delegate_core.settings.secretfrom import LARGEST_SECRET

__all__ = ["Secrets"]


class Secrets:
    """Where the secrets of one runner's tasks come from.

    A task's own come first: those of its secret tasks, in their order, each of which may use those before it. Then
    those that the runner's settings declare. Only what an expression names is resolved, each time anew.
    """

    def __init__(self, asked: Iterable[Implementation], declared: Mapping[str, Reference]) -> None:
        self._asked = list(asked)
        self._declared = declared

    def around(self, execute: Execute, sub_execute: Execute) -> Execute:
        """What executes a task with its secrets put in. ``sub_execute`` executes its secret tasks."""

        async def resolved(task: Task, context: TaskContext) -> TaskResult:
            try:
                task = await _Resolution(self, context, sub_execute).of(task)
            except _Ended as ended:
                return ended.result
            return await execute(task, context)

        return resolved

    def declares(self, name: str) -> bool:
        """Whether the settings say where this secret is."""
        return name in self._declared

    @property
    def names(self) -> Iterable[str]:
        """All that the settings declare."""
        return self._declared.keys()

    async def declared(self, name: str) -> str:
        """The value of a secret that the settings declare.

        Raises:
            SecretError: it cannot be had.
        """
        reference = self._declared[name]
        try:
            value: object = await self._ask(reference)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            kind = "" if isinstance(error, SecretError) else f"{type(error).__name__}: "
            raise SecretError(f"secret {name!r} ({reference}): {kind}{error}") from None
        if not isinstance(value, str) or not value:
            got = "an empty text" if value == "" else type(value).__name__
            raise SecretError(f"secret {name!r} ({reference}): its provider answered {got}")
        if excess := _excess(value):
            raise SecretError(f"secret {name!r} ({reference}): {excess}")
        return value

    async def _ask(self, reference: Reference) -> str:
        for implementation in self._asked:
            value: str | None = await implementation(provider=reference.provider, reference=reference.place)
            if value is not None:
                return value
        value = await builtin(reference.provider, reference.place)
        if value is None:
            raise SecretError("no plugin of this runner is such a provider; without one there are env, file and vault")
        return value


class _Ended(Exception):
    """The task has its result before it could begin."""

    def __init__(self, result: TaskResult) -> None:
        super().__init__(result.error)
        self.result = result


class _Resolution:
    """One task's secrets. Values are masked in its context before anybody gets them."""

    def __init__(self, secrets: Secrets, context: TaskContext, execute: Execute) -> None:
        self._secrets = secrets
        self._context = context
        self._execute = execute
        self._values: dict[str, str] = {}

    async def of(self, task: Task) -> Task:
        """The task as its handler is to see it.

        Raises:
            _Ended: it cannot run: its result.
        """
        template = self._template(task.data, (one.id for one in task.secrets))
        subs = self._checked(task)
        for sub, its in subs:
            self._own(sub.id, await self._run(sub, await self._filled(its)))
        return task.model_copy(update={"data": await self._filled(template), "secrets": ()})

    def _checked(self, task: Task) -> list[tuple[SecretTask, Template]]:
        """The secret tasks with their data read: what is wrong with one is found before the first runs."""
        before: list[str] = []
        checked: list[tuple[SecretTask, Template]] = []
        for one in task.secrets:
            if one.id in before:
                raise _Ended(TaskResult.rejected(f"two secrets have the id {one.id!r}"))
            try:
                checked.append((one, self._template(one.data, before)))
            except _Ended as ended:
                raise _Ended(_of_secret(one.id, ended.result)) from None
            before.append(one.id)
        return checked

    def _template(self, data: JsonValue, own: Iterable[str]) -> Template:
        try:
            template = parse(data)
            template.check({*own, *self._secrets.names})
        except ExpressionError as error:
            raise _Ended(TaskResult.rejected(str(error))) from None
        return template

    async def _filled(self, template: Template) -> JsonValue:
        for name in template.secrets:
            if name not in self._values:
                try:
                    self._own(name, await self._secrets.declared(name))
                except SecretError as error:
                    raise _Ended(TaskResult.failed(str(error))) from None
        try:
            filled = template.resolve(self._values)
        except ExpressionError as error:
            raise _Ended(TaskResult.failed(str(error))) from None
        self._context.mask(*filled.derived)
        return filled.data

    def _own(self, name: str, value: str) -> None:
        self._context.mask(value)
        self._values[name] = value

    async def _run(self, sub: SecretTask, data: JsonValue) -> str:
        """The value that a secret task answers. No error shows what it answered."""
        own = sub.executable and sub.executable.model_copy(update={"answer": "body"})
        task = Task(id=sub.id, type=sub.type, data=data, executable=own)
        async with self._context.part(task, f"secret-{len(self._values)}") as part:
            result = await self._execute(task, part)
        if result.outcome is not Outcome.SUCCEEDED:
            raise _Ended(_of_secret(sub.id, result))
        answer = _decoded(result.data)
        value = answer.get("value") if isinstance(answer, dict) else None
        if not isinstance(value, str) or not value:
            reason = f"the handler of {sub.type!r} must answer an object whose value is a text that is not empty"
            raise _Ended(TaskResult.failed(f"secret {sub.id!r}: {reason}"))
        if excess := _excess(value):
            raise _Ended(TaskResult.failed(f"secret {sub.id!r}: {excess}"))
        return value


def _excess(value: str) -> str:
    """Why a value is too large to be a secret; empty if it is not."""
    size = len(value.encode("utf-8", "surrogatepass"))
    most = LARGEST_SECRET // 1024
    return f"it has {size / 1024:.0f} KiB, and a secret has {most} at most" if size > LARGEST_SECRET else ""


def _decoded(answer: JsonValue) -> JsonValue:
    """An executable's answer without a type of its own comes as a text, and may be JSON all the same."""
    if not isinstance(answer, str):
        return answer
    try:
        decoded: JsonValue = json.loads(answer)
    except (ValueError, RecursionError):
        return answer
    return decoded


def _of_secret(name: str, result: TaskResult) -> TaskResult:
    """The task's result, whose secret ended so."""
    error = result.error.removeprefix("rejected: ")
    if result.outcome is Outcome.REJECTED:
        return TaskResult.rejected(f"secret {name!r}: {error}")
    return result.model_copy(update={"error": f"secret {name!r}: {error}", "data": None})
