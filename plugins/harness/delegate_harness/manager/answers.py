"""What becomes of a delegate's result: the first one ends the task, later ones change nothing."""

from __future__ import annotations

from .eligibility import eligible
from .records import Result, ResultCode, TaskRecord, TaskStatus, Verdict
from .registry import DelegateRegistry
from .tasks import TaskBook

__all__ = ["AnswerDesk"]

_VERDICTS = {
    ResultCode.OK: Verdict.SUCCEEDED,
    ResultCode.TIMEOUT: Verdict.TIMED_OUT,
}


class AnswerDesk:
    """Takes results for the tasks of a book.

    Args:
        book: The tasks.
        registry: The delegates, for a retry on another one.
        requeue_keeps_instance: Whether a task put back keeps its old instance id, as the real manager's
            rows do: then nobody can acquire it until it expires.
    """

    def __init__(self, book: TaskBook, registry: DelegateRegistry, *, requeue_keeps_instance: bool) -> None:
        self._book = book
        self._registry = registry
        self._keep_instance = requeue_keeps_instance

    def take(self, task: TaskRecord, result: Result) -> None:
        """Apply one result."""
        if task.outcome is not None:
            self._book.note(task, _repetition(task, result), result.sender, result=result)
        elif result.code is ResultCode.RETRY_ON_OTHER_DELEGATE:
            self._retry(task, result)
        else:
            self._end(task, result)

    def _end(self, task: TaskRecord, result: Result) -> None:
        if task.delegate_id != result.sender:
            self._book.note(task, "unclaimed", result.sender, result=result)
        verdict = _VERDICTS.get(result.code, Verdict.FAILED)
        if task.status is TaskStatus.ABORTED:
            verdict = Verdict.ABORTED
        self._book.finish(task, verdict, _message(result), result)

    def _retry(self, task: TaskRecord, result: Result) -> None:
        """Put the task back if a delegate is left untried.

        Neither the task's state nor the sender is looked at, as in the real manager: a repetition takes
        the task away from the delegate that runs it by now.
        """
        task.tried.add(result.sender)
        delegates = self._registry.of(task.account_id)
        if any(eligible(each, task) and each.delegate_id not in task.tried for each in delegates):
            self._book.requeue(task, keep_instance=self._keep_instance)
        else:
            self._end(task, result)


def _repetition(task: TaskRecord, result: Result) -> str:
    first = task.outcome.result if task.outcome else None
    if first is None:
        return "late"
    return "duplicate" if first.code is result.code else "conflict"


def _message(result: Result) -> str:
    told = result.data.get("error_message") if isinstance(result.data, dict) else None
    return result.error or str(told or "")
