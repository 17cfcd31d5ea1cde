"""What an earlier life of this runner left in the journal, and what becomes of it."""

from __future__ import annotations

import json
import logging
from collections import Counter

from delegate_core.errors import StateError, Stop
from delegate_core.model import Delivery, Entry, Finish, Forget, Phase, Run, Session, Task, TaskResult
from delegate_core.processes import ProcessIdentity, end_leftovers
from delegate_core.runner.calls import until_answered
from delegate_core.runner.core import Core
from delegate_core.runner.delivery import deliver
from delegate_core.runner.intake import Intake

__all__ = ["Recovery"]

_log = logging.getLogger(__name__)


class Recovery:
    """Sees each entry that an earlier life left unfinished to its end, beside the new tasks.

    What had a result is delivered; what had started is never run again; what had only been claimed, or may have been,
    is asked for again. Processes and folders that it left are gone before that.
    """

    def __init__(self, core: Core, intake: Intake) -> None:
        self._core = core
        self._intake = intake

    async def start(self, session: Session) -> None:
        """Take over all entries; return when each is on its way and its id is known to the intake."""
        entries = self._core.journal.unfinished()
        if not entries:
            return
        counts = Counter(entry.phase.value for entry in entries)
        _log.warning("an earlier run left %s", ", ".join(f"{n} {phase}" for phase, n in counts.items()))
        for entry in entries:
            await self._take_over(session, entry)

    async def _take_over(self, present: Session, entry: Entry) -> None:
        core = self._core
        session = await until_answered(
            lambda: core.backend.resume(entry.session, present),
            f"recovery of task {entry.task_id}",
            interrupted=lambda interrupt: core.interrupted(interrupt, present),
        )
        if session is None:
            _log.warning(
                "task %s belongs to account %s at %s: kept aside, not sent; start a runner for that one to deliver it",
                entry.task_id, entry.session.account, entry.session.server,
            )  # fmt: skip
            return
        core.taken.add(entry.task_id)
        if entry.phase is Phase.FINISHED:
            core.backlog += 1
            core.spawn(self._deliver, session, entry)
        else:
            core.slots.seize(entry.type)
            core.spawn(self._see_to, session, entry)

    async def _deliver(self, session: Session, entry: Entry) -> None:
        """Deliver a result that an earlier life had journaled."""
        core = self._core
        core.folder.remove_task(entry.number)
        try:
            if entry.result is not None:
                await deliver(core, session, entry.number, _task_of(entry), entry.result)
        finally:
            core.taken.discard(entry.task_id)
            core.change()

    async def _see_to(self, session: Session, entry: Entry) -> None:
        """Clean up behind a task without a result, and do what the backend decides. Holds a slot meanwhile."""
        core = self._core
        running = False
        try:
            await self._clean_up(entry)
            decision = await self._decide(session, entry)
            if isinstance(decision, Run):
                running = True
                await self._run(session, entry, decision.task)
            else:
                await self._end(session, entry, decision)
        except StateError as error:
            core.interrupted(Stop("the journal failed", error), session)
        finally:
            if not running:
                core.slots.release(entry.type)
                core.taken.discard(entry.task_id)
            core.change()

    async def _clean_up(self, entry: Entry) -> None:
        """End the processes that the dead runner left, by identity and by mark, and remove the task's folder."""
        core = self._core
        if entry.phase is Phase.STARTED:
            ended = await end_leftovers(f"{core.instance}-{entry.number}", core.settings.grace)
            for text in core.journal.processes(entry.number):
                identity = ProcessIdentity.from_json(json.loads(text))
                ended += await end_leftovers(identity, core.settings.grace)
            if ended:
                _log.warning("task %s: ended %d processes that the earlier run had left", entry.task_id, ended)
        core.folder.remove_task(entry.number)

    async def _decide(self, session: Session, entry: Entry) -> Run | Finish | Forget:
        core = self._core
        decision = await until_answered(
            lambda: core.backend.recover(session, entry),
            f"recovery of task {entry.task_id}",
            interrupted=lambda interrupt: core.interrupted(interrupt, session),
        )
        if isinstance(decision, Run) and entry.phase is Phase.STARTED:
            _log.error("task %s: the backend asked to run it again; it had started, so it ends", entry.task_id)
            return Finish(TaskResult.lost_in_crash())
        return decision

    async def _run(self, session: Session, entry: Entry, task: Task) -> None:
        core = self._core
        core.journal.claimed(entry.number, task)
        _log.info("task %s (%s): claimed before the restart, runs now", task.id, task.type)
        await self._intake.resume(session, entry.number, task, entry.type)

    async def _end(self, session: Session, entry: Entry, decision: Finish | Forget) -> None:
        core = self._core
        if isinstance(decision, Forget):
            _log.info("task %s: not ours any more: %s", entry.task_id, decision.reason or "forgotten")
            if entry.phase is Phase.INTENT:
                core.journal.forget(entry.number)
            else:
                core.journal.settled(entry.number, Delivery(kind="gone", reason=decision.reason))
            return
        await core.journal.finished(entry.number, decision.result)
        core.backlog += 1
        core.observers.task_finished(task=_task_of(entry), result=decision.result, duration=0.0)
        await deliver(core, session, entry.number, _task_of(entry), decision.result)


def _task_of(entry: Entry) -> Task:
    """The task as far as the journal knows it: enough to report its result."""
    return Task(id=entry.task_id, type=entry.type, timeout=entry.timeout, state=entry.state)
