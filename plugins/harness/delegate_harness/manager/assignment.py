"""Offering queued tasks to delegates, telling them aborts, and assigning a task to one instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .eligibility import eligible
from .records import Delegate, TaskRecord, TaskStatus
from .tasks import TaskBook

__all__ = ["Assignment", "Listing"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What one poll tells: tasks to acquire (sync first) and ids of aborted tasks."""

    tasks: list[TaskRecord]
    aborts: list[str]


class Assignment:
    """The meeting of tasks and delegates.

    Args:
        book: The tasks.
        clock: Seconds since the epoch.
        event_limit: Most tasks one poll lists; None: all.
    """

    def __init__(self, book: TaskBook, clock: Callable[[], float], event_limit: int | None) -> None:
        self._book = book
        self._clock = clock
        self._event_limit = event_limit

    def listing(self, delegate: Delegate) -> Listing:
        """What one poll of the delegate tells; its aborts are told with it, once."""
        return Listing(self._offers(delegate), self._aborts(delegate))

    def acquire(self, task: TaskRecord, delegate: Delegate, instance_id: str) -> bool:
        """Assign the task to the instance, or confirm that it holds it; False: not available."""
        held = _holds(task, delegate.delegate_id, instance_id)
        if held:
            self._book.note(task, "re-acquired", delegate.delegate_id, instance_id)
        elif self._free(task) and eligible(delegate, task):
            self._book.assign(task, delegate.delegate_id, instance_id)
        else:
            self._book.note(task, "refused", delegate.delegate_id, instance_id)
            return False
        return True

    def _offers(self, delegate: Delegate) -> list[TaskRecord]:
        offers: list[TaskRecord] = []
        now = self._clock()
        for task in self._book.queued(delegate.account_id):
            if len(offers) == self._event_limit:
                break
            if now < task.expiry and eligible(delegate, task):
                self._offer(task, delegate.delegate_id)
                offers.append(task)
        return offers

    def _offer(self, task: TaskRecord, delegate_id: str) -> None:
        times = task.offered_to.get(delegate_id, 0)
        if not times:
            self._book.note(task, "offered", delegate_id)
        task.offered_to[delegate_id] = times + 1

    def _aborts(self, delegate: Delegate) -> list[str]:
        listed, delegate.aborts = delegate.aborts, []
        living = [task for task_id in listed if (task := self._book.living(task_id, delegate.account_id))]
        for task in living:
            self._book.note(task, "abort listed", delegate.delegate_id)
        return [task.task_id for task in living]

    def _free(self, task: TaskRecord) -> bool:
        unassigned = task.status is TaskStatus.QUEUED and task.instance_id is None
        return unassigned and self._clock() < task.expiry


def _holds(task: TaskRecord, delegate_id: str, instance_id: str) -> bool:
    held = task.status is TaskStatus.STARTED
    return held and (task.delegate_id, task.instance_id) == (delegate_id, instance_id)
