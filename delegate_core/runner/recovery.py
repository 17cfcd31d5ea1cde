"""What an earlier life of this runner left in the journal, and what becomes of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

from delegate_core.concern import concerning
from delegate_core.model import Delivery, Entry, Finish, Forget, Phase, Run, Session, Task, TaskResult
from delegate_core.processes import ProcessIdentity, end_leftovers
from delegate_core.runner.aftercrash import command_after_crash
from delegate_core.runner.calls import until_answered
from delegate_core.runner.core import Core
from delegate_core.runner.delivery import deliver
from delegate_core.runner.intake import Intake
from delegate_core.runner.leftlogs import LeftLogs
from delegate_core.runner.slots import Slot
from delegate_core.statefolder import StateFolder

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
        self._core.spawn(self._send_late_logs, session, self._core.journal.without_log())
        entries = self._distinct(self._core.journal.unfinished())
        if not entries:
            return
        counts = Counter(entry.phase.value for entry in entries)
        _log.warning("an earlier run left %s", ", ".join(f"{n} {phase}" for phase, n in counts.items()))
        self._core.unsettled |= {entry.task_id for entry in entries}
        for entry in entries:
            with concerning(task=entry.task_id):
                await self.take_over(session, entry)

    def _distinct(self, entries: list[Entry]) -> list[Entry]:
        """One entry a task: an intent that was left open is nothing beside a later entry of the same task."""
        last = {(entry.session.server, entry.session.account, entry.task_id): entry for entry in entries}
        distinct = [entry for entry in entries if entry.phase is not Phase.INTENT or entry in last.values()]
        for entry in entries:
            if entry not in distinct:
                self._core.journal.forget(entry.number)
        return distinct

    async def take_over(self, present: Session, entry: Entry) -> bool:
        """Set an entry on its way. False: it is another account's, and stays where it is."""
        core = self._core
        session = await until_answered(
            lambda: core.backend.resume(entry.session, present),
            f"recovery of task {entry.task_id}",
            interrupted=lambda interrupt: core.interrupted(interrupt, present),
        )
        core.unsettled.discard(entry.task_id)
        if session is None:
            _log.warning(
                "task %s belongs to account %s at %s: kept aside, not sent; start a runner for that one to deliver it",
                entry.task_id, entry.session.account, entry.session.server,
            )  # fmt: skip
            return False
        core.taken.add(entry.task_id)
        if entry.phase is Phase.FINISHED:
            core.backlog += 1
            core.spawn(self._deliver, session, entry)
        else:
            core.slots.seize(entry.type)
            core.spawn(self._see_to, session, entry)
        return True

    async def _deliver(self, session: Session, entry: Entry) -> None:
        """Deliver a result that an earlier life had journaled."""
        core = self._core
        with self._intake.life(session, entry.task_id, None):
            core.folder.remove_task(entry.number)
            if entry.result is not None:
                task = _task_of(entry)
                await self._left_logs(session, entry, task).send()
                await deliver(core, session, entry.number, task, entry.result)

    async def _see_to(self, session: Session, entry: Entry) -> None:
        """Clean up behind a task without a result, and do what the backend decides. Holds a slot meanwhile."""
        slot = Slot(self._core.slots, entry.type)
        with self._intake.life(session, entry.task_id, slot):
            await self._clean_up(entry)
            entry = replace(entry, streams=_streams(self._core.folder, entry.number))
            decision = await self._decide(session, entry)
            await self._command_after(entry, decision)
            if isinstance(decision, Run):
                await self._run(session, entry, decision.task, slot)
            elif isinstance(decision, Finish):
                await self._finish(session, entry, decision, slot)
            else:
                self._forget(entry, decision)

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

    async def _command_after(self, entry: Entry, decision: Run | Finish | Forget) -> None:
        """The operator's command for a task that had begun: it may have left something to clean up."""
        if entry.phase is Phase.STARTED:
            result = decision.result if isinstance(decision, Finish) else TaskResult.lost_in_crash()
            await command_after_crash(self._core, entry, _task_of(entry), result)

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

    async def _run(self, session: Session, entry: Entry, task: Task, slot: Slot) -> None:
        self._core.journal.claimed(entry.number, task)
        _log.info("task %s (%s): claimed before the restart, runs now", task.id, task.type)
        await self._intake.resume(session, entry.number, task, slot)

    async def _finish(self, session: Session, entry: Entry, decision: Finish, slot: Slot) -> None:
        core, task = self._core, decision.task or _task_of(entry)
        if decision.task is not None:
            core.journal.claimed(entry.number, task)
        await core.journal.finished(entry.number, decision.result)
        core.finished(task, decision.result, 0.0)
        slot.release()
        await self._left_logs(session, entry, task).send()
        await deliver(core, session, entry.number, task, decision.result)

    async def _send_late_logs(self, present: Session, entries: list[Entry]) -> None:
        """The runner had died between a result's delivery and the end of its log."""
        for entry in entries:
            if not _streams(self._core.folder, entry.number):
                continue
            with self._intake.life(present, entry.task_id, None):
                session = await self._core.backend.resume(entry.session, present)
                if session is not None:
                    await self._left_logs(session, entry, _task_of(entry)).send()

    def _left_logs(self, session: Session, entry: Entry, task: Task) -> LeftLogs:
        return LeftLogs(self._core, entry, session, task, _streams(self._core.folder, entry.number))

    def _forget(self, entry: Entry, decision: Forget) -> None:
        journal = self._core.journal
        _log.info("task %s: not ours any more: %s", entry.task_id, decision.reason or "forgotten")
        if entry.phase is Phase.INTENT:
            journal.forget(entry.number)
        else:
            journal.settled(entry.number, Delivery(kind="gone", reason=decision.reason))


def _streams(folder: StateFolder, number: int) -> dict[str, Path]:
    """The spools that the earlier life left, by step; that of the task itself under no name."""
    own = folder.log_folder(number)
    return {**({"": own} if any(own.glob("*.jsonl")) else {}), **folder.streams(number)}


def _task_of(entry: Entry) -> Task:
    """The task as far as the journal knows it: enough to report its result."""
    return Task(id=entry.task_id, type=entry.type, timeout=entry.timeout, state=entry.state)
