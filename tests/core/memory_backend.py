"""A backend over a server object in this process: the hooks, and nothing of any wire. The core knows no backend."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import anyio
import anyio.lowlevel

from delegate_core.logs import LogLine, LogSink, Spool, Stored
from delegate_core.markers import hookimpl
from delegate_core.model import (
    Credentials,
    Delivery,
    JsonValue,
    Offer,
    Outcome,
    Registration,
    Session,
    SessionIdentity,
    Task,
    TaskResult,
)
from delegate_core.runner import Inbox
from delegate_core.settings import RunnerSettings
from delegate_core.testing.under_test import Breakage, Call, Recipe, Verdict


class BrokenCall(Exception):
    """The call did not come through."""


@dataclass
class Record:
    """One task, as the server knows it."""

    id: str
    type: str
    data: JsonValue
    timeout: float
    masks: tuple[str, ...]
    holder: str = ""
    result: TaskResult | None = None
    finals: int = 0
    complaints: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    log_complete: bool = False


class MemoryServer:
    """Hands tasks out, takes results, loses what a test wants lost. Also the adapter for the contract suite."""

    def __init__(self) -> None:
        self.tasks: dict[str, Record] = {}
        self.registered: dict[str, Registration] = {}
        self._cancelled: dict[str, set[str]] = {}
        self._broken: dict[Call, deque[Breakage]] = {call: deque() for call in Call}
        self._calls: Counter[Call] = Counter()
        self._ids = count(1)
        self._news = anyio.Event()

    def note(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def changed(self) -> None:
        await self._news.wait()

    # ------------------------------------------------------------------ what a runner calls

    async def poll(self, runner: str) -> tuple[list[Record], set[str]]:
        """What is free and what is cancelled, when there is any of it."""
        while True:
            free = [task for task in self.tasks.values() if not task.holder and task.result is None]
            cancelled = self._cancelled.pop(runner, set())
            if free or cancelled:
                return free, cancelled
            await self.changed()

    async def claim(self, task_id: str, runner: str) -> Record | None:
        with self._call(Call.CLAIM):
            await anyio.lowlevel.checkpoint()
            task = self.tasks[task_id]
            if task.result is not None or task.holder not in {"", runner}:
                return None
            task.holder = runner
            return task

    async def report(self, task_id: str, runner: str, result: TaskResult) -> None:
        with self._call(Call.REPORT):
            await anyio.lowlevel.checkpoint()
            task = self.tasks[task_id]
            if task.holder != runner:
                task.complaints.append(f"a result from {runner}, but {task.holder or 'nobody'} has the task")
            elif task.result is None:
                task.result, task.finals = result, 1
            elif task.result != result:
                task.finals += 1
                task.complaints.append("another result")

    def _call(self, call: Call) -> _Line:
        self._calls[call] += 1
        return _Line(self, self._broken[call].popleft() if self._broken[call] else None)

    # ------------------------------------------------------------------ the adapter

    def backend(self) -> object:
        return MemoryBackend(self)

    def recipe(self) -> Recipe | None:
        return None

    def submit(
        self, task_type: str, data: JsonValue = None, *, timeout: float = 60.0, masks: Sequence[str] = ()
    ) -> str:
        task = Record(f"task-{next(self._ids)}", task_type, data, timeout, tuple(masks))
        self.tasks[task.id] = task
        self.note()
        return task.id

    def cancel(self, task_id: str) -> None:
        task = self.tasks[task_id]
        if task.holder:
            self._cancelled.setdefault(task.holder, set()).add(task_id)
        else:
            task.result, task.finals = TaskResult(outcome=Outcome.CANCELLED, error="never claimed"), 1
        self.note()

    def break_calls(self, call: Call, how: Breakage, times: int = 1) -> None:
        self._broken[call].extend([how] * times)

    def heal(self) -> None:
        """Break no more calls."""
        for broken in self._broken.values():
            broken.clear()

    def calls(self, call: Call) -> int:
        return self._calls[call]

    def runners(self) -> int:
        return len(self.registered)

    def waiting(self) -> int:
        return sum(not task.holder and task.result is None for task in self.tasks.values())

    async def verdict(self, task_id: str) -> Verdict:
        task = self.tasks[task_id]
        while task.result is None:
            await self.changed()
        result = task.result
        succeeded = result.outcome is Outcome.SUCCEEDED
        return Verdict(succeeded, result.data, result.error, task.finals, tuple(task.complaints))

    async def log(self, task_id: str) -> str:
        while not self.tasks[task_id].log_complete:
            await self.changed()
        return "\n".join(self.tasks[task_id].log)


@dataclass
class _Line:
    """The line to the server, which may break before or after the call."""

    server: MemoryServer
    breakage: Breakage | None

    def __enter__(self) -> None:
        if self.breakage in {Breakage.LOSE_REQUEST, Breakage.STATUS}:
            self.server.note()
            raise BrokenCall(f"the line broke: {self.breakage}")

    def __exit__(self, *exception: object) -> None:
        self.server.note()
        if self.breakage is Breakage.LOSE_REPLY:
            raise BrokenCall("the line broke before the reply")


class MemorySession(Session):
    """A registration."""

    def __init__(self, runner: str) -> None:
        super().__init__(SessionIdentity(server="memory", account="tests", runner_id=runner), heartbeat_interval=0.5)
        self.runner = runner


@dataclass
class MemorySink(LogSink):
    """One task's log."""

    server: MemoryServer
    record: Record

    async def write(self, lines: Sequence[LogLine]) -> None:
        self.record.log += [line.text for line in lines]

    async def finish(self, spool: Spool) -> Stored:
        self.record.log = [line.text for line in spool.read()]
        self.record.log_complete = True
        self.server.note()
        return Stored(stored=True)


class MemoryBackend:
    """The session hooks over a `MemoryServer`."""

    name = "memory"

    def __init__(self, server: MemoryServer, *, tick: float = 0.02) -> None:
        self.server = server
        self._tick = tick

    @hookimpl
    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        return Credentials()

    @hookimpl
    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        self.server.registered[registration.instance] = registration
        self.server.note()
        return MemorySession(registration.instance)

    @hookimpl
    async def fetch_tasks(self, session: MemorySession, inbox: Inbox) -> None:
        while True:
            free, cancelled = await self.server.poll(session.runner)
            for task_id in cancelled:
                inbox.cancel(task_id)
            for task in free:
                inbox.submit(Offer(task.id, task.type))
            inbox.polled(len(free))
            with anyio.move_on_after(
                self._tick
            ):  # what is left over waits for a slot; a cancellation may come any time
                await inbox.wait_for_change()

    @hookimpl
    async def claim(self, session: MemorySession, offer: Offer) -> Task | None:
        found = await self.server.claim(offer.task_id, session.runner)
        if found is None:
            return None
        return Task(id=found.id, type=found.type, data=found.data, timeout=found.timeout, masks=found.masks)

    @hookimpl
    async def open_log(self, session: MemorySession, task: Task) -> LogSink:
        return MemorySink(self.server, self.server.tasks[task.id])

    @hookimpl
    async def report(self, session: MemorySession, task: Task, result: TaskResult) -> Delivery:
        await self.server.report(task.id, session.runner, result)
        return Delivery()

    @hookimpl
    async def heartbeat(self, session: MemorySession) -> None:
        """The server forgets nobody."""

    @hookimpl
    async def deregister(self, session: MemorySession) -> None:
        del self.server.registered[session.runner]
        self.server.note()
