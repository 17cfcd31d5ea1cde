"""A control plane in memory: a real runner gets tasks from it over the real hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from delegate_core.cli.observing import Observation
from delegate_core.console import Console
from delegate_core.handlers import TaskContext
from delegate_core.markers import hookimpl
from delegate_core.model import Credentials, Delivery, Offer, Registration, Session, SessionIdentity, Task, TaskResult
from delegate_core.runner import Inbox, Runner
from delegate_core.settings import RunnerSettings

__all__ = ["MemoryBackend", "runner_of", "running"]


class MemoryBackend:
    """Offers the tasks it is given, once each."""

    def __init__(self, *tasks: Task) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.reported: dict[str, TaskResult] = {}
        self.all_reported = anyio.Event()

    @hookimpl
    async def authenticate(self) -> Credentials:
        return Credentials()

    @hookimpl
    async def register(self, registration: Registration) -> Session:
        identity = SessionIdentity(server="memory", account="acme", runner_id=registration.instance)
        return Session(identity, description="account acme in memory")

    @hookimpl
    async def fetch_tasks(self, inbox: Inbox) -> None:
        for task in self.tasks.values():
            await inbox.wait_for_room()
            await inbox.offer(Offer(task.id, task.type))
        await anyio.sleep_forever()

    @hookimpl
    async def claim(self, offer: Offer) -> Task | None:
        return self.tasks[offer.task_id]

    @hookimpl
    async def report(self, task: Task, result: TaskResult) -> Delivery:
        self.reported[task.id] = result
        if len(self.reported) == len(self.tasks):
            self.all_reported.set()
        return Delivery()


def echo(params: dict[str, str], context: TaskContext) -> None:
    """Print a text; fail if there is none."""
    context.log(params["text"])


def runner_of(backend: MemoryBackend, console: Console, folder: Path) -> Runner:
    """A runner with one handler, ``echo``, that the console observes, and one who remembers lines for it."""
    settings = RunnerSettings(name="build-7", backend="memory", capacity=4, status="off")
    observation = Observation(settings, "memory")
    plugins = [console, *observation.plugins]
    runner = Runner(backend, {"echo": echo}, settings=settings, plugins=plugins, state_dir=folder)
    console.attach(runner, observation)
    return runner


@asynccontextmanager
async def running(console: Console, folder: Path, *tasks: Task) -> AsyncIterator[Runner]:
    """A shown runner that has done all its tasks; drained at the end."""
    backend = MemoryBackend(*tasks)
    runner = runner_of(backend, console, folder)
    async with anyio.create_task_group() as group:

        async def shown() -> None:
            async with console.show():
                await runner.run()

        group.start_soon(shown)
        with anyio.fail_after(40):
            if tasks:
                await backend.all_reported.wait()
        yield runner
        runner.drain("test is over")
