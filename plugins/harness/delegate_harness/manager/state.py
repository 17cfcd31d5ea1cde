"""The manager without a network: accounts, delegates and tasks, and the rules between them."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from .accounts import Accounts
from .answers import AnswerDesk
from .assignment import Assignment, Listing
from .eligibility import eligible, fold, reason
from .records import Account, Delegate, DelegateStatus, Result, Submission, TaskRecord, TaskStatus, Verdict
from .registry import DelegateRegistry
from .rules import Rules
from .tasks import TaskBook
from .timerules import TimeRules
from .wire import STRICT_TYPES, Registration, Unregistration

__all__ = ["Directive", "ManagerState"]

_STRAYS_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Directive:
    """A registration is answered with an order: SELF_DESTRUCT, or MIGRATE with an address."""

    action: str
    url: str | None = None


class ManagerState:
    """Everything the manager knows, changed only through these methods. No I/O, no threads.

    Args:
        rules: How tasks are treated.
        clock: Seconds since the epoch.
        new_id: Makes the ids of delegates and tasks.
    """

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self.rules = rules or Rules()
        self.clock = clock
        self.accounts = Accounts()
        self.calls: Counter[str] = Counter()
        """Calls served so far, by endpoint name."""
        self.strays: deque[tuple[str, Result]] = deque(maxlen=_STRAYS_LIMIT)
        """Results for tasks nobody knows, with the task id they named."""
        self._new_id = new_id
        self._delegates = DelegateRegistry(clock, new_id)
        self._book = TaskBook(clock, self.rules.keep_finished)
        self._assignment = Assignment(self._book, clock, self.rules.event_limit)
        self._time_rules = TimeRules(self._book, self._delegates, self.rules.rounds)
        self._answers = AnswerDesk(
            self._book, self._delegates, requeue_keeps_instance=self.rules.requeue_keeps_instance
        )
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after every change."""
        self._listeners.append(listener)

    def count_call(self, endpoint: str) -> None:
        """Count a call that has been handled."""
        self.calls[endpoint] += 1
        self._changed()

    # Delegates

    def register(self, account_id: str, registration: Registration) -> Delegate | Directive:
        """Admit a delegate, or order it away.

        An immutable one that registers again is taken for crashed: what it had started fails.
        """
        known = self._delegates.known(account_id, registration)
        directive = self._directive(self._account(account_id), registration, known)
        if directive is not None:
            return directive
        if known is not None and known.immutable:
            self._time_rules.disconnect(known)
        delegate = self._delegates.register(account_id, registration)
        self._changed()
        return delegate

    def heartbeat(self, account_id: str, delegate_id: str) -> DelegateStatus:
        """Stamp a heartbeat; an unknown delegate is told it is deleted."""
        delegate = self.delegate(account_id, delegate_id)
        if delegate is None:
            return DelegateStatus.DELETED
        self._delegates.beat(delegate)
        self._changed()
        return delegate.status

    def unregister(self, account_id: str, body: Unregistration) -> Delegate | None:
        """Remove the delegate of this host name and address, and fail what it had started at once."""
        delegate = self._delegates.unregistered(account_id, body)
        if delegate is not None:
            self._time_rules.disconnect(delegate)
            self._changed()
        return delegate

    def delete_delegate(self, account_id: str, delegate_id: str) -> None:
        """Delete as an operator does in the UI; KeyError where it is unknown."""
        delegate = self.delegate(account_id, delegate_id)
        if delegate is None:
            raise KeyError(delegate_id)
        self._delegates.delete(delegate)
        self._changed()

    def set_capacity(self, account_id: str, delegate_id: str, builds: int | None) -> None:
        """Note the capacity a delegate tells; an unknown delegate is ignored."""
        delegate = self.delegate(account_id, delegate_id)
        if delegate is not None:
            delegate.capacity = builds
            self._changed()

    def delegate(self, account_id: str, delegate_id: str) -> Delegate | None:
        """The delegate of that id."""
        return self._delegates.get(delegate_id, account_id)

    def delegates(self, account_id: str) -> list[Delegate]:
        """The account's delegates in order of registration."""
        return self._delegates.of(account_id)

    # Tasks, as whoever wants work done sees them

    def submit(self, spec: Submission, account_id: str) -> str:
        """Create a task and return its id.

        Raises:
            ValueError: Its data is not JSON, or its type is none of the strict manager's.
        """
        json.dumps(spec.data)
        if self.rules.strict and spec.type not in STRICT_TYPES:
            raise ValueError(f"task type {spec.type} is not one of {', '.join(sorted(STRICT_TYPES))}")
        account = self._account(spec.account_id or account_id)
        now = self.clock()
        expiry = now + spec.timeout_ms / 1000
        task = TaskRecord(self._new_id(), account.account_id, spec, fold(spec.selectors), created=now, expiry=expiry)
        self._book.add(task)
        if self.rules.strict:
            self._freeze_eligible(task)
        self._changed()
        return task.task_id

    def abort(self, task_id: str) -> bool:
        """Abort a task; True where that changed anything.

        A queued task ends here; a started one stays until its delegate answers or it expires.

        Raises:
            KeyError: The task is unknown.
            ValueError: It is a sync task: those cannot be aborted.
        """
        task = self.task(task_id)
        if task.spec.sync:
            raise ValueError(f"task {task_id} is a sync task, which cannot be aborted")
        if task.status is TaskStatus.QUEUED:
            self._book.finish(task, Verdict.ABORTED, "aborted before a delegate took it")
        elif task.status is TaskStatus.STARTED:
            self._abort_started(task)
        else:
            return False
        self._changed()
        return True

    def task(self, task_id: str) -> TaskRecord:
        """The task, live or finished; KeyError where it is unknown or forgotten."""
        task = self._book.find(task_id)
        if task is None:
            raise KeyError(task_id)
        return task

    def tasks(self) -> list[TaskRecord]:
        """The finished tasks that are remembered, then the live ones."""
        return self._book.all()

    def waiting(self, task_id: str) -> str | None:
        """Why the task is still queued; None where it is not."""
        task = self.task(task_id)
        if task.status is not TaskStatus.QUEUED:
            return None
        return reason(task, self.delegates(task.account_id))

    # Tasks, as a delegate sees them

    def poll(self, account_id: str, delegate_id: str) -> Listing:
        """What the delegate may acquire now, and the aborts it has not been told; each is told once."""
        delegate = self.delegate(account_id, delegate_id)
        if delegate is None or delegate.status is DelegateStatus.DELETED:
            return Listing([], [])
        return self._assignment.listing(delegate)

    def started(self, account_id: str, delegate_id: str) -> list[TaskRecord]:
        """The tasks a delegate has started."""
        held = self._book.held_by(delegate_id)
        return [task for task in held if task.account_id == account_id and task.status is TaskStatus.STARTED]

    def acquire(self, account_id: str, delegate_id: str, task_id: str, instance_id: str) -> TaskRecord | None:
        """Assign a queued task to one instance; the same instance gets it again; None: not available."""
        task = self._book.living(task_id, account_id)
        delegate = self.delegate(account_id, delegate_id)
        if task is None or delegate is None or not self._assignment.acquire(task, delegate, instance_id):
            return None
        self._changed()
        return task

    def answer(self, account_id: str, task_id: str, result: Result) -> None:
        """Take a result; for a task that nobody knows it is kept among the strays."""
        task = self._book.find(task_id)
        if task is None or task.account_id != account_id:
            self.strays.append((task_id, result))
        else:
            self._answers.take(task, result)
        self._changed()

    def tick(self) -> None:
        """Apply the rules of time: expiry, broadcast rounds, silent delegates."""
        self._time_rules.apply(self.clock())
        self._changed()

    def _account(self, account_id: str) -> Account:
        account = self.accounts.get(account_id)
        if account is None:
            raise KeyError(account_id)
        return account

    def _directive(self, account: Account, registration: Registration, known: Delegate | None) -> Directive | None:
        if account.moved_to is not None:
            return Directive("MIGRATE", account.moved_to)
        deleted = known is not None and known.status is DelegateStatus.DELETED
        if account.deleted or deleted or registration.group in account.deleted_groups:
            return Directive("SELF_DESTRUCT")
        return None

    def _freeze_eligible(self, task: TaskRecord) -> None:
        """Fix who may run the task, as it is created; nobody: it fails."""
        able = [each for each in self.delegates(task.account_id) if eligible(each, task)]
        task.frozen_eligible = frozenset(each.delegate_id for each in able)
        if not able:
            self._book.finish(task, Verdict.NOT_ELIGIBLE, "no eligible delegates")

    def _abort_started(self, task: TaskRecord) -> None:
        self._book.abort(task)
        delegate = self.delegate(task.account_id, task.delegate_id or "")
        if delegate is not None:
            delegate.aborts.append(task.task_id)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
