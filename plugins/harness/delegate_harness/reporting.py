"""Delivering results: the form that the task asked for, and when to stop trying."""

from __future__ import annotations

import logging
from collections import Counter

from delegate_core.errors import Interrupt, Retry
from delegate_core.http import TransportError
from delegate_core.model import Delivery, Outcome, Task, TaskResult
from delegate_harness.client import ManagerFault
from delegate_harness.results import RETRY, legacy_body, runner_body
from delegate_harness.session import HarnessSession

__all__ = ["Reporter"]

_log = logging.getLogger(__name__)

_UNREADABLE = frozenset({400, 413, 422})
"""Statuses that say that this result, as it is, will never be taken."""

_REFUSALS = 24
"""How often one result may meet another error of the manager before it is given up: about a quarter of an hour."""


class Reporter:
    """Reports the results of one runner.

    A second OK or FAILED for a task does no harm, so these are repeated until they arrive. A second
    RETRY_ON_OTHER_DELEGATE would queue a task again that somebody else runs by now, so that is sent once, only for
    tasks claimed in this life, and after a lost reply nothing more is sent.
    """

    def __init__(self, *, reject_to_others: bool) -> None:
        self._reject_to_others = reject_to_others
        self._fresh: set[str] = set()
        self._refused: Counter[str] = Counter()

    def claimed(self, task_id: str) -> None:
        """Note that a task was claimed in this life, so that no result of it was sent in an earlier one."""
        if self._reject_to_others:
            self._fresh.add(task_id)

    async def report(self, session: HarnessSession, task: Task, result: TaskResult) -> Delivery:
        """Deliver a result.

        Raises:
            ManagerFault, Retry, TransportError: what may be tried again.
        """
        if self._reject_to_others and result.outcome is Outcome.REJECTED and _form(task) == "legacy":
            return await self._hand_over(session, task, result)
        self._fresh.discard(task.id)
        try:
            await _send(session, task, result)
        except ManagerFault as fault:
            return await self._refusal(session, task, fault)
        self._refused.pop(task.id, None)
        return Delivery()

    async def _refusal(self, session: HarnessSession, task: Task, fault: ManagerFault) -> Delivery:
        """A 400 is the parser's verdict on the result. A 500 may be one too, or pass; a 401 says nothing of it."""
        if fault.status in _UNREADABLE:
            return await self._report_refusal(session, task, fault)
        if fault.status == 401:
            raise fault
        self._refused[task.id] += 1
        if self._refused[task.id] < _REFUSALS:
            raise fault
        del self._refused[task.id]
        return Delivery(kind="never", reason=str(fault))

    async def _report_refusal(self, session: HarnessSession, task: Task, fault: ManagerFault) -> Delivery:
        """End the task as failed, saying why: otherwise it would seem to run until it expires."""
        reason = f"the manager does not take the result: {fault}"
        _log.error("task %s: %s", task.id, reason)
        self._refused.pop(task.id, None)
        try:
            await _send(session, task, TaskResult.failed(reason))
        except ManagerFault as second:
            if second.status in _UNREADABLE:
                return Delivery(kind="never", reason=str(fault))
            raise
        return Delivery(reason=f"reported as failed: {reason}")

    async def _hand_over(self, session: HarnessSession, task: Task, result: TaskResult) -> Delivery:
        if task.id not in self._fresh:
            return Delivery(kind="gone", reason="handed to other delegates before, or the reply was lost")
        self._fresh.discard(task.id)
        body = legacy_body(task, result, code=RETRY)
        try:
            await session.client.respond(session.delegate_id, task.id, body)
        except (ManagerFault, Retry, Interrupt, TransportError) as error:
            if isinstance(error, TransportError) and not error.sent:
                self._fresh.add(task.id)
                raise
            return Delivery(kind="gone", reason=f"handing it to another delegate: {error}; it is tried once only")
        return Delivery(reason="handed to another delegate")


async def _send(session: HarnessSession, task: Task, result: TaskResult) -> None:
    if _form(task) == "runner":
        await session.client.respond_as_runner(session.delegate_id, task.id, runner_body(task, result))
    else:
        await session.client.respond(session.delegate_id, task.id, legacy_body(task, result))


def _form(task: Task) -> str:
    return str(task.state.get("form", "legacy")) if isinstance(task.state, dict) else "legacy"
