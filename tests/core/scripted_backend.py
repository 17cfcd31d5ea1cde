"""A backend whose hooks do what a test puts in their place, and what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from delegate_core.markers import hookimpl
from delegate_core.model import (
    Credentials,
    Delivery,
    Ended,
    Offer,
    Registration,
    Session,
    SessionIdentity,
    Settled,
    Task,
    TaskResult,
)
from delegate_core.runner import Inbox
from delegate_core.settings import RunnerSettings
from delegate_core.testing.bench import PATIENCE, Bench, Started
from tests.reliability.virtualtime import VirtualTimeLoop


class Scripted:
    """A backend whose hooks do what a test puts in their place; by default all goes well."""

    name = "scripted"

    def __init__(self) -> None:
        self.inbox: Inbox | None = None
        self.ready = anyio.Event()
        self.reported: dict[str, list[TaskResult]] = {}
        self.registrations = 0
        self.polls = 0
        self.left = 0
        self.on_register: Callable[[Registration], Any] = lambda registration: None
        self.on_fetch: Callable[[], Any] = lambda: None
        self.on_claim: Callable[[Offer, bool], Any] = lambda offer, again: Task(id=offer.task_id, type=offer.type)
        self.on_report: Callable[[Task, TaskResult], Any] = lambda task, result: Delivery()
        self.on_resume: Callable[[], Any] = lambda: None
        self._news = anyio.Event()

    def note(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition: Callable[[], Any]) -> None:
        with anyio.fail_after(PATIENCE):
            while not condition():
                await self._news.wait()

    async def offer(self, task_type: str, task_id: str = "t") -> Settled:
        await self.until(lambda: self.inbox)
        assert self.inbox is not None
        with anyio.fail_after(PATIENCE):
            return await self.inbox.offer(Offer(task_id, task_type))

    def cancel(self, task_id: str = "t") -> None:
        assert self.inbox is not None
        self.inbox.cancel(task_id)

    async def result(self, task_id: str = "t") -> TaskResult:
        await self.until(lambda: self.reported.get(task_id))
        return self.reported[task_id][0]

    @hookimpl
    async def authenticate(self, settings: RunnerSettings) -> Credentials:
        return Credentials()

    @hookimpl
    async def register(self, registration: Registration, credentials: Credentials) -> Session:
        self.registrations += 1
        self.note()
        answer = self.on_register(registration)
        if answer is not None:
            return answer  # type: ignore[no-any-return]  # a test may answer what breaks the contract
        return Session(SessionIdentity(server="s", account="a", runner_id=str(self.registrations)))

    @hookimpl
    async def resume(self, session: Session) -> Session:
        return self.on_resume() or session

    @hookimpl
    async def fetch_tasks(self, session: Session, inbox: Inbox) -> None:
        self.inbox = inbox
        self.polls += 1
        self.note()
        if self.on_fetch() is None:
            await anyio.sleep_forever()

    @hookimpl
    async def claim(self, session: Session, offer: Offer, again: bool) -> Task | Ended | None:  # noqa: FBT001 - the spec's
        answer = self.on_claim(offer, again)
        return await answer if asyncio.iscoroutine(answer) else answer  # type: ignore[no-any-return]  # as above

    @hookimpl
    async def report(self, session: Session, task: Task, result: TaskResult) -> Delivery:
        answer = self.on_report(task, result)
        answer = await answer if asyncio.iscoroutine(answer) else answer
        self.reported.setdefault(task.id, []).append(result)
        self.note()
        return answer  # type: ignore[no-any-return]  # a test may answer what breaks the contract

    @hookimpl
    async def deregister(self, session: Session) -> None:
        self.left += 1


async def echo(data: Any) -> Any:
    return data


def raises(error: BaseException) -> Callable[..., Any]:
    """A hook that raises, at its first call only."""
    left = [error]

    def hook(*_: object) -> Any:
        if left:
            raise left.pop()
        return None

    return hook


def once(error: BaseException, then: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that raises at its first call, and does its work from then on."""
    first = raises(error)

    def hook(*given: Any) -> Any:
        first()
        return then(*given)

    return hook


async def hold() -> None:
    await anyio.sleep_forever()


HOUR = 3600.0
"""Seconds."""


def lived(folder: Path, backend: Scripted, test: Callable[[Started], Awaitable[None]]) -> None:
    """Run a test beside a runner with one slot, in virtual time: some hours at most."""

    async def live() -> None:
        with anyio.fail_after(3 * HOUR):
            async with Bench.opened(folder, lambda: backend) as bench:
                started = await bench.start({"echo": echo}, capacity=1, drain_timeout=5)
                await backend.until(lambda: backend.inbox)
                await test(started)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(live())
