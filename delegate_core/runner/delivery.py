"""Delivering results: until the server has them, or can never have them, or somebody gives them up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from delegate_core.backoff import Backoff
from delegate_core.model import Delivery, JsonValue, Session, Task, TaskResult
from delegate_core.runner.calls import until_answered
from delegate_core.runner.core import Core

__all__ = ["DROPPED", "Waiting", "deliver"]

_log = logging.getLogger(__name__)

DROPPED = "given up by the operator"

_HELD = "undelivered results"


class Waiting:
    """One result on its way: its pauses between tries can be cut short, and it can be given up."""

    def __init__(self) -> None:
        self.dropped = ""
        """Why it was given up."""
        self._scope = anyio.CancelScope()
        self._hurried = anyio.Event()

    def hurry(self) -> None:
        """Try again now."""
        self._hurried.set()

    def drop(self, reason: str) -> None:
        """Try no more."""
        self.dropped = reason
        self._scope.cancel()

    async def pause(self, seconds: float) -> None:
        """Wait between two tries; not at all where somebody was in a hurry during the last one."""
        with anyio.move_on_after(seconds):
            await self._hurried.wait()
        self._hurried = anyio.Event()

    async def deliver(self, core: Core, session: Session, number: int, task: Task, result: TaskResult) -> Delivery:
        """Report until that is settled. ``dropped`` says whether the answer counts."""

        async def save(state: JsonValue) -> None:
            nonlocal task
            task = task.model_copy(update={"state": state})
            await core.journal.state(number, state)

        attempts = _Attempts(self, core, number)
        with self._scope:
            await anyio.lowlevel.checkpoint_if_cancelled()  # given up before it began: not even a try
            return await until_answered(
                lambda: core.backend.report(session, task, result, save, attempts),
                f"report of task {task.id}",
                backoff=Backoff(first=0.5, most=60.0),
                interrupted=lambda interrupt: core.interrupted(interrupt, session),
                failed=attempts.failed,
                pause=attempts.pause,
            )
        return Delivery(kind="never", reason=self.dropped)


@dataclass(frozen=True, slots=True)
class _Attempts:
    """Those of one result, the core's and the backend's own alike."""

    waiting: Waiting
    core: Core
    number: int

    def failed(self, reason: str) -> None:
        self.core.journal.undelivered(self.number, reason)

    async def pause(self, seconds: float) -> None:
        await self.waiting.pause(seconds)


async def deliver(core: Core, session: Session, number: int, task: Task, result: TaskResult) -> None:
    """Report a result that is in the journal and counted in the backlog, until that is settled.

    A runner whose results do not arrive takes no new task: with as many undelivered as it has slots, it holds.
    Cancelled by the end of the runner, it leaves the result in the journal for the next start.
    """
    _hold_if_behind(core)
    waiting = core.waiting[number] = Waiting()
    if number in core.given_up:
        waiting.drop(DROPPED)
    try:
        delivery = await waiting.deliver(core, session, number, task, result)
    finally:
        del core.waiting[number]
    core.backlog -= 1
    if waiting.dropped:
        core.journal.drop(number, waiting.dropped)
        _log.warning("task %s: its result was given up: %s", task.id, waiting.dropped)
    else:
        core.journal.settled(number, delivery)
        _count(core, task, delivery)
    _hold_if_behind(core)
    core.change()


def _count(core: Core, task: Task, delivery: Delivery) -> None:
    if delivery.kind == "never":
        core.counters.undeliverable += 1
        _log.error(
            "task %s: its result can never be delivered: %s; kept aside, see `delegate outbox list`",
            task.id, delivery.reason,
        )  # fmt: skip
        return
    core.counters.delivered += 1
    if delivery.kind == "gone":
        _log.info("task %s: ended elsewhere%s", task.id, f": {delivery.reason}" if delivery.reason else "")


def _hold_if_behind(core: Core) -> None:
    if core.backlog > max(core.slots.capacity, 16):
        core.slots.hold(_HELD, f"{core.backlog} results wait for the server")
    elif _HELD in core.slots.holds:
        core.slots.unhold(_HELD)
