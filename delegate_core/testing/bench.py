"""A bench for tests: runners of one server, handlers that a test can look into, and waits with a deadline."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.abc

from delegate_core.errors import DelegateError
from delegate_core.handlers import Middleware
from delegate_core.handlers.base import Serving
from delegate_core.markers import hookimpl
from delegate_core.model import Task, TaskResult
from delegate_core.runner import Runner
from delegate_core.settings import RunnerSettings, Settings

__all__ = ["PATIENCE", "Bench", "Seen", "Started"]

PATIENCE = 45.0
"""Seconds after which a wait of a test fails. Much more than anything takes, so that a busy machine fails nothing."""

T = TypeVar("T")


class Seen:
    """What a runner has told its plugins. Itself a plugin: an observer of everything."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.claimed: list[str] = []
        self.started: list[str] = []
        self.finished: dict[str, TaskResult] = {}
        self._changed = anyio.Event()

    def _note(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self, condition: Callable[[Seen], Any]) -> None:
        """Wait until a condition on what was seen holds.

        Raises:
            TimeoutError: it did not in time.
        """
        with anyio.fail_after(PATIENCE):
            while not condition(self):
                await self._changed.wait()

    @hookimpl
    def task_claimed(self, task: Task) -> None:
        """Note it."""
        self.claimed.append(task.id)
        self._note()

    @hookimpl
    def task_started(self, task: Task) -> None:
        """Note it."""
        self.started.append(task.id)
        self._note()

    @hookimpl
    def task_finished(self, task: Task, result: TaskResult) -> None:
        """Note it."""
        self.finished[task.id] = result
        self._note()

    @hookimpl
    def runner_state(self, state: str, reason: str) -> None:
        """Note it."""
        self.states.append((state, reason))
        self._note()


@dataclass
class Started:
    """A runner under way, and how it ended."""

    runner: Runner
    seen: Seen
    error: DelegateError | None = None
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def live(self) -> None:
        """Run it."""
        try:
            with self._scope:
                await self.runner.run()
        except DelegateError as error:
            self.error = error
        finally:
            self._ended.set()

    async def ended(self) -> DelegateError | None:
        """Wait for its end; return the error that it ended with.

        Raises:
            TimeoutError: it does not end.
        """
        with anyio.fail_after(PATIENCE):
            await self._ended.wait()
        return self.error

    async def crash(self) -> None:
        """End it where it stands, without a last word: the journal keeps what was going on."""
        self._scope.cancel()
        await self.ended()


class Bench:
    """Starts runners of one backend. Those that still run when its block is left are stopped.

    Args:
        folder: for the state folders, one a name.
        backend: makes a backend for a runner.
    """

    def __init__(self, folder: Path, backend: Callable[[], object], group: anyio.abc.TaskGroup) -> None:
        self.folder = folder
        self._backend = backend
        self._group = group
        self._all: list[Started] = []

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path, backend: Callable[[], object]) -> AsyncIterator[Bench]:
        """A bench for one test."""
        async with anyio.create_task_group() as group:
            bench = cls(folder, backend, group)
            yield bench
            for started in bench._all:
                started.runner.stop("the test is over")
            for started in bench._all:
                await started.ended()

    async def start(
        self,
        handlers: Mapping[str, Serving],
        *,
        name: str = "bench",
        plugins: tuple[object, ...] = (),
        until: str = "running",
        middleware: Iterable[Middleware] = (),
        engine_settings: Mapping[str, Settings | None] | None = None,
        **settings: Any,
    ) -> Started:
        """Start a runner and wait until it is in a state, by default ready for tasks.

        Args:
            handlers: by task type.
            name: of the runner and of its state folder: the same name again is the same runner after a restart.
            plugins: more plugins.
            until: the state to wait for.
            middleware: goes around every task.
            engine_settings: of the engines that plugins bring.
            settings: of `RunnerSettings`, over quick ones.
        """
        quick = {"poll_interval": 0.05, "grace": 0.3, "drain_timeout": PATIENCE / 2, "register_timeout": PATIENCE}
        seen = Seen()
        runner = Runner(
            self._backend(),
            handlers,
            settings=RunnerSettings(name=name, **{**quick, **settings}),
            plugins=(seen, *plugins),
            state_dir=self.folder / name,
            middleware=middleware,
            engine_settings=engine_settings,
        )
        started = Started(runner, seen)
        self._all.append(started)
        self._group.start_soon(started.live)
        await seen.wait(lambda now: any(state in {until, "stopped"} for state, _ in now.states))
        return started

    async def within(self, work: Awaitable[T]) -> T:
        """What the work returns.

        Raises:
            TimeoutError: it takes too long.
        """
        with anyio.fail_after(PATIENCE):
            return await work
