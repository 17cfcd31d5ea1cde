"""What every kind of handler is: it serves tasks of one type, and is opened and closed with its runner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

from delegate_core.handlers.context import TaskContext
from delegate_core.model import Task, TaskResult
from delegate_core.settings import RunnerSettings

__all__ = ["Execute", "Serving", "TaskHandler"]

Execute = Callable[[Task, TaskContext], Awaitable[TaskResult]]
"""Executes one task and says what it came to."""


class TaskHandler(ABC):
    """Executes the tasks of one type, or of all types that a pattern matches; see ``delegate_core.handlers.patterns``.

    Attributes:
        kind: what it is, for people: ``function``, ``executable``, ``forward``, ``asgi``.
        task_type: the type or pattern it serves.
        limit: how many of its tasks may run at once; None: as many as there are slots.
        announce: for a pattern, the types that a server is told of: most give out only tasks of types that they know.
        engine: the engine that every one of its tasks needs, by its name: while that is down, none is taken.
        expressions: whether ``${{secrets.ID}}`` and ``<{ }>`` in the data are resolved before it gets them.
    """

    kind: ClassVar[str]
    expressions: bool = True

    def __init__(
        self,
        task_type: str,
        *,
        limit: int | None = None,
        engine: str | None = None,
        announce: Iterable[str] = (),
    ) -> None:
        self.task_type = task_type
        self.announce = tuple(announce)
        self.limit = limit
        self.engine = engine

    def __repr__(self) -> str:
        return f"<{self.kind} handler {self.task_type!r}: {self.origin}>"

    @property
    @abstractmethod
    def origin(self) -> str:
        """What executes the tasks, for people: a function's place, a program, an address. No secret is in it."""

    @abstractmethod
    def renamed(self, task_type: str) -> TaskHandler:
        """The same handler for another task type."""

    @abstractmethod
    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Execute one task, by a handler that no runner has opened."""

    def check(self) -> None:  # noqa: B027 - most have nothing to check
        """Find at the start what would fail at the first task.

        Raises:
            PluginError: it cannot execute any task; the text says why.
        """

    def secrets(self) -> frozenset[str]:
        """The names of the secrets that the settings must declare for it."""
        return frozenset()

    def unwrapped(self, task: Task) -> Task:
        """The task that a task of this type holds, which is executed in its place; of most types, the task itself.

        Raises:
            RequestProblem: it holds none.
        """
        return task

    @asynccontextmanager
    async def opened(self, settings: RunnerSettings) -> AsyncIterator[Execute]:  # noqa: ARG002 - for those that need it
        """Open it for one runner, and close it; yields what executes its tasks meanwhile.

        Raises:
            PluginError: it cannot be opened; the text says why.
        """
        yield self.execute


Serving: TypeAlias = TaskHandler | Callable[..., Any]
"""What a program may give under a task type: a handler of any kind, or a plain function."""
