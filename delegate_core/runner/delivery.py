"""Delivering results: until the server has them, or can never have them."""

from __future__ import annotations

import logging

from delegate_core.backoff import Backoff
from delegate_core.model import JsonValue, Session, Task, TaskResult
from delegate_core.runner.calls import until_answered
from delegate_core.runner.core import Core

__all__ = ["deliver"]

_log = logging.getLogger(__name__)

_HELD = "undelivered results"


async def deliver(core: Core, session: Session, number: int, task: Task, result: TaskResult) -> None:
    """Report a result that is in the journal and counted in the backlog, until that is settled.

    A runner whose results do not arrive takes no new task: with as many undelivered as it has slots, it holds.
    Cancelled by the end of the runner, it leaves the result in the journal for the next start.
    """
    _hold_if_behind(core)

    async def save(state: JsonValue) -> None:
        nonlocal task
        task = task.model_copy(update={"state": state})
        await core.journal.state(number, state)

    delivery = await until_answered(
        lambda: core.backend.report(session, task, result, save),
        f"report of task {task.id}",
        backoff=Backoff(first=0.5, most=60.0),
        interrupted=lambda interrupt: core.interrupted(interrupt, session),
    )
    core.journal.settled(number, delivery)
    core.backlog -= 1
    if delivery.kind == "never":
        core.counters.undeliverable += 1
        _log.error("task %s: its result can never be delivered: %s", task.id, delivery.reason)
    else:
        core.counters.delivered += 1
    if delivery.kind == "gone":
        _log.info("task %s: ended elsewhere%s", task.id, f": {delivery.reason}" if delivery.reason else "")
    _hold_if_behind(core)
    core.change()


def _hold_if_behind(core: Core) -> None:
    if core.backlog > max(core.slots.capacity, 16):
        core.slots.hold(_HELD, f"{core.backlog} results wait for the server")
    elif _HELD in core.slots.holds:
        core.slots.unhold(_HELD)
