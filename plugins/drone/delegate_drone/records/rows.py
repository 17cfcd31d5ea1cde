"""Updates of versioned rows, each of which may lose its reply, and how the doubt is resolved.

The server takes an update only with the row's present version, and counts it up. So the answer "another version" to
a try after one that stayed unanswered means either that the earlier try has been taken, or that the build was
cancelled. Nothing here ever counts a version up by guessing: that would overwrite what a cancellation has written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import JsonValue

from delegate_drone.client import DroneClient
from delegate_drone.faults import DroneFault, LockLost, NoSuchRow
from delegate_drone.records.patience import Patience, persist
from delegate_drone.records.record import Phase, StageRecord, StepRecord
from delegate_drone.wire import Details, Stage, Step

__all__ = ["EndedElsewhere", "InDoubt", "Rows", "Save", "StartLost", "addressed", "cut"]

T = TypeVar("T")

Save = Callable[[JsonValue], Awaitable[None]]
"""Journals a record's JSON; called before a call whose reply may be lost, and after its reply."""

LONGEST_ERROR = 500
"""Bytes of an error text; the server cuts there, within a character if need be."""


class EndedElsewhere(Exception):
    """The server has ended the stage: its build was cancelled, or an earlier report of ours was taken."""


class StartLost(Exception):
    """The stage's start was taken and its reply lost, and with it the ids of its steps: it cannot run visibly."""


class InDoubt(Exception):
    """The row has another version, which may be due to our own unanswered try."""


def cut(text: str) -> str:
    """An error text of at most 500 bytes, ended at a character; what has no UTF-8 form shows as a question mark."""
    return text.encode("utf-8", "replace")[:LONGEST_ERROR].decode("utf-8", "ignore")


class Rows:
    """One stage's rows: the stage's own and its steps'. Not to be used by two tasks at once."""

    def __init__(self, client: DroneClient, record: StageRecord, save: Save, patience: Patience) -> None:
        self.client = client
        self.record = record
        self.patience = patience
        self._save = save

    async def keep(self, record: StageRecord) -> None:
        """This is what is known from now on."""
        self.record = record
        await self._save(record.plain())

    async def keep_stage(
        self, *, phase: Phase | None = None, stage: Stage | None = None, unsure: bool | None = None
    ) -> None:
        """This is what is known of the stage's own row from now on."""
        record = self.record
        await self.keep(
            record.model_copy(
                update={
                    "phase": phase or record.phase,
                    "stage": (stage or record.stage).model_copy(update={"steps": ()}),
                    "unsure": record.unsure if unsure is None else unsure,
                }
            )
        )

    async def locked(self, call: Callable[[], Awaitable[T]], *, doubt: bool) -> T:
        """Persist in an update; ``doubt``: an earlier one with this version stayed unanswered.

        Raises:
            EndedElsewhere: the row was changed or removed, and not by us.
            InDoubt: it was changed, maybe by us.
        """

        def note(fault: DroneFault) -> None:
            nonlocal doubt
            doubt = doubt or fault.uncertain

        try:
            return await persist(call, self.patience, noted=note)
        except LockLost as lost:
            if doubt:
                raise InDoubt from lost
            raise EndedElsewhere(f"the server has ended stage {self.record.stage.id}: {lost}") from lost
        except NoSuchRow as gone:
            raise EndedElsewhere(f"stage {self.record.stage.id} is gone: {gone}") from gone

    # ------------------------------------------------------------------ a step's row

    async def put_step(self, wanted: Step) -> None:
        """Write a step's row; whatever was in doubt about it is certain then.

        Raises:
            EndedElsewhere: the stage is not ours to tell about any more.
        """
        while not await self._put_step_once(wanted):
            pass

    async def _put_step_once(self, wanted: Step) -> bool:
        """Whether the row is as wanted; else its version at least is certain now."""
        known = self.record.step(wanted.number)
        sent = addressed(wanted, known.row)
        doubt = bool(known.tried)
        known = known.trying(sent.status)
        await self.keep(self.record.having(known))
        try:
            row = await self.locked(lambda: self.client.update_step(sent), doubt=doubt)
        except InDoubt:
            await self.touch()  # alive, so it was a try of ours that has changed the row
            is_ours = known.tried == (sent.status,)
            row = (sent if is_ours else known.row).model_copy(update={"version": known.row.version + 1})
            await self.keep(self.record.having(StepRecord(row=row)))
            return is_ours
        await self.keep(self.record.having(StepRecord(row=row)))
        return True

    # ------------------------------------------------------------------ the stage's row

    async def touch(self) -> None:
        """Write the stage's row as it is: running. It writes no step and disturbs no live log.

        Raises:
            EndedElsewhere: the stage is not ours to tell about any more.
            ServerFault, Unusable: the last resort failed: the server gives no details.
        """
        stage, doubt = self.record.stage, self.record.unsure
        await self.keep_stage(unsure=True)
        try:
            told = await self.locked(lambda: self.client.update_stage(stage), doubt=doubt)
        except InDoubt:
            await self._probe()
        else:
            await self.keep_stage(stage=told, unsure=False)

    async def _probe(self) -> None:
        """A touch of ours or a cancellation has changed the stage's row. A cancellation changes each open step's, too.

        So an unfinished step is written as it is. If the replies to that are lost as well, the next one is; when none
        is left, the server is asked.
        """
        for known in self.record.probes():
            if await self._is_unchanged(known):
                stage = self.record.stage
                moved = stage.model_copy(update={"version": stage.version + 1})
                return await self.keep_stage(stage=moved, unsure=False)
        await self.ask()
        return None

    async def _is_unchanged(self, known: StepRecord) -> bool:
        await self.keep(self.record.having(known.trying(known.row.status)))
        try:
            row = await self.locked(lambda: self.client.update_step(known.row), doubt=False)
        except InDoubt:
            return False
        await self.keep(self.record.having(StepRecord(row=row)))
        return True

    async def ask(self) -> Details:
        """Ask the server for the stage's version.

        Raises:
            EndedElsewhere: stage or build are done, or the stage is another runner's.
            ServerFault: the server keeps answering with an error, with which it may have ended the stage.
            Unusable: it keeps answering with what are no details.
        """
        mine = self.record.stage
        try:
            details = await persist(lambda: self.client.details(mine.id), self.patience, tries=self.patience.tries)
        except NoSuchRow as gone:
            raise EndedElsewhere(f"stage {mine.id} is gone: {gone}") from gone
        theirs = details.stage
        if theirs.is_done or details.build.is_done:
            raise EndedElsewhere(
                f"the server says that stage {mine.id} is {theirs.status}, its build {details.build.status}"
            )
        if theirs.machine != mine.machine:
            raise EndedElsewhere(f"stage {mine.id} is {theirs.machine or 'nobody'}'s by now")
        known = mine.model_copy(update={"version": theirs.version, "updated": theirs.updated})
        await self.keep_stage(stage=known, unsure=False)
        return details


def addressed(wanted: Step, row: Step) -> Step:
    """A step as it is to be, to overwrite that row."""
    address = {"id": row.id, "stage_id": row.stage_id, "version": row.version}
    return wanted.model_copy(update={**address, "error": cut(wanted.error)})
