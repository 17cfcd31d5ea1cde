"""What the server is told of a stage: its progress while it runs, and what it came to."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from pydantic import JsonValue

from delegate_core.model import (
    Attempts,
    CancelCause,
    Card,
    Delivery,
    Event,
    Outcome,
    StageStarted,
    StepEnded,
    StepReport,
    StepStarted,
    Task,
    TaskResult,
)
from delegate_core.pipeline.states import ERROR_CODE, KILLED_CODE, StageStatus, StepStatus
from delegate_drone.claiming import DroneTask, open_book
from delegate_drone.records import Final, StageBook, StageRecord, StepOutput
from delegate_drone.session import DroneSession
from delegate_drone.wire import CardInput, Step

__all__ = ["report", "tell"]

Save = Callable[[JsonValue], Awaitable[None]]

_log = logging.getLogger(__name__)


async def tell(session: DroneSession, task: DroneTask, event: Event, save: Save) -> JsonValue:
    """Tell the server of an event; the record afterwards.

    Raises:
        EndedElsewhere: the server has ended the stage.
        StartLost: it has started there, but cannot be shown.
    """
    task.saving.to = save
    book = task.book
    match event:
        case StageStarted(steps):
            await book.begin([_step(step) for step in steps], started=int(time.time()))
        case StepStarted(step):
            await book.step_running(_step(step))
        case StepEnded(step) if step.status == StepStatus.KILLED:
            pass  # whoever ended the stage knows; its end carries those of its steps
        case StepEnded(step):
            await book.step_ended(_step(step))
        case Card(step, schema, data):
            await StepOutput(session.client, book, step.number).show(CardInput(card_schema=schema, data=data))
        case _:
            await book.touch()
    _note(task, event)
    return task.saving.state if task.saving.state is not None else task.state


def _note(task: DroneTask, event: Event) -> None:
    """Remember how the steps stand: the stage's end carries what the server does not know by then."""
    if isinstance(event, StageStarted):
        task.steps.update({step.number: step for step in event.steps})
    elif isinstance(event, StepStarted | StepEnded):
        task.steps[event.step.number] = event.step


async def report(session: DroneSession, task: Task, result: TaskResult, save: Save, attempts: Attempts) -> Delivery:
    """Deliver a stage's end.

    Also of one whose build was cancelled: mostly the server has ended it itself, which its answer says; but one that
    went down just then, or something in between that has answered a watch in its place, has not.
    """
    if isinstance(task, DroneTask):
        book, steps = task.book, [_step(step) for step in task.steps.values()]
        task.saving.to = save
    else:
        book, saving = open_book(session, StageRecord.model_validate(task.state))
        saving.to = save
        steps = []
    book.heed(attempts)
    session.watches.forget(book.record.stage.build_id, task.id)
    now = int(time.time())
    if result.cause is CancelCause.RESTARTED:
        return await book.close_after_crash(result.error, stopped=now)
    return await book.finish(_final(result, now), _ended(steps, book, result, now))


def _final(result: TaskResult, now: int) -> Final:
    """A result in the server's words."""
    status, code = _said(result)
    match result.outcome:
        case Outcome.CANCELLED if result.cause is CancelCause.SERVER:
            return Final("killed", now, KILLED_CODE, "the build was cancelled")
        case Outcome.SUCCEEDED:
            return Final("success", now)
        case Outcome.TIMED_OUT:
            return Final("killed", now, KILLED_CODE, result.error)
        case Outcome.FAILED if status == StageStatus.FAILURE:
            return Final("failure", now, code, result.error)
        case _:
            return Final("error", now, ERROR_CODE, result.error)


def _said(result: TaskResult) -> tuple[str, int]:
    """The stage's own status and exit code; those of a plain failure where a handler has none."""
    data = result.data if isinstance(result.data, dict) else {}
    status, code = data.get("status"), data.get("exit_code")
    if status in {StageStatus.FAILURE.value, StageStatus.ERROR.value} and isinstance(code, int):
        return str(status), code
    return StageStatus.FAILURE.value, 1


def _ended(steps: Sequence[Step], book: StageBook, result: TaskResult, now: int) -> list[Step]:
    """The steps as they ended; what is still open then ends with the stage."""
    known = {step.number: step for step in steps} or {step.row.number: step.row for step in book.record.steps}
    return [step if step.is_done else _closed(step, result, now) for step in known.values()]


def _closed(step: Step, result: TaskResult, now: int) -> Step:
    if step.status == StepStatus.PENDING:
        return step.model_copy(update={"status": StepStatus.SKIPPED.value, "started": now, "stopped": now})
    killed = {"status": StepStatus.KILLED.value, "exit_code": KILLED_CODE, "error": result.error, "stopped": now}
    return step.model_copy(update=killed)


def _step(report: StepReport) -> Step:
    detail = report.detail
    started = int(report.started or 0)
    stopped = int(report.stopped or 0)
    if report.status == StepStatus.SKIPPED:
        started = stopped
    return Step(
        number=report.number,
        name=report.name,
        status=report.status,
        exit_code=report.exit_code,
        error=report.error,
        started=started,
        stopped=stopped,
        image=detail.get("image", ""),
        detached=detail.get("detached", False),
        depends_on=tuple(detail.get("depends_on", ())),
        errignore=detail.get("errignore", False),
        card_schema=detail.get("schema", ""),
    )
