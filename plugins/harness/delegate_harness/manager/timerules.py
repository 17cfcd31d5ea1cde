"""What time alone does to tasks: expiry, broadcast rounds, delegates that fall silent."""

from __future__ import annotations

from .eligibility import eligible
from .records import Delegate, TaskRecord, TaskStatus, Verdict
from .registry import DelegateRegistry
from .tasks import TaskBook

__all__ = ["TimeRules"]

_BATCH = 10
"""Delegates reached by one broadcast."""
_REBROADCAST_SECONDS = 5.0
_ROUND_SECONDS = 60.0
_EXPIRIES = {
    TaskStatus.QUEUED: (Verdict.NOT_ASSIGNED, "no delegate took the task before it expired"),
    TaskStatus.STARTED: (Verdict.EXPIRED, "timed out"),
    TaskStatus.ABORTED: (Verdict.ABORTED, "aborted, and no answer came before the task expired"),
}


class TimeRules:
    """The manager's periodic jobs, run together.

    Args:
        book: The tasks.
        registry: The delegates.
        rounds: Broadcast rounds a task gets before it counts as not assigned; None: no limit. A round
            counts only while some delegate is eligible.
    """

    def __init__(self, book: TaskBook, registry: DelegateRegistry, rounds: int | None) -> None:
        self._book = book
        self._registry = registry
        self._rounds = rounds

    def apply(self, now: float) -> None:
        """Do everything that is due at ``now`` (seconds of the manager's clock)."""
        for delegate in self._registry.fallen_silent():
            self.disconnect(delegate)
        for task in self._book.live():
            if now >= task.expiry:
                self._book.finish(task, *_EXPIRIES[task.status])
            elif task.status is TaskStatus.QUEUED and now >= task.next_broadcast:
                self._broadcast(task, now)

    def disconnect(self, delegate: Delegate) -> None:
        """Fail what the delegate has started."""
        for task in self._book.held_by(delegate.delegate_id):
            if task.status is TaskStatus.STARTED:
                message = "delegate disconnected while executing"
                self._book.finish(task, Verdict.DISCONNECTED, message)

    def _broadcast(self, task: TaskRecord, now: float) -> None:
        if self._rounds is not None and task.round >= self._rounds:
            message = f"not assigned after {task.round} broadcast rounds"
            self._book.finish(task, Verdict.NOT_ASSIGNED, message)
            return
        able = {each.delegate_id for each in self._registry.of(task.account_id) if eligible(each, task)}
        task.broadcast_to.update(sorted(able - task.broadcast_to)[:_BATCH])
        task.next_broadcast = now + _REBROADCAST_SECONDS
        if able and able <= task.broadcast_to:
            task.round += 1
            task.broadcast_to.clear()
            task.next_broadcast = now + task.round * _ROUND_SECONDS
