"""A stage's final report: one that takes effect, whatever replies are lost and whatever died before."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from delegate_core.model import Delivery
from delegate_drone.faults import LockLost, NoSuchRow, ServerFault, Unusable
from delegate_drone.records.patience import persist
from delegate_drone.records.record import Phase
from delegate_drone.records.rows import EndedElsewhere, Rows, addressed, cut
from delegate_drone.wire import Stage, Step

__all__ = ["Final", "close_after_crash", "finish"]

_CRASHED = 255


@dataclass(frozen=True, slots=True)
class Final:
    """What a stage came to.

    Attributes:
        status: success, failure, killed or error.
        stopped: unix seconds.
        exit_code: of the stage.
        error: cut at 500 bytes, at a character.
    """

    status: str
    stopped: int
    exit_code: int = 0
    error: str = ""


async def finish(rows: Rows, final: Final, steps: Sequence[Step]) -> Delivery:
    """Report a stage's end. See `StageBook.finish`."""
    try:
        if rows.record.phase is Phase.RUNNING:
            await _settle(rows, steps)
        return await _report(rows, final, _unconfirmed(rows, steps))
    except EndedElsewhere as ended:
        await rows.keep_stage(phase=Phase.ENDED)
        return Delivery(kind="gone", reason=str(ended))


async def close_after_crash(rows: Rows, error: str, stopped: int) -> Delivery:
    """End a stage whose runner had died. See `StageBook.close_after_crash`."""
    if rows.record.phase is Phase.RUNNING:
        with suppress(EndedElsewhere, ServerFault, Unusable):  # the stage's own row decides, below
            await _close_steps(rows, error, stopped)
    await rows.keep_stage(unsure=True)  # the journal may have lost its last moments
    skipped = [
        known.row.model_copy(update={"status": "skipped", "started": stopped, "stopped": stopped})
        for known in rows.record.probes()
        if known.row.status == "pending"
    ]
    final = Final("error", stopped, _CRASHED, error)
    try:
        return await _report(rows, final, skipped)
    except EndedElsewhere as ended:
        await rows.keep_stage(phase=Phase.ENDED)
        return Delivery(kind="gone", reason=str(ended))


async def _close_steps(rows: Rows, error: str, stopped: int) -> None:
    """Steps that were, or may have been, running end in error."""
    for known in rows.record.steps:
        row = known.row
        if row.status == "running" or known.tried:
            update = {"status": "error", "error": error, "exit_code": _CRASHED, "stopped": stopped}
            await rows.put_step(row.model_copy(update={**update, "started": row.started or stopped}))


async def _settle(rows: Rows, steps: Sequence[Step]) -> None:
    """Make certain what is in doubt, so that the one report can carry all steps.

    Where the server gives no details, the report itself shows what is what.
    """
    with suppress(ServerFault, Unusable):
        if rows.record.unsure:
            await rows.touch()
        for step in steps:
            if step.is_done and rows.record.step(step.number).tried:
                await rows.put_step(step)


def _unconfirmed(rows: Rows, steps: Sequence[Step]) -> list[Step]:
    """The steps whose ends the server does not know yet, addressed by what is known of their rows."""
    if not rows.record.steps:  # it was never started, or its steps' ids are lost
        return []
    found = []
    for step in steps:
        row = rows.record.step(step.number).row
        ended = addressed(step, row)
        if (ended.status, ended.exit_code, ended.error) != (row.status, row.exit_code, row.error):
            found.append(ended)
    return found


async def _report(rows: Rows, final: Final, steps: Sequence[Step]) -> Delivery:
    """Send the end; where the version is refused once more without steps, for a half-written set never passes again."""
    if rows.record.phase is not Phase.FINISHING:
        await rows.keep_stage(phase=Phase.FINISHING)
    if await _is_taken(rows, final, steps) or (steps and await _is_taken(rows, final, ())):
        return Delivery()
    if not rows.record.unsure:
        raise EndedElsewhere(f"stage {rows.record.stage.id} has ended: cancelled, or by a report whose reply was lost")
    return await _report_as_asked(rows, final)


async def _report_as_asked(rows: Rows, final: Final) -> Delivery:
    """The version itself is in doubt, and we are about to end the stage anyway: ask for it, once."""
    try:
        await rows.ask()
    except ServerFault as fault:
        raise EndedElsewhere(
            f"the server has no details of stage {rows.record.stage.id}, which ends it: {fault}"
        ) from fault
    if await _is_taken(rows, final, ()):
        return Delivery()
    raise EndedElsewhere(f"stage {rows.record.stage.id} was ended while its end was reported")


async def _is_taken(rows: Rows, final: Final, steps: Sequence[Step]) -> bool:
    stage = _ended(rows.record.stage, final, steps)
    try:
        told = await persist(lambda: rows.client.update_stage(stage), rows.patience)
    except LockLost:
        return False
    except NoSuchRow as gone:
        raise EndedElsewhere(f"stage {stage.id} is gone: {gone}") from gone
    await rows.keep_stage(phase=Phase.FINISHED, stage=told, unsure=False)
    return True


def _ended(stage: Stage, final: Final, steps: Sequence[Step]) -> Stage:
    return stage.model_copy(
        update={
            "status": final.status,
            "exit_code": final.exit_code,
            "error": cut(final.error),
            "started": stage.started or final.stopped,
            "stopped": final.stopped,
            "steps": tuple(steps),
        }
    )
