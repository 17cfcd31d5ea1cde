"""Where a task runs: the ``dispatch`` hook of each plugin in turn, and at last the handler in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from delegate_core.handlers import HandlerRegistry, TaskContext
from delegate_core.model import Task, TaskResult
from delegate_core.plugins import Plugins

__all__ = ["dispatcher"]

Dispatch = Callable[[Task, TaskContext], Awaitable[TaskResult]]


def dispatcher(plugins: Plugins, handlers: HandlerRegistry) -> Dispatch:
    """The dispatch of one runner."""
    asked = plugins.each("dispatch")

    async def here(task: Task, context: TaskContext) -> TaskResult:
        handler = handlers.get(task.type)
        if handler is None:
            known = ", ".join(handlers.types()) or "none"
            return TaskResult.rejected(f"no handler for task type {task.type!r}; this runner serves: {known}")
        return await handler.execute(task, context)

    async def dispatch(task: Task, context: TaskContext) -> TaskResult:
        for implementation in asked:
            result: TaskResult | None = await implementation(task=task, context=context, run_here=here)
            if result is not None:
                return result
        return await here(task, context)

    return dispatch if asked else here
