"""What goes around every task: functions that see the task before it runs and its result after it.

::

    async def timed(task, context, proceed):
        began = time.monotonic()
        result = await proceed(task)
        context.log(f"took {time.monotonic() - began:.1f}s")
        return result

The first one is the outermost: the program's in their order, then each plugin's in the order of the plugins. All
stand around the ``dispatch`` hook, so also around a task that runs elsewhere. A middleware may change the task before
it goes on (with another type, another handler gets it), go on again to retry, or answer without going on to refuse.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable

from delegate_core.cancellation import raise_if_cancelled
from delegate_core.errors import PluginError
from delegate_core.handlers.base import Execute
from delegate_core.handlers.context import TaskContext
from delegate_core.model import Task, TaskResult

__all__ = ["Middleware", "Proceed", "checked_middleware", "surrounded"]

Proceed = Callable[[Task], Awaitable[TaskResult]]
"""Goes on with a task to what is within, and returns its result; may be called again."""

Middleware = Callable[[Task, TaskContext, Proceed], Awaitable[TaskResult]]


def checked_middleware(middleware: Iterable[Middleware], origin: str) -> list[Middleware]:
    """The middleware from one place, of the right shape.

    Raises:
        PluginError: one is not async, or does not take task, context and proceed; names it.
    """
    checked = list(middleware)
    for one in checked:
        call = one if inspect.isroutine(one) else getattr(one, "__call__", one)  # noqa: B004 - an object that is called
        if not inspect.iscoroutinefunction(call):
            raise PluginError(f"{origin}: middleware {_name(one)} is no async function; begin it with `async def`")
        try:
            inspect.signature(one).bind(None, None, None)
        except TypeError:
            raise PluginError(f"{origin}: middleware {_name(one)} must take (task, context, proceed)") from None
    return checked


def surrounded(execute: Execute, middleware: Iterable[Middleware]) -> Execute:
    """What executes a task, with the middleware around it, the first one outermost."""
    for one in reversed(list(middleware)):
        execute = _around(one, execute)
    return execute


def _around(middleware: Middleware, inner: Execute) -> Execute:
    async def execute(task: Task, context: TaskContext) -> TaskResult:
        async def proceed(changed: Task) -> TaskResult:
            return await inner(changed, context)

        try:
            result: object = await middleware(task, context, proceed)
        except GeneratorExit:
            raise  # the coroutine is being closed
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is the task's failure
            raise_if_cancelled()
            return TaskResult.failed(f"middleware {_name(middleware)} failed: {type(error).__name__}: {error}")
        if not isinstance(result, TaskResult):
            got = type(result).__name__
            return TaskResult.failed(f"middleware {_name(middleware)} answered {got}; it must answer a TaskResult")
        return result

    return execute


def _name(middleware: object) -> str:
    return str(getattr(middleware, "__qualname__", type(middleware).__qualname__))
