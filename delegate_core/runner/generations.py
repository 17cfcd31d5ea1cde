"""The handlers that serve at present, and those of before, which stay open until their last task is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from delegate_core.errors import DelegateError
from delegate_core.handlers import HandlerRegistry, OpenHandlers, TaskContext
from delegate_core.handlers.base import Execute
from delegate_core.model import Task, TaskResult
from delegate_core.settings import RunnerSettings

__all__ = ["Generations"]


class _Generation:
    """One set of open handlers, and how many tasks use it."""

    def __init__(self, handlers: OpenHandlers) -> None:
        self.handlers = handlers
        self.over = anyio.Event()
        self._users = 0
        self._retired = False

    def retire(self) -> None:
        """No further task will use it."""
        self._retired = True
        self._look()

    def counted(self, execute: Execute) -> Execute:
        """What executes, counted while it does."""

        async def counting(task: Task, context: TaskContext) -> TaskResult:
            self._users += 1
            try:
                return await execute(task, context)
            finally:
                self._users -= 1
                self._look()

        return counting

    def _look(self) -> None:
        if self._retired and not self._users:
            self.over.set()


class Generations:
    """The open handlers of one runner; a new set takes the place of the old one between two tasks."""

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group
        self._all: list[_Generation] = []

    @classmethod
    @asynccontextmanager
    async def opened(cls, registry: HandlerRegistry, settings: RunnerSettings) -> AsyncIterator[Generations]:
        """Open the first set; close what is open at the end.

        Raises:
            DelegateError: one of its handlers cannot be opened.
        """
        ended: DelegateError | None = None
        async with anyio.create_task_group() as group:
            generations = cls(group)
            try:
                await generations.replace(registry, settings)
                yield generations
            except DelegateError as error:
                ended = error  # raised outside, where no group wraps it
            for one in generations._all:
                one.over.set()
        if ended is not None:
            raise ended

    async def replace(self, registry: HandlerRegistry, settings: RunnerSettings) -> None:
        """Open a new set, and use it for every task from now on.

        Raises:
            DelegateError: one of its handlers cannot be opened. The old set goes on.
        """
        await self._group.start(self._keep, registry, settings)

    async def _keep(
        self, registry: HandlerRegistry, settings: RunnerSettings, *, task_status: anyio.abc.TaskStatus[None]
    ) -> None:
        async with registry.opened(settings) as handlers:
            generation = _Generation(handlers)
            before = self._all[-1:]
            self._all.append(generation)
            task_status.started()
            for one in before:
                one.retire()
            await generation.over.wait()
            self._all.remove(generation)

    def find(self, task_type: str) -> Execute | None:
        """What executes the tasks of a type."""
        found = self._all[-1].handlers.find(task_type)
        return None if found is None else self._all[-1].counted(found)

    def unwrapped(self, task: Task) -> Task:
        """The task that a task holds, where its type is one of requests; else itself.

        Raises:
            RequestProblem: it should hold one, and does not.
        """
        return self._all[-1].handlers.unwrapped(task)

    def takes_expressions(self, task_type: str) -> bool:
        """Whether expressions in data of this type are ours to resolve."""
        return self._all[-1].handlers.takes_expressions(task_type)

    def known(self) -> str:
        """What there is a handler for, for an error."""
        return self._all[-1].handlers.known()
