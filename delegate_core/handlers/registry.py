"""Which handler serves which task type, and where it came from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from delegate_core.errors import PluginError
from delegate_core.handlers.function import Handler

__all__ = ["HandlerRegistry"]

AnyHandler = Handler[..., Any]


class HandlerRegistry:
    """Handlers by task type. One type has one handler; a second one is a conflict that names both."""

    def __init__(self) -> None:
        self._handlers: dict[str, AnyHandler] = {}
        self._origins: dict[str, str] = {}

    def add(self, handler: AnyHandler, origin: str) -> None:
        """Add a handler that came from ``origin``: a plugin, a file, the program.

        Raises:
            PluginError: the type has a handler, or this one cannot be called with a task.
        """
        if not isinstance(handler, Handler):
            raise PluginError(f"{origin}: {handler!r} is no handler; decorate the function with @handler('TYPE')")
        taken = self._origins.get(handler.task_type)
        if taken is not None:
            raise PluginError(
                f"two handlers for task type {handler.task_type!r}: one from {taken}, one from {origin}; remove one"
            )
        handler.check()
        self._handlers[handler.task_type] = handler
        self._origins[handler.task_type] = origin

    def add_all(self, handlers: Iterable[AnyHandler], origin: str) -> None:
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

    def add_functions(self, functions: Mapping[str, Callable[..., Any]], origin: str) -> None:
        """Add functions or handlers under the task types that are their keys."""
        for task_type, function in functions.items():
            if isinstance(function, Handler):
                self.add(Handler(task_type, function.function, limit=function.limit, engine=function.engine), origin)
            else:
                self.add(Handler(task_type, function), origin)

    def get(self, task_type: str) -> AnyHandler | None:
        """The handler of a type."""
        return self._handlers.get(task_type)

    def types(self) -> tuple[str, ...]:
        """All types, sorted."""
        return tuple(sorted(self._handlers))

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
