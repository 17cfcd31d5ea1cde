"""Which handler serves which task type, and where it came from; how the handlers of one runner are opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from delegate_core.errors import PluginError
from delegate_core.handlers.base import Execute, Serving, TaskHandler
from delegate_core.handlers.function import Handler
from delegate_core.handlers.patterns import is_pattern, matches, overlap, weight
from delegate_core.model import Task
from delegate_core.settings import RunnerSettings

__all__ = ["HandlerRegistry", "OpenHandlers"]


class HandlerRegistry:
    """Handlers by task type or pattern. One type has one handler; a second one is a conflict that names both.

    Args:
        secrets: the names of the secrets that the settings declare; None: it is not known which.
    """

    def __init__(self, secrets: Collection[str] | None = None) -> None:
        self._declared = secrets
        self._handlers: dict[str, TaskHandler] = {}
        self._origins: dict[str, str] = {}

    def add(self, handler: TaskHandler, origin: str) -> None:
        """Add a handler that came from ``origin``: a plugin, a file, the program.

        Raises:
            PluginError: the type has a handler, the pattern is as specific as another that matches the same type,
                this one cannot be called with a task, or needs a secret that is not declared.
        """
        if not isinstance(handler, TaskHandler):
            raise PluginError(f"{origin}: {handler!r} is no handler; decorate the function with @handler('TYPE')")
        taken = self._origins.get(handler.task_type)
        if taken is not None:
            raise PluginError(
                f"two handlers for task type {handler.task_type!r}: one from {taken}, one from {origin}; remove one"
            )
        self._check_pattern(handler.task_type, origin)
        if wrong := [kind for kind in handler.announce if not matches(handler.task_type, kind)]:
            raise PluginError(f"{origin}: {handler.task_type!r} does not match {wrong[0]!r}, which it announces")
        handler.check()
        self._check_secrets(handler, origin)
        self._handlers[handler.task_type] = handler
        self._origins[handler.task_type] = origin

    def _check_secrets(self, handler: TaskHandler, origin: str) -> None:
        if self._declared is not None and (missing := sorted(handler.secrets().difference(self._declared))):
            names = ", ".join(map(repr, missing))
            raise PluginError(
                f"handler {handler.task_type!r} from {origin} needs the secret {names}, which is not declared: "
                f"say where it is with --secret {missing[0]}=env:VARIABLE, or under [secrets]"
            )

    def _check_pattern(self, pattern: str, origin: str) -> None:
        for other in self._patterns() if is_pattern(pattern) else ():
            if weight(other) == weight(pattern) and overlap(other, pattern):
                raise PluginError(
                    f"two patterns that match the same task types and are as specific: {other!r} from "
                    f"{self._origins[other]}, {pattern!r} from {origin}; give one of them more literal characters"
                )

    def _patterns(self) -> list[str]:
        """The patterns, the most specific first."""
        return sorted(filter(is_pattern, self._handlers), key=lambda pattern: (-weight(pattern), pattern))

    def add_all(self, handlers: Iterable[TaskHandler], origin: str) -> None:
        """Add several from one place: all, or where one cannot be added, none.

        Raises:
            PluginError: as `add`.
        """
        before = dict(self._handlers), dict(self._origins)
        try:
            for one in handlers:
                self.add(one, origin)
        except PluginError:
            self._handlers, self._origins = before
            raise

    def add_functions(self, functions: Mapping[str, Serving], origin: str) -> None:
        """Add functions or handlers under the task types that are their keys."""
        for task_type, function in functions.items():
            if isinstance(function, TaskHandler):
                self.add(function.renamed(task_type), origin)
            else:
                self.add(Handler(task_type, function), origin)

    def get(self, task_type: str) -> TaskHandler | None:
        """The handler that was added under this type or pattern."""
        return self._handlers.get(task_type)

    def find(self, task_type: str) -> str | None:
        """The type or pattern whose handler serves a type: itself, else the most specific pattern that matches."""
        if task_type in self._handlers:
            return task_type
        return next((pattern for pattern in self._patterns() if matches(pattern, task_type)), None)

    def types(self) -> tuple[str, ...]:
        """What a runner announces, sorted: types with a handler of their own, and what patterns say that they serve."""
        announced = {kind for one in self._handlers.values() for kind in one.announce}
        return tuple(sorted(announced | set(self._exact())))

    def served(self) -> tuple[str, ...]:
        """All types and patterns that have a handler, in the order in which they are tried."""
        return (*self._exact(), *self._patterns())

    def _exact(self) -> list[str]:
        return sorted(kind for kind in self._handlers if not is_pattern(kind))

    @asynccontextmanager
    async def opened(self, settings: RunnerSettings) -> AsyncIterator[OpenHandlers]:
        """Open every handler for one runner, and close them, the last one first.

        Raises:
            PluginError: one cannot be opened.
        """
        async with AsyncExitStack() as stack:
            executing: dict[str, Execute] = {}
            for kind in self.served():
                executing[kind] = await stack.enter_async_context(self._handlers[kind].opened(settings))
            yield OpenHandlers(self, executing)

    def limits(self) -> dict[str, int]:
        """The handlers' own limits, by type."""
        return {kind: one.limit for kind, one in self._handlers.items() if one.limit is not None}

    def engines(self) -> dict[str, frozenset[str]]:
        """The engines that handlers need, each with the types that need it."""
        needs = {(one.engine, kind) for kind, one in self._handlers.items() if one.engine is not None}
        return {engine: frozenset(kind for name, kind in needs if name == engine) for engine, _ in needs}

    def check_engines(self, known: Collection[str]) -> None:
        """Refuse a handler whose engine is not among these.

        Raises:
            PluginError: names the handler, its origin and the engine.
        """
        for kind, one in self._handlers.items():
            if one.engine is not None and one.engine not in known:
                raise PluginError(
                    f"the handler of task type {kind!r}, from {self._origins[kind]}, needs the engine {one.engine!r}, "
                    f"which no plugin of this runner brings; try: pip install delegate-{one.engine}"
                )

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Pairs of type and origin, sorted by type."""
        return iter(sorted(self._origins.items()))


class OpenHandlers:
    """The handlers of one runner while it runs."""

    def __init__(self, registry: HandlerRegistry, executing: Mapping[str, Execute]) -> None:
        self._registry = registry
        self._executing = executing

    def find(self, task_type: str) -> Execute | None:
        """What executes the tasks of a type."""
        kind = self._registry.find(task_type)
        return None if kind is None else self._executing[kind]

    def unwrapped(self, task: Task) -> Task:
        """The task that a task holds, where its type is one of requests; else itself.

        Raises:
            RequestProblem: it should hold one, and does not.
        """
        kind = self._registry.find(task.type)
        found = None if kind is None else self._registry.get(kind)
        return task if found is None else found.unwrapped(task)

    def takes_expressions(self, task_type: str) -> bool:
        """Whether expressions in data of this type are ours to resolve; a type without a handler runs elsewhere."""
        kind = self._registry.find(task_type)
        found = None if kind is None else self._registry.get(kind)
        return found is None or found.expressions

    def known(self) -> str:
        """What there is a handler for, for an error."""
        return ", ".join(self._registry.served()) or "none"
