"""From an offer to a claimed task, and from there to its end."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

import anyio

from delegate_core.backoff import Backoff
from delegate_core.errors import Interrupt, StateError, Stop
from delegate_core.http import TransportError
from delegate_core.model import CancelCause, Ended, Offer, Session, Settled, Task, TaskResult
from delegate_core.runner.calls import describe, until_answered
from delegate_core.runner.core import Core
from delegate_core.runner.delivery import deliver
from delegate_core.runner.execution import Execution

__all__ = ["Intake"]

_log = logging.getLogger(__name__)

_PATIENCE = 300.0
"""Seconds to ask again for a claim whose reply was lost, before the task counts as not ours."""

_REMEMBERED = 1024
"""Cancellations kept for tasks that are not here: they may be listed before the claim is answered."""


class Intake:
    """Takes offers, claims them, and sees each claimed task through to its report.

    Error handling: a fault of the journal ends the runner; any other unexpected error of ours ends only its task,
    as failed, with a text that says whose failure it was.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._vetoes = core.plugins.each("accept_task")
        self._cancelled: OrderedDict[str, CancelCause] = OrderedDict()

    # ------------------------------------------------------------------ offers

    async def offer(self, session: Session, offer: Offer) -> Settled:
        """Take an offer and wait until it is settled."""
        answered = anyio.Event()
        answer: list[Settled] = []

        def settled(what: Settled) -> None:
            answer.append(what)
            answered.set()

        if not self.submit(session, offer, settled):
            return Settled.NO_ROOM
        await answered.wait()
        return answer[0]

    def submit(self, session: Session, offer: Offer, settled: Callable[[Settled], None] | None = None) -> bool:
        """Take an offer without waiting. False: no room."""
        core = self._core
        settle = _Settle(settled)
        if offer.task_id in core.taken:
            settle(Settled.DUPLICATE)
        elif self._vetoed(offer):
            settle(Settled.VETOED)
        elif not core.slots.take(offer.type):
            return False
        else:
            core.taken.add(offer.task_id)
            core.spawn(self._live, session, offer, settle)
        return True

    def _vetoed(self, offer: Offer) -> bool:
        for veto in self._vetoes:
            try:
                reason = veto(offer=offer)
            except Exception:  # noqa: BLE001 - a plugin may raise anything
                _log.exception("plugin %s failed in accept_task", veto.plugin)
                continue
            if reason is not None:
                _log.info("task %s (%s) left to others: %s", offer.task_id, offer.type, reason)
                return True
        return False

    # ------------------------------------------------------------------ cancellations

    def cancel(self, task_id: str, cause: CancelCause, reason: str = "") -> None:
        """Cancel a task that runs or is being claimed; remember it for one that is not here yet."""
        execution = self._core.executions.get(task_id)
        if execution is not None:
            _log.info("task %s: cancelled%s", task_id, f": {reason}" if reason else "")
            execution.cancel(cause)
            return
        self._cancelled[task_id] = cause
        while len(self._cancelled) > _REMEMBERED:
            self._cancelled.popitem(last=False)

    # ------------------------------------------------------------------ a life

    async def _live(self, session: Session, offer: Offer, settle: _Settle) -> None:
        """The whole life of one offer; holds its slot until the result is in the journal."""
        core = self._core
        released = False
        try:
            claimed = await self._claim(session, offer, settle)
            if claimed is None:
                return
            execution, result = claimed
            result = await self.see_through(execution, result)
            self._release(offer.type, execution)
            released = True
            await execution.log_sent()
            await deliver(core, execution.session, execution.number, execution.task, result)
        except StateError as error:
            core.interrupted(Stop("the journal failed", error), session)
        finally:
            settle(Settled.GONE)
            core.taken.discard(offer.task_id)
            if not released:
                core.slots.release(offer.type)
            core.change()

    async def resume(self, session: Session, number: int, task: Task, slot: str) -> None:
        """Run a task that an earlier life had claimed and not started. Its id and a slot of type ``slot`` are taken."""
        core = self._core
        execution = self._execution(session, number, task)
        released = False
        try:
            result = await self.see_through(execution, None)
            self._release(slot, execution)
            released = True
            await execution.log_sent()
            await deliver(core, session, number, execution.task, result)
        finally:
            core.taken.discard(task.id)
            if not released:
                core.slots.release(slot)
            core.change()

    def _release(self, task_type: str, execution: Execution) -> None:
        """Give the slot back; where a handler's thread goes on, when that ends."""
        thread = execution.outlived_by
        if thread is None:
            self._core.slots.release(task_type)
        else:
            self._core.spawn(self._release_later, task_type, thread)

    async def _release_later(self, task_type: str, thread: anyio.Event) -> None:
        core = self._core
        core.abandoned += 1
        try:
            await thread.wait()
        finally:
            core.abandoned -= 1
            core.slots.release(task_type)

    async def see_through(self, execution: Execution, result: TaskResult | None) -> TaskResult:
        """Execute a claimed task, or end it with the result it has; the result is in the journal on return."""
        core, task = self._core, execution.task
        core.executions[task.id] = execution
        cancelled = self._cancelled.pop(task.id, None)
        if cancelled is not None:
            execution.cancel(cancelled)
        try:
            result = await execution.execute(result)
        finally:
            del core.executions[task.id]
            core.change()
        core.counters.finished[result.outcome] = core.counters.finished.get(result.outcome, 0) + 1
        core.backlog += 1
        core.observers.task_finished(task=task, result=result, duration=execution.duration)
        return result

    def _execution(self, session: Session, number: int, task: Task) -> Execution:
        return Execution(self._core, session, task, number, created=time.time())

    # ------------------------------------------------------------------ claiming

    async def _claim(
        self, session: Session, offer: Offer, settle: _Settle
    ) -> tuple[Execution, TaskResult | None] | None:
        """Claim an offer whose intent is journaled first. None: it is not ours."""
        core = self._core
        number = await core.journal.intend(offer, session.identity)
        offer = Offer(offer.task_id, offer.type, offer.detail, lambda: settle(Settled.CLAIMED))
        answer = await self._ask(session, offer)
        if answer is None:
            self._cancelled.pop(offer.task_id, None)
            core.journal.forget(number)
            return None
        task, result = (answer.task, answer.result) if isinstance(answer, Ended) else (answer, None)
        core.journal.claimed(number, task)
        settle(Settled.CLAIMED)
        core.counters.claimed += 1
        core.observers.task_claimed(task=task)
        return self._execution(session, number, task), result

    async def _ask(self, session: Session, offer: Offer) -> Task | Ended | None:
        """Ask once; after a fault whose reply may have been lost, ask again until answered."""
        core = self._core
        try:
            return await core.backend.claim(session, offer, again=False)
        except Interrupt as interrupt:
            core.interrupted(interrupt, session)
        except TransportError as error:
            _log.warning("claim of task %s: %s", offer.task_id, describe(error))
            if not error.sent:
                return None  # it never left: the server will list the task again
        except Exception as error:  # noqa: BLE001 - a backend's passing fault may be anything
            _log.warning("claim of task %s: %s", offer.task_id, describe(error))
        return await self._ask_again(session, offer)

    async def _ask_again(self, session: Session, offer: Offer) -> Task | Ended | None:
        core = self._core
        backoff = Backoff()
        with anyio.move_on_after(_PATIENCE):
            await anyio.sleep(backoff.next())
            return await until_answered(
                lambda: core.backend.claim(session, offer, again=True),
                f"claim of task {offer.task_id}",
                backoff=backoff,
                interrupted=lambda interrupt: core.interrupted(interrupt, session),
            )
        _log.error("task %s: given up after %.0fs: whether it was ours stays unknown", offer.task_id, _PATIENCE)
        return None


class _Settle:
    """Tells who offered what became of the offer, once."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[Settled], None] | None) -> None:
        self._callback = callback

    def __call__(self, what: Settled) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(what)
