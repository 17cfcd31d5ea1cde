"""Running one task by a handler, as a runner would: validated, masked, under its deadline, cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio

from delegate_core.engines.engine import Engine
from delegate_core.handlers import Handler
from delegate_core.handlers.base import Serving, TaskHandler
from delegate_core.model import CancelCause, Event, JsonValue, Outcome, Task, TaskResult
from delegate_core.secrets import ExpressionError, parse
from delegate_core.settings import RunnerSettings
from delegate_core.testing.surroundings import PrintingContext
from delegate_core.testing.virtual import VirtualLoop

__all__ = ["EndedTask", "RunTask", "make_run_task"]


@dataclass(frozen=True, slots=True)
class EndedTask:
    """What became of a task.

    Attributes:
        outcome: equal to its text, as in ``ended.outcome == "succeeded"``.
        data: what the handler answered, masked, as JSON has it.
        error: for people, masked.
        log: what it printed, masked; its lines, without a line end at the end.
        events: what it told of its progress.
        seconds: how long it took, of virtual time where that was asked for.
    """

    outcome: Outcome
    data: JsonValue
    error: str
    log: str
    events: tuple[Event, ...]
    seconds: float


RunTask = Callable[..., EndedTask]
"""The fixture ``run_task``; see `make_run_task`."""


def make_run_task(folder: Path) -> RunTask:
    """A function that runs tasks, each in a folder of its own within this one."""

    def run_task(  # noqa: PLR0913 - a task's circumstances, keywords that all have a default
        handler: Serving,
        data: JsonValue = None,
        *,
        timeout: float = 30.0,
        cancel_when: str | None = None,
        secrets: Mapping[str, str] | None = None,
        masks: tuple[str, ...] = (),
        engines: Mapping[str, Engine] | None = None,
        grace: float = 1.0,
        virtual_time: bool = False,
    ) -> EndedTask:
        """Run one task and return what became of it. Never raises for what the handler does.

        Args:
            handler: a handler of any kind, or a plain function.
            data: the task's; expressions in it are resolved from ``secrets``.
            timeout: seconds until its deadline.
            cancel_when: cancel it as soon as its log holds this text.
            secrets: by name, for ``${{secrets.NAME}}``; masked.
            masks: further values to mask.
            engines: for ``context.engine(name)``.
            grace: seconds that processes and sync handlers have to end.
            virtual_time: let waiting take no time; for handlers without threads, processes and sockets.
        """
        serving = handler if isinstance(handler, TaskHandler) else Handler("test", handler)
        hidden = (*masks, *(secrets or {}).values())
        task = Task(id=uuid4().hex[:8], type=serving.task_type, data=data, masks=hidden)
        trial = _Trial(serving, task, secrets or {}, timeout, cancel_when)
        context = lambda deadline: PrintingContext(  # noqa: E731 - made in the loop whose clock it reads
            task, folder / task.id, deadline=deadline, grace=grace, engines=engines
        )
        return _in_a_loop(lambda: trial.run(context), virtual=virtual_time)

    return run_task


@dataclass
class _Trial:
    handler: TaskHandler
    task: Task
    secrets: Mapping[str, str]
    timeout: float
    cancel_when: str | None

    async def run(self, make: Callable[[float], PrintingContext]) -> EndedTask:
        began = anyio.current_time()
        context = make(began + self.timeout)
        result = self._resolve(context) or await self._supervised(context)
        return EndedTask(
            outcome=result.outcome,
            data=context.json_masked(result.data),
            error=context.masked(result.error),
            log=context.printed(),
            events=tuple(context.events),
            seconds=anyio.current_time() - began,
        )

    def _resolve(self, context: PrintingContext) -> TaskResult | None:
        """Put the secrets into the data; the task's result where that cannot be."""
        if not self.handler.expressions:
            return None
        try:
            template = parse(self.task.data)
            template.check(self.secrets.keys())
            resolved = template.resolve(self.secrets)
        except ExpressionError as error:
            return TaskResult.rejected(str(error))
        context.mask(*resolved.derived)
        self.task = self.task.model_copy(update={"data": resolved.data})
        return None

    async def _supervised(self, context: PrintingContext) -> TaskResult:
        with anyio.CancelScope(deadline=context.deadline or float("inf")) as scope:
            if self.cancel_when is not None:
                context.when_printed(self.cancel_when, _Cancelling(context, scope, asyncio.get_running_loop()).start)
            async with self.handler.opened(RunnerSettings()) as execute:
                result = await execute(self.task, context)
            if not scope.cancel_called or result.outcome is Outcome.SUCCEEDED:
                return result
        return TaskResult.cancelled(CancelCause.SERVER) if context.cancelled else TaskResult.timed_out(self.timeout)


@dataclass
class _Cancelling:
    """A cancellation from whichever thread printed the words for it."""

    context: PrintingContext
    scope: anyio.CancelScope
    loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        self.context.cancelled.set(CancelCause.SERVER)
        self.loop.call_soon_threadsafe(self.scope.cancel)


def _in_a_loop(work: Callable[[], Any], *, virtual: bool) -> EndedTask:
    """Run it in an event loop of its own; in a thread where this one has a running loop, as in an async test."""
    options = {"loop_factory": VirtualLoop} if virtual else {}
    ended: list[EndedTask] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            ended.append(anyio.run(work, backend_options=options))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            failed.append(error)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if failed:
        raise failed[0]
    return ended[0]
