"""Where a task runs: the ``dispatch`` hook of each plugin in turn, and at last the handler in this process."""

from __future__ import annotations

from collections.abc import Iterable

from delegate_core.handlers import Middleware, TaskContext
from delegate_core.handlers.base import Execute
from delegate_core.handlers.middleware import surrounded
from delegate_core.handlers.request import RequestProblem
from delegate_core.handlers.supplied import SuppliedExecutables
from delegate_core.model import Task, TaskResult
from delegate_core.plugins import Plugins
from delegate_core.runner.generations import Generations
from delegate_core.runner.secrets import Secrets

__all__ = ["dispatcher"]


def dispatcher(
    plugins: Plugins,
    handlers: Generations,
    secrets: Secrets,
    own: SuppliedExecutables,
    middleware: Iterable[Middleware] = (),
) -> Execute:
    """The dispatch of one runner, with secrets put into the data, and the middleware around it.

    Middleware stands around a task's secret tasks too, and sees a task's data as it came, without its secrets.
    """
    around = list(middleware)
    asked = plugins.each("dispatch")
    here = _Here(handlers, own)

    async def dispatch(task: Task, context: TaskContext) -> TaskResult:
        for implementation in asked:
            result: TaskResult | None = await implementation(task=task, context=context, run_here=here.execute)
            if result is not None:
                return result
        return await here.execute(task, context)

    inner = dispatch if asked else here.execute
    of_secrets = surrounded(inner, around)
    with_secrets = secrets.around(inner, of_secrets)
    here.with_secrets = secrets.around(here.serve, of_secrets)

    async def execute(task: Task, context: TaskContext) -> TaskResult:
        """A handler of other systems' texts gets its data as it came: their marks may look like ours."""
        return await (with_secrets if handlers.takes_expressions(task.type) else inner)(task, context)

    return surrounded(execute, around)


class _Here:
    """Execution in this process, by the handler of the task's type, or of that of the request in its data."""

    with_secrets: Execute
    """Serves a task that was in a request, with secrets put into its data."""

    def __init__(self, handlers: Generations, own: SuppliedExecutables) -> None:
        self._handlers = handlers
        self._own = own

    async def execute(self, task: Task, context: TaskContext) -> TaskResult:
        """Take a request apart, and serve what is in it."""
        try:
            within = self._handlers.unwrapped(task)
        except RequestProblem as error:
            return TaskResult.rejected(f"data of {task.type}: {'; '.join(str(error).splitlines())}")
        if within is task:
            return await self.serve(task, context)
        context.task = within
        takes = self._handlers.takes_expressions(within.type)
        return await (self.with_secrets if takes else self.serve)(within, context)

    async def serve(self, task: Task, context: TaskContext) -> TaskResult:
        """Have the handler of its type execute it; without one, what the task brings, if it may."""
        execute = self._handlers.find(task.type)
        if execute is None:
            return await self._without_handler(task, context)
        if task.executable is not None and task.executable.config:
            context.log(f"the executable that the task brings is passed over: {task.type!r} has a handler here")
        return await execute(task, context)

    async def _without_handler(self, task: Task, context: TaskContext) -> TaskResult:
        problem = f"no handler for task type {task.type!r}; this runner serves: {self._handlers.known()}"
        if task.executable is None:
            return TaskResult.rejected(problem)
        if task.executable.trust == "none":
            allowing = 'executables = "verified" of [handler.TYPE] allows it'
            return TaskResult.rejected(f"{problem}; the executable that it brings is not run: {allowing}")
        return await self._own.execute(task.executable, task, context)
