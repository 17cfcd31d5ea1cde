"""What the parts of one runner share."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from delegate_core.errors import Interrupt
from delegate_core.handlers import HandlerRegistry, TaskContext
from delegate_core.http.operations import Observe, Request
from delegate_core.journal import Journal
from delegate_core.logs import Secrecy
from delegate_core.model import Session, Task, TaskResult
from delegate_core.plugins import Observer, Plugins
from delegate_core.runner.advice import Advices
from delegate_core.runner.backend import Backend
from delegate_core.runner.commands import TaskCommands
from delegate_core.runner.engines import Engines
from delegate_core.runner.secrets import Secrets
from delegate_core.runner.slots import Slots
from delegate_core.runner.users import TaskUsers
from delegate_core.runner.variables import TaskVariables
from delegate_core.settings import RunnerSettings
from delegate_core.statefolder import StateFolder

if TYPE_CHECKING:
    from delegate_core.runner.delivery import Waiting
    from delegate_core.runner.execution import Execution

__all__ = ["Core", "Counters", "Observers"]


@dataclass
class Counters:
    """What has happened since the start."""

    claimed: int = 0
    finished: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    undeliverable: int = 0
    polls: int = 0
    reports_failed: int = 0


class Observers:
    """Telling every plugin of what happens."""

    def __init__(self, plugins: Plugins) -> None:
        self.task_claimed: Observer = plugins.observe("task_claimed")
        self.task_started: Observer = plugins.observe("task_started")
        self.task_logged: Observer = plugins.observe("task_logged")
        self.task_progressed: Observer = plugins.observe("task_progressed")
        self.task_finished: Observer = plugins.observe("task_finished")
        self.runner_state: Observer = plugins.observe("runner_state")
        self._server_called: Observer = plugins.observe("server_called")

    @property
    def server_called(self) -> Observe | None:
        """Takes a call to the server that has ended; None: nobody wants to know."""
        return self._tell_call if self._server_called else None

    def _tell_call(self, operation: str, outcome: str, seconds: float, request: Request | None) -> None:
        self._server_called(operation=operation, outcome=outcome, seconds=seconds, request=request)


@dataclass
class Core:
    """One runner's shared parts. ``spawn`` starts a piece of work in the task group that owns all tasks' lives."""

    settings: RunnerSettings
    plugins: Plugins
    backend: Backend
    handlers: HandlerRegistry
    observers: Observers
    slots: Slots
    folder: StateFolder
    journal: Journal
    instance: str
    engines: Engines
    commands: TaskCommands
    secrets: Secrets
    users: TaskUsers
    variables: TaskVariables
    dispatch: Callable[[Task, TaskContext], Awaitable[TaskResult]]
    spawn: Callable[..., object]
    interrupted: Callable[[Interrupt, Session], None]
    secrecy: Secrecy
    advice: Advices
    masks: tuple[str, ...] = ()
    """What no task may show, whatever it is given itself."""
    counters: Counters = field(default_factory=Counters)
    executions: dict[str, Execution] = field(default_factory=dict)
    """Claimed tasks that have no result yet, by id."""
    waiting: dict[int, Waiting] = field(default_factory=dict)
    """Results that are being delivered, by their entries' numbers."""
    given_up: set[int] = field(default_factory=set)
    """Entries' numbers of results that an operator dropped before their delivery had begun."""
    taken: set[str] = field(default_factory=set)
    """Ids of the tasks that are being claimed, executed or delivered."""
    unsettled: set[str] = field(default_factory=set)
    """Ids of tasks in the journal that nobody sees to any more in this life, or not yet: the next start does."""
    backlog: int = 0
    """Results in the journal that the server has not got yet."""
    logs_open: int = 0
    """Logs that are being sent."""
    abandoned: int = 0
    """Threads of sync handlers that go on after their task's end; each holds its slot."""
    last_end: float | None = None
    """When a task last got its result, on the monotonic clock."""
    _changed: anyio.Event | None = None

    @property
    def owed_ids(self) -> set[str]:
        """Ids of the tasks that the server still waits for."""
        return self.taken | self.unsettled

    def finished(self, task: Task, result: TaskResult, duration: float) -> None:
        """A result is in the journal: count it and tell the observers."""
        self.counters.finished[result.outcome] = self.counters.finished.get(result.outcome, 0) + 1
        self.backlog += 1
        self.last_end = time.monotonic()
        self.observers.task_finished(task=task, result=result, duration=duration)

    def change(self) -> None:
        """Something has ended: wake who waits for the end of all."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition on executions, backlog or taken holds."""
        while not condition():
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()
