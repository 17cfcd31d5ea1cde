"""The book of one stage: every call about it, from its acceptance to its final report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import anyio

from delegate_core.model import Attempts, Delivery
from delegate_drone.client import DroneClient
from delegate_drone.faults import AlreadyThere, ServerFault, Unusable
from delegate_drone.records import ending
from delegate_drone.records.ending import Final
from delegate_drone.records.patience import Patience
from delegate_drone.records.record import Phase, StageRecord, StepRecord
from delegate_drone.records.rows import EndedElsewhere, InDoubt, Rows, Save, StartLost, cut
from delegate_drone.wire import Details, Stage, Step

__all__ = ["StageBook"]

_OVER = frozenset({Phase.FINISHED, Phase.ENDED})
_STARTED = frozenset({Phase.RUNNING, Phase.FINISHING, Phase.FINISHED})


class StageBook:
    """Tells the server about one accepted stage, and knows after each lost reply what the server knows.

    Its calls may be made by several tasks, and are made one after the other. Each one tries until it is answered; the
    caller's cancel scope is the deadline, and a call broken off leaves a record with which the next one goes on. The
    record is saved before a call whose reply may be lost and after its reply, so the same is true of a crash.

    Error handling: `EndedElsewhere` is final and to be taken for a cancellation; later calls raise it at once. Faults
    of the server are tried again with back-off, and those that a changed setting would cure after long pauses.

    Args:
        client: of the server that the stage was accepted from.
        record: of `claim`, or ``StageRecord.model_validate`` of what was saved.
        save: journals the record's JSON.
        patience: the pauses between tries.
    """

    def __init__(
        self, client: DroneClient, record: StageRecord, *, save: Save, patience: Patience | None = None
    ) -> None:
        self._rows = Rows(client, record, save, patience or Patience())
        self._turn = anyio.Lock()

    @property
    def record(self) -> StageRecord:
        """What is known of the stage now."""
        return self._rows.record

    def heed(self, attempts: Attempts) -> None:
        """Say to these each try in vain from now on, and wait by them."""
        self._rows.patience = replace(self._rows.patience, failed=attempts.failed, pause=attempts.pause)

    async def details(self) -> Details:
        """What there is to run. To be asked once, before `begin`.

        Raises:
            EndedElsewhere: the build is over already, so the stage is not to be run.
            ServerFault: the server keeps answering with an error (the manifest cannot be fetched, say), with which it
                may have ended the stage itself: `fail` with it.
            Unusable: what it answers are no details, for minutes: the same.
        """
        async with self._mine():
            return await self._rows.ask()

    async def begin(self, steps: Sequence[Step], *, started: int) -> None:
        """The stage starts with these steps, numbered from 1. They get their ids.

        Raises:
            EndedElsewhere: see the class.
            StartLost: it cannot run visibly, also where the server gives no details: `fail` with this error's text.
            ValueError: the steps' numbers are not 1, 2, 3 ...
        """
        if [step.number for step in steps] != list(range(1, len(steps) + 1)):
            raise ValueError("the steps of a stage have to be numbered 1, 2, 3 and so on")
        async with self._mine():
            if self.record.phase not in _STARTED:
                await self._begin(steps, started)

    async def _begin(self, steps: Sequence[Step], started: int) -> None:
        rows, doubt = self._rows, self.record.unsure
        if self.record.phase is Phase.LOST:
            raise _start_lost(self.record)
        running = {"status": "running", "started": started, "stopped": 0, "error": ""}
        stage = self.record.stage.model_copy(update=running)
        own = tuple(step.model_copy(update={"stage_id": stage.id, "error": cut(step.error)}) for step in steps)
        await rows.keep_stage(phase=Phase.STARTING, stage=stage, unsure=True)
        try:
            whole = stage.model_copy(update={"steps": own})
            told = await rows.locked(lambda: rows.client.update_stage(whole), doubt=doubt)
        except (InDoubt, AlreadyThere):
            with suppress(ServerFault, Unusable):  # they would tell of a cancellation; the steps' ids they have not
                await rows.ask()
            await rows.keep_stage(phase=Phase.LOST)
            raise _start_lost(self.record) from None
        await rows.keep(_begun(self.record, told))

    async def step_running(self, step: Step) -> None:
        """A step runs: its live log is open from now on. ``step`` needs its number; ids are filled in."""
        async with self._mine():
            await self._rows.put_step(step)

    async def step_ended(self, step: Step) -> None:
        """A step is over, or was skipped. Its log has to be uploaded before, or viewers see a gap."""
        async with self._mine():
            await self._rows.put_step(step)

    async def reopen(self, number: int) -> bool:
        """Open a running step's live log anew, which a restarted server has lost. False: the step does not run."""
        async with self._mine():
            known = self.record.step(number)
            is_running = known.row.status == "running" and set(known.tried) <= {"running"}
            if is_running and self.record.phase is Phase.RUNNING:
                await self._rows.put_step(known.row)
                return True
            return False

    async def touch(self) -> None:
        """Find out whether the stage is still ours, after a gap in watching its build. Nothing before `begin`.

        Not to be called regularly, and some seconds after the gap: a touch that lands while the server cancels the
        build keeps it from writing the stage.
        """
        async with self._mine():
            if self.record.phase is Phase.RUNNING:
                await self._rows.touch()

    async def finish(self, final: Final, steps: Sequence[Step] = ()) -> Delivery:
        """Report the stage's end, with all its steps' ends; those that the server knows already are left out.

        May be called again after a crash: only one report takes effect.

        Returns:
            ``delivered``, or ``gone``: it had ended, cancelled or by an earlier report of ours.
        """
        async with self._turn:
            if self.record.phase is Phase.FINISHED:
                return Delivery()
            if self.record.phase is Phase.ENDED:
                return Delivery(kind="gone", reason="the server has ended the stage")
            return await ending.finish(self._rows, final, steps)

    async def fail(self, error: str, *, stopped: int) -> Delivery:
        """Report that the stage could not run: error, 255, and the reason."""
        return await self.finish(Final("error", stopped, 255, error))

    async def close_after_crash(self, error: str, *, stopped: int) -> Delivery:
        """End a stage that an earlier life of the runner had started, and of which it has no result.

        Steps that ran end in ``error``, those that did not are skipped. Upload the steps' logs before.
        """
        async with self._turn:
            if self.record.phase in _OVER:
                return Delivery(kind="delivered" if self.record.phase is Phase.FINISHED else "gone")
            return await ending.close_after_crash(self._rows, error, stopped)

    @asynccontextmanager
    async def _mine(self) -> AsyncIterator[None]:
        """One call's turn; what ends the stage ends it for the later calls, too."""
        async with self._turn:
            if self.record.phase is Phase.ENDED:
                raise EndedElsewhere(f"the server has ended stage {self.record.stage.id}")
            try:
                yield
            except EndedElsewhere:
                await self._rows.keep_stage(phase=Phase.ENDED)
                raise


def _begun(record: StageRecord, told: Stage) -> StageRecord:
    own = told.model_copy(update={"steps": ()})
    steps = tuple(StepRecord(row=step) for step in told.steps)
    return record.model_copy(update={"phase": Phase.RUNNING, "stage": own, "unsure": False, "steps": steps})


def _start_lost(record: StageRecord) -> StartLost:
    return StartLost(
        "the server's reply was lost: without it the steps of "
        f"stage {record.stage.id} cannot be shown, so none was run; restart the build"
    )
