"""Where a task runs: the ``dispatch`` hook of each plugin in turn, and at last the handler in this process."""

from __future__ import annotations

from collections.abc import Iterable

from delegate_core.handlers import Middleware, OpenHandlers, TaskContext
from delegate_core.handlers.base import Execute
from delegate_core.handlers.middleware import surrounded
from delegate_core.model import Task, TaskResult
from delegate_core.plugins import Plugins

__all__ = ["dispatcher"]


def dispatcher(plugins: Plugins, handlers: OpenHandlers, middleware: Iterable[Middleware] = ()) -> Execute:
    """The dispatch of one runner, with the middleware around it."""
    asked = plugins.each("dispatch")

    async def here(task: Task, context: TaskContext) -> TaskResult:
        execute = handlers.find(task.type)
        if execute is None:
            return TaskResult.rejected(
                f"no handler for task type {task.type!r}; this runner serves: {handlers.known()}"
            )
        return await execute(task, context)

    async def dispatch(task: Task, context: TaskContext) -> TaskResult:
        for implementation in asked:
            result: TaskResult | None = await implementation(task=task, context=context, run_here=here)
            if result is not None:
                return result
        return await here(task, context)

    return surrounded(dispatch if asked else here, middleware)
