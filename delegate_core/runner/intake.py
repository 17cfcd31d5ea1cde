"""From an offer to a claimed task, and from there to its end."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.concern import concerning
from delegate_core.errors import DelegateError, Drain, Interrupt, StateError, Stop
from delegate_core.http import TransportError
from delegate_core.journal import JournalFull
from delegate_core.model import CancelCause, Ended, Offer, Session, Settled, Task, TaskResult
from delegate_core.runner.calls import Fault, describe, until_answered
from delegate_core.runner.core import Core
from delegate_core.runner.delivery import deliver
from delegate_core.runner.execution import Execution
from delegate_core.runner.slots import Slot

__all__ = ["Intake"]

_log = logging.getLogger(__name__)

_PATIENCE = 300.0
"""Seconds in which a claim is to be answered, before its slot and who offered it wait no longer."""

_ASKED_ON = (30.0, 120.0)
"""Seconds between two tries from then on: at first, and at most."""

_REMEMBERED = 1024
"""Cancellations kept for tasks that are not here: they may be listed before the claim is answered."""


class Intake:
    """Takes offers, claims them, and sees each claimed task through to its report.

    Error handling: a fault of the journal ends the runner; any other unexpected error ends only its task.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._vetoes = core.plugins.each("accept_task")
        self._cancelled: OrderedDict[str, CancelCause] = OrderedDict()
        self._stopping: CancelCause | None = None
        self._in_doubt: set[str] = set()
        """Ids of the tasks that may be ours, and whose claims are asked for beside everything else."""

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
        if offer.task_id in core.taken or offer.task_id in self._in_doubt:
            settle(Settled.DUPLICATE)
        elif self._vetoes and self._vetoed(offer):
            settle(Settled.VETOED)
        elif not core.slots.take(offer.type):
            return False
        else:
            core.taken.add(offer.task_id)
            core.spawn(self._live, session, offer, settle)
        return True

    def _vetoed(self, offer: Offer) -> bool:
        with concerning(task=offer.task_id):
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
            with concerning(task=task_id):
                _log.info("task %s: cancelled%s", task_id, f": {reason}" if reason else "")
                execution.cancel(cause)
            return
        self._cancelled[task_id] = cause
        while len(self._cancelled) > _REMEMBERED:
            self._cancelled.popitem(last=False)

    def stop(self, cause: CancelCause) -> None:
        """Cancel everything that runs, and what is being claimed as soon as it is ours."""
        self._stopping = cause
        for execution in list(self._core.executions.values()):
            execution.cancel(cause)

    # ------------------------------------------------------------------ a life

    async def _live(self, session: Session, offer: Offer, settle: _Settle) -> None:
        """The whole life of one offer; holds its slot until the result is in the journal."""
        slot = Slot(self._core.slots, offer.type)
        with self.life(session, offer.task_id, slot):
            try:
                claimed = await self._claim(session, offer, settle, slot)
            finally:
                settle(Settled.GONE)
            if claimed is not None:
                await self._carry_out(*claimed, slot)
            else:
                self._core.slots.refund()

    async def resume(self, session: Session, number: int, task: Task, slot: Slot) -> None:
        """Run a task that an earlier life had claimed and not started, within a `life` of the caller."""
        await self._carry_out(self._execution(session, number, task), None, slot)

    @contextmanager
    def life(self, session: Session, task_id: str, slot: Slot | None) -> Iterator[None]:
        """Around all that is done for one task: whatever happens, its id and its slot are given back.

        An error that comes so far hurts no other task. The task is in the journal, so the next start sees to it.
        """
        core = self._core
        with concerning(task=task_id):
            try:
                yield
            except StateError as error:
                core.unsettled.add(task_id)
                core.interrupted(Drain("the journal failed", error), session)
            except Fault:
                raise_if_cancelled()
                core.unsettled.add(task_id)
                _log.exception("task %s: given up until the next start, for an error of the runner's own", task_id)
            finally:
                self._cancelled.pop(task_id, None)
                core.taken.discard(task_id)
                if slot is not None:
                    slot.release()
                core.change()

    async def _carry_out(self, execution: Execution, result: TaskResult | None, slot: Slot) -> None:
        """Execute, give the slot back, deliver."""
        result = await self._see_through(execution, result)
        self._release(slot, execution)
        await execution.log_sent()
        await deliver(self._core, execution.session, execution.number, execution.task, result)

    def _release(self, slot: Slot, execution: Execution) -> None:
        """Give the slot back; where a handler's thread goes on, when that ends."""
        if execution.outlived_by is None:
            slot.release()
        else:
            self._core.abandoned += 1
            self._core.spawn(self._release_later, slot.handed_over(), execution.outlived_by)

    async def _release_later(self, slot: Slot, thread: anyio.Event) -> None:
        try:
            await thread.wait()
        finally:
            self._core.abandoned -= 1
            slot.release()

    async def _see_through(self, execution: Execution, result: TaskResult | None) -> TaskResult:
        """Execute a claimed task, or end it with the result it has; the result is in the journal on return."""
        core, task = self._core, execution.task
        core.executions[task.id] = execution
        cause = self._cancelled.pop(task.id, self._stopping)
        if cause is not None:
            execution.cancel(cause)
        try:
            result = await execution.execute(result)
        finally:
            del core.executions[task.id]
            core.change()
        core.finished(task, result, execution.duration)
        return result

    def _execution(self, session: Session, number: int, task: Task) -> Execution:
        return Execution(self._core, session, task, number, created=time.time())

    # ------------------------------------------------------------------ claiming

    async def _claim(
        self, session: Session, offer: Offer, settle: _Settle, slot: Slot
    ) -> tuple[Execution, TaskResult | None] | None:
        """Claim an offer whose intent is journaled first. None: it is not ours."""
        core = self._core
        try:
            number = await core.journal.intend(offer, session.identity)
        except JournalFull as error:
            _log.warning("task %s (%s) left to others: %s", offer.task_id, offer.type, error)
            return None
        offer = Offer(offer.task_id, offer.type, offer.detail, lambda: settle(Settled.CLAIMED))
        with anyio.move_on_after(_PATIENCE) as patience:
            answer = await self._ask(session, offer)
        if patience.cancelled_caught:
            settle(Settled.GONE)
            answer = await self._ask_on(session, offer, slot)
        if answer is None:
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
        except DelegateError as error:
            core.interrupted(Stop(str(error), error), session)
        except TransportError as error:
            _log.warning("claim of task %s: %s", offer.task_id, describe(error))
            if not error.sent:
                return None  # it never left: the server will list the task again
        except Fault as error:
            raise_if_cancelled()
            _log.warning("claim of task %s: %s", offer.task_id, describe(error))
        backoff = Backoff()
        await anyio.sleep(backoff.next())
        return await self._ask_again(session, offer, backoff)

    async def _ask_again(self, session: Session, offer: Offer, backoff: Backoff) -> Task | Ended | None:
        core = self._core
        return await until_answered(
            lambda: core.backend.claim(session, offer, again=True),
            f"claim of task {offer.task_id}",
            backoff=backoff,
            interrupted=lambda interrupt: core.interrupted(interrupt, session),
        )

    async def _ask_on(self, session: Session, offer: Offer, slot: Slot) -> Task | Ended | None:
        """The slot is for others from here on; the server is still asked, since nobody else would learn of the task.

        No drain waits for that: the intent is in the journal, and the next start asks again.
        """
        core, task_id = self._core, offer.task_id
        _log.error("task %s: no answer to its claim for %.0fs: it may be ours, and is asked for on", task_id, _PATIENCE)
        self._in_doubt.add(task_id)
        core.unsettled.add(task_id)
        core.taken.discard(task_id)
        slot.release()
        core.change()
        try:
            answer = await self._ask_again(session, offer, Backoff(*_ASKED_ON))
        finally:
            self._in_doubt.discard(task_id)
        core.unsettled.discard(task_id)
        core.taken.add(task_id)
        slot.seize()
        return answer


class _Settle:
    """Tells who offered what became of the offer, once."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[Settled], None] | None) -> None:
        self._callback = callback

    def __call__(self, what: Settled) -> None:
        callback, self._callback = self._callback, None
        if callback is None:
            return
        try:
            callback(what)
        except Exception:  # noqa: BLE001 - it is a backend's
            _log.exception("the backend failed to note that an offer was settled: %s", what)
