"""One claimed task while it is in this process: executed, cancelled, its log sent, its result journaled."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from delegate_core.backoff import Backoff
from delegate_core.cancellation import raise_if_cancelled
from delegate_core.engines.engine import Engine
from delegate_core.errors import StateError
from delegate_core.handlers import TaskContext
from delegate_core.logs import LogLine, Mask, TaskLog
from delegate_core.model import (
    CancelCause,
    Event,
    Gap,
    JsonValue,
    Outcome,
    Session,
    StepReport,
    Task,
    TaskResult,
    Touch,
    with_event,
)
from delegate_core.processes import Limits, ProcessIdentity, ProcessUser
from delegate_core.runner.calls import Fault, describe, until_answered
from delegate_core.runner.core import Core
from delegate_core.runner.streams import StepStream, Streams, printed_line
from delegate_core.secrets import SecretError
from delegate_core.settings import RunnerSettings
from delegate_core.settings.secretfrom import SecretUnavailable

__all__ = ["Execution"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SHARE = 0.7
"""Of the time until the server's own deadline: for the operator's command after a task. The rest is for the report."""

_LEAST_TIME = 1.0
"""Seconds that this command has in any case."""


class Execution:
    """A claimed task's execution, and what its context is made of.

    Resource handling: folder, log and processes are made at their first use, and are gone, or finished, when `execute`
    returns; the log's last batches are sent behind it. Error handling: whatever is raised under ``dispatch`` is the
    task's failure, and so is, with a text that says whose it was, any error of our own; one of the journal goes up.
    """

    def __init__(self, core: Core, session: Session, task: Task, number: int, *, created: float) -> None:
        self.core = core
        self.session = session
        self.task = task
        self.number = number
        self.created = created
        self.started: float | None = None
        self.duration = 0.0
        self.cause: CancelCause | None = None
        self.last_line = ""
        self.steps: dict[int, StepReport] = {}
        """How its steps stand, by number, if it has told of any."""
        self._scope: anyio.CancelScope | None = None
        self._context: TaskContext | None = None
        self._task_folder: Path | None = None
        self._user: ProcessUser | None = None
        self._streams = Streams(core, self)

    # ------------------------------------------------------------------ from outside

    def cancel(self, cause: CancelCause) -> None:
        """End it: at once where it awaits, else as soon as its handler notices. The first cause counts."""
        if self.cause is not None or self._overdue():
            return
        self.cause = cause
        if self._context is not None:
            self._context.cancelled.set(cause)
        if self._scope is not None:
            self._scope.cancel()

    def _overdue(self) -> bool:
        """Its deadline has passed, and it is ending for that."""
        return self._scope is not None and anyio.current_time() >= self._scope.deadline

    @property
    def timeout(self) -> float:
        """Seconds from start to our own deadline: a margin before the server's, so that our answer counts."""
        return self._granted - self._margin

    @property
    def _granted(self) -> float:
        return self.task.timeout or self.core.settings.default_timeout

    @property
    def _margin(self) -> float:
        return min(5.0, self._granted * 0.1)

    @property
    def outlived_by(self) -> anyio.Event | None:
        """The end of a thread that goes on after the task."""
        return self._context.outlived_by if self._context else None

    # ------------------------------------------------------------------ its life

    async def execute(self, result: TaskResult | None = None) -> TaskResult:
        """Run the task, unless its result is settled; the result is in the journal when this returns."""
        if result is None and self.cause is not None:
            result = TaskResult.cancelled(self.cause)
        try:
            result = self._sendable(result or await self._run())
            await self.core.journal.finished(self.number, result)
        except StateError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the task has to get its result
            _log.exception("task %s: an error of the runner's own", self.task.id)
            result = TaskResult.failed(f"the runner failed: {type(error).__name__}: {describe(error)}")
            result = self._sendable(result)
            await self.core.journal.finished(self.number, result)
        return result

    async def log_sent(self) -> None:
        """Wait for the end of its logs, briefly."""
        await self._streams.sent()

    async def _run(self) -> TaskResult:
        kept_from = await self._journal_start()
        if kept_from is not None:
            return kept_from
        self.started = time.monotonic()
        self.core.observers.task_started(task=self.task)
        async with self.core.users.one() as self._user:
            try:
                result = await self._supervised()
                await self._commands_after(result)
                return result
            finally:
                self.duration = time.monotonic() - self.started
                await self._clean_up()

    async def _journal_start(self) -> TaskResult | None:
        """Record the start, which waits while the journal has no room; how the task ended where that took too long."""
        with anyio.CancelScope(deadline=anyio.current_time() + self.timeout) as self._scope:
            await self.core.journal.started(self.number)
            return None
        return self._cut_short()

    def _cut_short(self) -> TaskResult:
        return TaskResult.cancelled(self.cause) if self.cause else TaskResult.timed_out(self.timeout)

    async def _supervised(self) -> TaskResult:
        """Dispatch under the deadline, and say truly why it ended."""
        with anyio.CancelScope(deadline=anyio.current_time() + self.timeout) as scope:
            self._scope = scope
            if self.cause is not None:  # cancelled while the journal was written
                scope.cancel()
            result = await self._dispatched(scope.deadline)
            # What a handler makes of its cancellation is no failure of its own; what it still got done counts.
            if not scope.cancel_called or result.outcome is Outcome.SUCCEEDED:
                return result
        return self._cut_short()

    async def _commands_after(self, result: TaskResult) -> None:
        """The operator's command, in the time that the server waits for the result."""
        if self._context is None or self.started is None:
            return
        seconds = time.monotonic() - self.started
        left = max(_LEAST_TIME, (self._granted - seconds) * _SHARE)
        await self.core.commands.after(self._context, result, seconds, within=left)

    async def _dispatched(self, deadline: float) -> TaskResult:
        self._context = TaskContext(
            self.task,
            self,
            deadline=deadline,
            grace=self.core.settings.grace,
            margin=self._margin,
            limits=_limits(self.core.settings),
            user=self._user,
        )
        if not self.core.backend.watches:
            return await self._answer(self._context)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            result = await self._answer(self._context)
            group.cancel_scope.cancel()
        return result

    async def _answer(self, context: TaskContext) -> TaskResult:
        try:
            refused = await self.core.commands.before(context)
            answer: object = refused or await self.core.dispatch(self.task, context)
        except (*Fault, SystemExit) as error:
            raise_if_cancelled()
            context.log(self.mask.text("".join(traceback.format_exception(error))), level="error")
            return TaskResult.failed(f"the runner could not execute it: {type(error).__name__}: {describe(error)}")
        if not isinstance(answer, TaskResult):
            return TaskResult.failed(f"the dispatch hook answered {type(answer).__name__}; it must answer TaskResult")
        return answer

    async def _watch(self) -> None:
        """Watch the server for this task's cancellation; ask it by a touch after each gap.

        Error handling: what goes wrong here ends the watching, not the task.
        """
        pauses = Backoff(first=0.1, most=10.0)
        try:
            while True:
                since = anyio.current_time()
                found = await self._ask(lambda: self.core.backend.watch(self.session, self.task), "watch")
                if not isinstance(found, Gap):
                    self.cancel(CancelCause.SERVER)
                    return
                await self.progress(Touch())
                if anyio.current_time() - since > pauses.most:
                    pauses.reset()
                await anyio.sleep(pauses.next())
        except Exception as error:  # noqa: BLE001 - the task goes on, and is told of its end by the poll at the latest
            _log.warning("task %s: no longer watched: %s", self.task.id, describe(error))

    async def _ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """Call a hook of the session until it answers, or the task is cancelled."""
        return await until_answered(
            call,
            f"{what} of task {self.task.id}",
            interrupted=lambda interrupt: self.core.interrupted(interrupt, self.session),
        )

    async def _clean_up(self) -> None:
        with anyio.CancelScope(shield=True):
            try:
                await self._end_left()
            finally:
                self._streams.end()
            if self._task_folder is not None:
                await anyio.to_thread.run_sync(self.core.folder.remove_task, self.number)

    async def _end_left(self) -> None:
        """End daemons that no mark finds any more, where the task has a user of its own: before its folder goes."""
        ended = await self.core.users.end_task(self._user)
        if ended and self._context is not None:
            self._context.log(f"warning: ended {ended} processes that the task had left", level="warning")

    def _sendable(self, result: TaskResult) -> TaskResult:
        """The result as it may leave: a handler may have put a secret into it, or a file name that is no UTF-8."""
        error, data = result.error, result.data
        if self._streams.masks:
            error, data = self.mask.text(error), self.mask.json(data)
        error = error.encode("utf-8", "backslashreplace").decode()
        return self._bounded(result.model_copy(update={"error": error, "data": data}))

    def _bounded(self, result: TaskResult) -> TaskResult:
        """The result; one that nobody should have to carry is a failure that says so."""
        size, limit = len(result.model_dump_json()), int(self.core.settings.result_limit)
        if size <= limit:
            return result
        return TaskResult.failed(
            f"its result has {size:,} bytes, and {limit:,} are allowed; raise result_limit if it may"
        )

    # ------------------------------------------------------------------ what its context is made of

    @property
    def mark(self) -> str:
        """What its processes carry in their environment: known before the first of them starts."""
        return f"{self.core.instance}-{self.number}"

    @property
    def mask(self) -> Mask:
        """Its mask."""
        return self._streams.mask

    @property
    def log(self) -> TaskLog:
        """Its log."""
        return self._streams.log()

    def stream(self, name: str) -> StepStream:
        """The log of one of its steps."""
        return StepStream(self._streams, name)

    def folder(self) -> Path:
        """Make its folder."""
        self._task_folder = self.core.folder.task_folder(self.number)
        self._task_folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if self._user is not None:
            self._user.admit(self._task_folder)
        return self._task_folder

    def variables(self, step: str) -> Mapping[str, str]:
        """What plugins give to its processes."""
        return self.core.variables(self.task, step)

    async def process_started(self, identity: ProcessIdentity) -> None:
        """Journal a process group, so that the next start can end it."""
        await self.core.journal.process_started(self.number, json.dumps(identity.to_json()))

    async def process_ended(self, identity: ProcessIdentity) -> None:
        """Forget a process group."""
        await self.core.journal.process_ended(self.number, json.dumps(identity.to_json()))

    async def progress(self, event: Event) -> None:
        """Tell the server of an event and journal the backend's new state before the task goes on."""
        if not isinstance(event, Touch):
            self.steps = with_event(self.steps, event)
            self.core.observers.task_progressed(task=self.task, event=event)
            await self.core.journal.progressing(self.number)
        await self._save(
            await self._ask(lambda: self.core.backend.progress(self.session, self.task, event, self._save), "progress")
        )

    def engine(self, name: str) -> Engine:
        """An engine of the runner's."""
        return self.core.engines.get(name)

    async def secret(self, name: str) -> str:
        """A secret that the settings declare."""
        secrets = self.core.secrets
        if not secrets.declares(name):
            raise SecretUnavailable(f"no secret {name!r} is declared; give it with --secret {name}=env:VARIABLE")
        try:
            return await secrets.declared(name)
        except SecretError as error:
            raise SecretUnavailable(str(error)) from None

    async def _save(self, state: JsonValue) -> None:
        """The backend's state is in the journal when this returns."""
        if state != self.task.state:
            self.task = self.task.model_copy(update={"state": state})
            await self.core.journal.state(self.number, state)

    def printed(self, line: LogLine, stream: str) -> None:
        """It printed a line."""
        self.last_line = printed_line(line, stream)
        self.core.observers.task_logged(task=self.task, line=line, stream=stream)


def _limits(settings: RunnerSettings) -> Limits:
    return Limits(
        cpu_time=settings.task_cpu_time,
        memory=settings.task_memory,
        processes=settings.task_processes,
        file_size=settings.task_file_size,
    )
