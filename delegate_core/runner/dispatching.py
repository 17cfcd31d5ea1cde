"""Where a task runs: the ``dispatch`` hook of each plugin in turn, and at last the handler in this process."""

from __future__ import annotations

from collections.abc import Iterable

from delegate_core.handlers import Middleware, TaskContext
from delegate_core.handlers.base import Execute
from delegate_core.handlers.middleware import surrounded
from delegate_core.model import Task, TaskResult
from delegate_core.plugins import Plugins
from delegate_core.runner.generations import Generations
from delegate_core.runner.secrets import Secrets

__all__ = ["dispatcher"]


def dispatcher(
    plugins: Plugins, handlers: Generations, secrets: Secrets, middleware: Iterable[Middleware] = ()
) -> Execute:
    """The dispatch of one runner, with secrets put into the data, and the middleware around it.

    Middleware stands around a task's secret tasks too, and sees a task's data as it came, without its secrets.
    """
    around = list(middleware)
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

    inner = dispatch if asked else here
    with_secrets = secrets.around(inner, surrounded(inner, around))

    async def execute(task: Task, context: TaskContext) -> TaskResult:
        """A handler of other systems' texts gets its data as it came: their marks may look like ours."""
        return await (with_secrets if handlers.takes_expressions(task.type) else inner)(task, context)

    return surrounded(execute, around)
