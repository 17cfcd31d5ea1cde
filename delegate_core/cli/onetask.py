"""A backend without a server: it has one task to give, and keeps the result."""

from __future__ import annotations

import anyio

from delegate_core.markers import hookimpl
from delegate_core.model import (
    Credentials,
    Delivery,
    Offer,
    Outcome,
    Session,
    SessionIdentity,
    Settled,
    Task,
    TaskResult,
)
from delegate_core.runner import Inbox

__all__ = ["OneTask"]


class OneTask:
    """Offers its task once. ``ended`` is set when the result is there."""

    name = "task"
    default_capacity = 1

    def __init__(self, task: Task) -> None:
        self.task = task
        self.result: TaskResult | None = None
        self.ended = anyio.Event()

    @hookimpl
    async def authenticate(self) -> Credentials:
        """Nobody asks."""
        return Credentials()

    @hookimpl
    async def register(self) -> Session:
        """With nobody."""
        return Session(SessionIdentity(server="none", account="", runner_id="task"), description="no server")

    @hookimpl
    async def fetch_tasks(self, inbox: Inbox) -> None:
        """Offer the task; where the runner does not take it, that is its result."""
        settled = await inbox.offer(Offer(self.task.id, self.task.type))
        if settled is Settled.VETOED:
            self._end(TaskResult.rejected("a plugin of this runner does not accept it"))
        elif settled is not Settled.CLAIMED:
            self._end(TaskResult.rejected("this runner cannot take it now: an engine that it needs does not answer"))
        await anyio.sleep_forever()

    @hookimpl
    async def claim(self) -> Task:
        """It is nobody else's."""
        return self.task

    @hookimpl
    async def report(self, result: TaskResult) -> Delivery:
        """Keep it."""
        self._end(result)
        return Delivery()

    def _end(self, result: TaskResult) -> None:
        self.result = result
        self.ended.set()

    @property
    def status(self) -> int:
        """The exit status that tells the outcome."""
        return _STATUSES[self.result.outcome] if self.result is not None else _STATUSES[Outcome.CANCELLED]


_STATUSES = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 1,
    Outcome.REJECTED: 10,
    Outcome.TIMED_OUT: 124,
    Outcome.CANCELLED: 130,
}
"""Of ``delegate task``; 2 to 8 are the errors of ``delegate_core.errors``."""
