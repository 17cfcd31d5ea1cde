"""Acquiring tasks, the first time, after a lost reply, and after a restart."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pydantic import Field

from delegate_core.model import (
    CancelCause,
    Ended,
    Entry,
    Finish,
    Forget,
    JsonValue,
    Offer,
    Phase,
    Run,
    Task,
    TaskResult,
)
from delegate_harness.aborts import Aborts
from delegate_harness.logtarget import LogTarget, target_of
from delegate_harness.package import UnreadableTask
from delegate_harness.session import HarnessSession
from delegate_harness.wire import AcquiredTask

__all__ = ["PAUSES", "HarnessTask", "claim", "recover"]

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0, 30.0)
"""Seconds before each further acquire of a task whose reply was lost, while the answer is "not available"."""

_UNREADABLE = "its data cannot be read: it is nested more than 200 levels deep, or has a number of over 4300 digits"

_LEAST_TIME = 1.0
"""Seconds that a task must have left to be started after a restart."""


class HarnessTask(Task):
    """A task with what must not be journaled: where its log goes, with the token for it."""

    log: LogTarget = Field(LogTarget(), exclude=True)


async def claim(
    session: HarnessSession, offer: Offer, aborts: Aborts, *, again: bool, pauses: Iterable[float] = PAUSES
) -> Task | Ended | None:
    """Acquire a task.

    Asked ``again``, a reply was lost: the manager gives a task again to the instance that has it. Its "not available"
    is the same answer as for an error of its own, so it is believed only after some minutes. An abort that comes
    meanwhile says that the task is ours, and over.
    """
    acquired = await _acquire(session, offer.task_id)
    for pause in pauses if again else ():
        if acquired is not None:
            break
        if await aborts.wait_for(offer.task_id, pause):
            return Ended(Task(id=offer.task_id, type=offer.type), TaskResult.cancelled(CancelCause.SERVER))
        acquired = await _acquire(session, offer.task_id)
    return None if acquired is None else _accept(acquired, offer, session.identity.account)


async def _acquire(session: HarnessSession, task_id: str) -> AcquiredTask | None:
    """The package, if it is assigned to us.

    With an empty instance id the manager wants capabilities proved first, with another's the task is not ours.
    """
    instance = session.who.instance
    acquired = await session.client.acquire(session.delegate_id, task_id, instance)
    if acquired is None or acquired.delegate.instance_id != instance or acquired.id != task_id:
        return None
    return acquired


def _accept(acquired: AcquiredTask, offer: Offer, account: str) -> Task | Ended:
    task = _task(acquired, offer, account)
    if isinstance(acquired, UnreadableTask):
        return Ended(task, TaskResult.rejected(_UNREADABLE))
    if acquired.secret_details or acquired.encryption_configs:
        reason = "it carries secrets that the delegate has to decrypt, which this runner does not support"
        return Ended(task, TaskResult.rejected(reason))
    return task


def _task(acquired: AcquiredTask, offer: Offer, account: str) -> HarnessTask:
    log = target_of(acquired)
    state: dict[str, JsonValue] = {"form": "runner" if acquired.runner_response else "legacy"}
    if log.key:
        state["log_key"] = log.key
    return HarnessTask(
        id=acquired.id,
        type=acquired.type or offer.type,
        data=acquired.data,
        about={"account": account},
        timeout=acquired.timeout / 1000 if acquired.timeout > 0 else None,
        masks=tuple(value for value in acquired.secrets if isinstance(value, str)),
        state=state,
        log=log,
    )


async def recover(
    session: HarnessSession, entry: Entry, aborts: Aborts, *, pauses: Iterable[float] = PAUSES
) -> Run | Finish | Forget:
    """After a restart: what had started is over; what was claimed, or may have been, is asked for again."""
    if entry.phase is Phase.STARTED:
        return Finish(TaskResult.lost_in_crash())
    answer = await claim(session, Offer(entry.task_id, entry.type, entry.offer), aborts, again=True, pauses=pauses)
    if answer is None:
        return Forget("the manager does not give it to us again")
    if isinstance(answer, Ended):
        return Finish(answer.result, answer.task)
    return _in_time(answer, entry)


def _in_time(task: Task, entry: Entry) -> Run | Finish:
    """The manager's clock for a task runs from the first claim on."""
    if task.timeout is None:
        return Run(task)
    left = task.timeout - (time.time() - (entry.claimed or entry.created))
    if left < _LEAST_TIME:
        return Finish(TaskResult.timed_out(task.timeout), task)
    return Run(task.model_copy(update={"timeout": min(left, task.timeout)}))
