"""From an offered stage to a task: accepted, its details asked for, and whether it may run here."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from delegate_core.model import (
    CancelCause,
    Ended,
    Entry,
    Finish,
    Forget,
    Offer,
    Phase,
    Run,
    StepReport,
    Task,
    TaskResult,
)
from delegate_core.pipeline.states import ERROR_CODE, StageStatus
from delegate_drone.compiler import Facts, Options, substitution_variables
from delegate_drone.faults import ServerFault, Unusable
from delegate_drone.foreign import wanted_timeout
from delegate_drone.limits import Limits
from delegate_drone.manifest import Foreign
from delegate_drone.records import EndedElsewhere, StageBook, StageRecord, claim
from delegate_drone.session import DroneSession
from delegate_drone.stagefile import Unrunnable, find_document
from delegate_drone.wire import Details

__all__ = ["PIPELINES", "DroneTask", "Saving", "accept", "broken", "open_book", "recovered"]

PIPELINES = frozenset({"exec", "docker"})
"""The types whose documents have steps; of every other type is a handler's task."""

_MINUTE = 60.0


class Saving:
    """Where a book's record is journaled: what it is at the moment depends on the hook that is called."""

    def __init__(self) -> None:
        self.state: JsonValue = None
        self.to: Any = None

    async def __call__(self, state: JsonValue) -> None:
        """Journal it, if there is a journal to write to."""
        self.state = state
        if self.to is not None:
            await self.to(state)


class DroneTask(Task):
    """A stage as a task, with what must not be journaled: its details, which hold secrets, and its open book."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    details: Details = Field(exclude=True, repr=False)
    book: StageBook = Field(exclude=True, repr=False)
    saving: Saving = Field(exclude=True, repr=False)
    steps: dict[int, StepReport] = Field(default_factory=dict, exclude=True, repr=False)
    """How its steps stand, by number."""


def broken(error: str) -> TaskResult:
    """The result of a stage that cannot run for a reason of its own. Nothing of it was executed."""
    return TaskResult.failed(error, {"status": StageStatus.ERROR.value, "exit_code": ERROR_CODE})


def open_book(session: DroneSession, record: StageRecord) -> tuple[StageBook, Saving]:
    """A book over a record; where it is saved is yet to be said."""
    saving = Saving()
    return StageBook(session.client, record, save=saving), saving


async def accept(session: DroneSession, offer: Offer, limits: Limits, *, again: bool) -> Task | Ended | None:
    """Accept a stage and ask what it is. The poller may ask for more as soon as the accept is answered."""
    claimed = await claim(session.client, int(offer.task_id), session.machine, again=again)
    if claimed is None:
        return None
    if offer.settled is not None:
        offer.settled()
    return await _take_up(session, claimed.record, limits, claimed.details)


async def _take_up(
    session: DroneSession, record: StageRecord, limits: Limits, details: Details | None = None
) -> Task | Ended:
    """What becomes of a stage that is ours and of which nothing has run."""
    book, saving = open_book(session, record)
    bare = Task(id=str(record.stage.id), type=record.stage.type or "docker", state=record.plain())
    try:
        details = details or await book.details()
    except EndedElsewhere:
        return Ended(bare, TaskResult.cancelled(CancelCause.SERVER))
    except (ServerFault, Unusable) as fault:
        return Ended(bare, broken(f"the server has no details of this stage: {fault}"))
    task = _task(book, saving, details)
    if details.build.is_done:
        return Ended(task, TaskResult.cancelled(CancelCause.SERVER))
    refusal = limits.refusal(details)
    return task if refusal is None else Ended(task, TaskResult.rejected(refusal))


async def recovered(session: DroneSession, entry: Entry, limits: Limits) -> Run | Finish | Forget:
    """What becomes of a stage that an earlier life had, and of which nothing has run."""
    if entry.phase is Phase.INTENT:
        found = await accept(session, Offer(entry.task_id, entry.type, entry.offer), limits, again=True)
        if found is None:
            return Forget("the server does not say that the stage is ours")
    else:
        try:
            record = StageRecord.model_validate(entry.state)
        except ValidationError:
            return Forget("what the journal says of the stage cannot be read")
        found = await _take_up(session, record, limits)
    return Finish(found.result, found.task) if isinstance(found, Ended) else Run(found)


def _task(book: StageBook, saving: Saving, details: Details) -> DroneTask:
    stage, build = details.stage, details.build
    return DroneTask(
        id=str(stage.id),
        type=stage.type or "docker",
        data={"repo": details.repository.slug, "build": build.number, "stage": stage.name},
        title=f"{details.repository.slug} #{build.number} {stage.name}",
        about={
            "repository": details.repository.slug,
            "build": str(build.number),
            "pipeline": stage.name,
            "event": build.event,
        },
        timeout=_timeout(details),
        masks=tuple(dict.fromkeys(_masks(details))),
        state=book.record.plain(),
        details=details,
        book=book,
        saving=saving,
    )


def _timeout(details: Details) -> float | None:
    """The repository's, or the earlier one that a document of a handler's type asks for."""
    seconds = details.repository.timeout * _MINUTE
    wanted = None if (details.stage.type or "docker") in PIPELINES else _wanted(details)
    return min(filter(None, (seconds, wanted)), default=None)


def _wanted(details: Details) -> float | None:
    try:
        found = find_document(details, substitution_variables(Facts.of(details), Options()))
    except Unrunnable:
        return None  # said when it runs
    return wanted_timeout(found.content) if isinstance(found.content, Foreign) else None


def _masks(details: Details) -> list[str]:
    values = [secret.data for secret in details.secrets]
    values += [details.netrc.password if details.netrc else "", details.repository.secret]
    return [value for value in values if value]
