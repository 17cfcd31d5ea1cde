"""The manager's tasks: queued in order, held by delegates, finished with one outcome each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import chain

from .records import Outcome, Result, TaskEvent, TaskRecord, TaskStatus, Verdict

__all__ = ["TaskBook"]


class TaskBook:
    """Every task the manager knows, indexed for what is asked often.

    Args:
        clock: Seconds since the epoch.
        keep: How many finished tasks stay readable; the oldest go first.
    """

    def __init__(self, clock: Callable[[], float], keep: int) -> None:
        self._clock = clock
        self._keep = keep
        self._live: dict[str, TaskRecord] = {}
        self._finished: OrderedDict[str, TaskRecord] = OrderedDict()
        self._sync: dict[str, dict[str, TaskRecord]] = {}
        self._async: dict[str, dict[str, TaskRecord]] = {}
        self._held: dict[str, dict[str, TaskRecord]] = {}

    def add(self, task: TaskRecord) -> None:
        """Take in a new task, queued last of its kind."""
        self._live[task.task_id] = task
        self._queue_of(task)[task.task_id] = task
        self.note(task, "created")

    def find(self, task_id: str) -> TaskRecord | None:
        """The task, finished or not; None where the id is unknown or forgotten."""
        return self._live.get(task_id) or self._finished.get(task_id)

    def living(self, task_id: str, account_id: str) -> TaskRecord | None:
        """The task as long as it is not finished, and only to its own account."""
        task = self._live.get(task_id)
        return task if task is not None and task.account_id == account_id else None

    def all(self) -> list[TaskRecord]:
        """The finished tasks, then the live ones."""
        return [*self._finished.values(), *self._live.values()]

    def live(self) -> list[TaskRecord]:
        """The tasks without an outcome, oldest first."""
        return list(self._live.values())

    def queued(self, account_id: str) -> Iterator[TaskRecord]:
        """The account's unassigned tasks, sync ones first, each kind in order of arrival."""
        return chain(self._sync.get(account_id, {}).values(), self._async.get(account_id, {}).values())

    def held_by(self, delegate_id: str) -> list[TaskRecord]:
        """The started tasks of one delegate."""
        return list(self._held.get(delegate_id, {}).values())

    def assign(self, task: TaskRecord, delegate_id: str, instance_id: str) -> None:
        """Give a queued task to one instance; its expiry counts from now."""
        self._queue_of(task).pop(task.task_id)
        self._held.setdefault(delegate_id, {})[task.task_id] = task
        task.status, task.delegate_id, task.instance_id = TaskStatus.STARTED, delegate_id, instance_id
        task.expiry = self._clock() + task.spec.timeout_ms / 1000
        self.note(task, "acquired", delegate_id, instance_id)

    def requeue(self, task: TaskRecord, *, keep_instance: bool) -> None:
        """Put a task back into its queue, last, whoever holds it."""
        self._release(task)
        self._queue_of(task)[task.task_id] = task
        task.status, task.delegate_id = TaskStatus.QUEUED, None
        task.instance_id = task.instance_id if keep_instance else None
        self.note(task, "requeued")

    def abort(self, task: TaskRecord) -> None:
        """Mark a started task aborted: it stays until its result or its expiry."""
        task.status = TaskStatus.ABORTED
        self.note(task, "aborted", task.delegate_id, task.instance_id)

    def finish(self, task: TaskRecord, verdict: Verdict, message: str, result: Result | None = None) -> None:
        """Give the task its one outcome.

        Raises:
            RuntimeError: It has one already; that is a defect of the manager.
        """
        if task.outcome is not None:
            raise RuntimeError(f"task {task.task_id} is finished already: {task.outcome.verdict}")
        self._release(task)
        self._live.pop(task.task_id)
        task.status = TaskStatus.FINISHED
        task.outcome = Outcome(verdict, message, self._clock(), result)
        self.note(task, verdict.value, task.delegate_id, task.instance_id, result)
        self._remember(task)

    def note(
        self,
        task: TaskRecord,
        kind: str,
        delegate_id: str | None = None,
        instance_id: str | None = None,
        result: Result | None = None,
    ) -> None:
        """Write an event into the task's history."""
        task.history.append(TaskEvent(kind, self._clock(), delegate_id, instance_id, result))

    def _queue_of(self, task: TaskRecord) -> dict[str, TaskRecord]:
        queues = self._sync if task.spec.sync else self._async
        return queues.setdefault(task.account_id, {})

    def _release(self, task: TaskRecord) -> None:
        self._queue_of(task).pop(task.task_id, None)
        if task.delegate_id is not None:
            self._held[task.delegate_id].pop(task.task_id, None)

    def _remember(self, task: TaskRecord) -> None:
        self._finished[task.task_id] = task
        while len(self._finished) > self._keep:
            self._finished.popitem(last=False)
