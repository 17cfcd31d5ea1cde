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

_REFUSALS = 8
"""How often the manager may answer one result with an error of its own before that result is given up."""

_BAD_REQUEST = 400


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

    def claimed(self, task: Task) -> None:
        """Note that a task was claimed in this life."""
        if self._reject_to_others:
            self._fresh.add(task.id)

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
            return self._refusal(task, fault)
        self._refused.pop(task.id, None)
        return Delivery()

    def _refusal(self, task: Task, fault: ManagerFault) -> Delivery:
        """A 400 is the parser's verdict; a 500 may be that too, or pass."""
        self._refused[task.id] += 1
        if fault.status != _BAD_REQUEST and self._refused[task.id] < _REFUSALS:
            raise fault
        del self._refused[task.id]
        return Delivery(kind="never", reason=str(fault))

    async def _hand_over(self, session: HarnessSession, task: Task, result: TaskResult) -> Delivery:
        if task.id not in self._fresh:
            return Delivery(kind="gone", reason="handed to other delegates before, or the reply was lost")
        self._fresh.discard(task.id)
        body = legacy_body(task, result, code=RETRY)
        try:
            await session.client.respond(session.delegate_id, task.id, body)
        except (ManagerFault, Retry, Interrupt, TransportError) as error:
            return Delivery(kind="gone", reason=f"handing it to another delegate: {error}; it is tried once only")
        return Delivery(reason="handed to another delegate")


async def _send(session: HarnessSession, task: Task, result: TaskResult) -> None:
    if _form(task) == "runner":
        await session.client.respond_as_runner(session.delegate_id, task.id, runner_body(task, result))
    else:
        await session.client.respond(session.delegate_id, task.id, legacy_body(task, result))


def _form(task: Task) -> str:
    return str(task.state.get("form", "legacy")) if isinstance(task.state, dict) else "legacy"
