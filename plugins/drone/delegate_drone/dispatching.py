"""A stage of a handler's type: one step on the build page, around the handler that runs here."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import anyio

from delegate_core.handlers import TaskContext
from delegate_core.model import Outcome, StageStarted, StepEnded, StepReport, StepStarted, Task, TaskResult
from delegate_core.pipeline.states import ERROR_CODE, KILLED_CODE, StepStatus
from delegate_drone.claiming import DroneTask, broken
from delegate_drone.compiler import Facts, Options, substitution_variables
from delegate_drone.external import SourceError, Sources
from delegate_drone.foreign import MissingSecret, handler_data, secret_names
from delegate_drone.manifest import Foreign
from delegate_drone.stagefile import Unrunnable, find_document
from delegate_drone.telling import NotOurs, check_ours

__all__ = ["HandlerStages"]

RunHere = Callable[[Task, TaskContext], Awaitable[TaskResult]]

_ENDS = {
    Outcome.SUCCEEDED: (StepStatus.SUCCESS, 0),
    Outcome.FAILED: (StepStatus.FAILURE, 1),
    Outcome.REJECTED: (StepStatus.ERROR, ERROR_CODE),
    Outcome.TIMED_OUT: (StepStatus.KILLED, KILLED_CODE),
    Outcome.CANCELLED: (StepStatus.KILLED, KILLED_CODE),
}

_LAST_WORDS = 5.0
"""Seconds in which the step of a cancelled stage may still be noted as killed."""


@dataclass(frozen=True, slots=True)
class HandlerStages:
    """Runs stages whose type is that of a handler.

    Args:
        sources: where secrets come from; asked when a stage runs.
        clock: seconds since 1970.
    """

    sources: Callable[[], Sources]
    clock: Callable[[], float] = time.time

    async def run(self, task: DroneTask, context: TaskContext, run_here: RunHere) -> TaskResult:
        """Run the handler; what it prints is the log of the step, and its result the log's last lines."""
        try:
            ready = await self._with_data(task, context)
        except (Unrunnable, SourceError, MissingSecret) as error:
            return broken(context.masked(str(error)))
        try:
            step = await self._begin(task, context)
        except NotOurs as error:
            return broken(str(error))
        try:
            result = await run_here(ready, context)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_WORDS):
                await self._end(step, Outcome.CANCELLED, "", context)
            raise
        _print(result, context)
        await context.stream("").finish()
        await self._end(step, result.outcome, result.error, context)
        return result

    async def _begin(self, task: DroneTask, context: TaskContext) -> StepReport:
        step = StepReport(1, task.type, StepStatus.PENDING.value)
        await context.progress(StageStarted((step,)))
        check_ours(task)
        step = replace(step, status=StepStatus.RUNNING.value, started=self.clock())
        await context.progress(StepStarted(step))
        check_ours(task)
        return step

    async def _with_data(self, task: DroneTask, context: TaskContext) -> Task:
        details, sources = task.details, self.sources()
        variables = substitution_variables(Facts.of(details), Options(environment=sources.environment.static))
        found = find_document(details, variables)
        assert isinstance(found.content, Foreign)  # noqa: S101 - for the type checker: the task's type says so
        secrets = await sources.secrets.resolve(secret_names(found.content), found.secrets, details)
        context.mask(*secrets.values.values())
        return task.model_copy(update={"data": handler_data(found.content, secrets.values)})

    async def _end(self, step: StepReport, outcome: Outcome, error: str, context: TaskContext) -> None:
        status, code = _ENDS[outcome]
        ended = replace(step, status=status.value, exit_code=code, error=context.masked(error), stopped=self.clock())
        await context.progress(StepEnded(ended))


def _print(result: TaskResult, context: TaskContext) -> None:
    """The result as the log's last line, or the reason why there is none."""
    if result.outcome is Outcome.SUCCEEDED:
        context.log(json.dumps(result.data, ensure_ascii=False))
    elif result.error:
        context.log(result.error, level="error")
