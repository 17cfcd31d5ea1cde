"""The operator's own commands before and after each task: ``before_task`` and ``after_task`` of the settings.

The one before decides whether the task may run: unless it ends with status 0 in time, the task is rejected. The one
after is told how the task ended, and changes nothing of that: what goes wrong with it is in the task's log. It runs
whatever the outcome, also where the one before has refused, since that may have left something to clean up.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from delegate_core.handlers import TaskContext
from delegate_core.model import TaskResult
from delegate_core.processes import ProcessSpec, ProcessStartError
from delegate_core.settings import RunnerSettings, format_duration

__all__ = ["TaskCommands"]


class TaskCommands:
    """Both commands of one runner. They run by ``sh -c`` in the task's folder, in a clean environment."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._before = settings.before_task
        self._after = settings.after_task
        self._timeout = settings.task_command_timeout
        self._output = int(settings.task_command_output)

    @property
    def has_after(self) -> bool:
        """Whether there is one to run after tasks."""
        return self._after is not None

    async def before(self, context: TaskContext) -> TaskResult | None:
        """Run the one before the task; why the task must not run, if it says so."""
        if self._before is None:
            return None
        problem = await self._run(self._before, context, self._timeout, {})
        return TaskResult.rejected(f"the command before each task {problem}") if problem else None

    async def after(self, context: TaskContext, result: TaskResult, seconds: float, *, within: float) -> None:
        """Run the one after the task, for at most ``within`` seconds: until then the server waits for the result."""
        if self._after is None:
            return
        told = {
            "DELEGATE_TASK_OUTCOME": result.outcome.value,
            "DELEGATE_TASK_ERROR": context.masked(result.error).replace("\0", "")[:_LONGEST_ERROR],
            "DELEGATE_TASK_SECONDS": f"{seconds:.3f}",
        }
        problem = await self._run(self._after, context, min(self._timeout, within), told)
        if problem:
            context.log(f"warning: the command after each task {problem}", level="warning")

    async def _run(self, command: str, context: TaskContext, timeout: float, told: dict[str, str]) -> str:  # noqa: ASYNC109 - a setting
        """What went wrong with it; empty if nothing did."""
        task, own = context.task, context.of_runner
        environment = own.environment({"DELEGATE_TASK_ID": task.id, "DELEGATE_TASK_TYPE": task.type, **told})
        spec = ProcessSpec(argv=["/bin/sh", "-c", command], cwd=context.folder, env=environment, grace=float("inf"))
        output = _Output(context, self._output)
        try:
            with anyio.move_on_after(timeout):
                ended = await own.run(spec, output.take, limited=False)
                if ended.exit_code == 0:
                    return ""
                return f"was ended by signal {ended.signal}" if ended.signal else f"ended with status {ended.exit_code}"
        except ProcessStartError as error:
            return f"could not be started: {error}"
        return f"took longer than {format_duration(round(timeout, 3))} and was ended"


_LONGEST_ERROR = 4096
"""Characters of a task's error in the environment, which has a limit of its own."""


@dataclass
class _Output:
    """Its output on the way into the task's log, up to a limit."""

    context: TaskContext
    left: int

    def take(self, data: bytes, stream: str) -> None:  # noqa: ARG002 - stderr is merged into stdout
        """Pass on what there is room for."""
        if self.left <= 0:
            return
        self.context.write(data[: self.left])
        self.left -= len(data)
        if self.left <= 0:
            self.context.write("\n")
            self.context.log("[the rest of this command's output is left out]", level="warning")
