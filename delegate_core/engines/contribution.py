"""What a plugin contributes as an engine, and what an engine is once a runner has opened it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from delegate_core.engines.engine import Engine, EngineError
from delegate_core.settings import Settings

__all__ = ["EngineDown", "EngineSetup", "OpenEngine", "StepEngine"]


class EngineDown(EngineError):
    """Nothing can run on the engine at present. The text says why and how to mend it, and holds no secret."""


class OpenEngine(Engine, Protocol):
    """An engine of one runner or one command, from its opening to its closing."""

    async def check(self) -> None:
        """Ask the engine whether it is there. Called at start and every few seconds; it is given 10 seconds.

        Raises:
            EngineDown: it is not. Whatever else is raised means the same.
        """
        ...

    async def sweep(self, owner: str) -> None:
        """Remove what this owner has left behind on the engine: whatever carries its name and is of no open place.

        Called when a check has succeeded, at first and after each time that the engine was down. It also removes what
        owners have left that are a process and gone; see `ProcessOwner`. What any other owner has is never touched.

        Raises:
            EngineError: something of this owner could not be removed.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSetup:
    """What an engine is made from.

    Args:
        settings: an instance of its settings model; None where it has none.
        owner: who makes it, the same after a restart: whatever stays behind on the engine has to carry this name. What
            never starts again under the same name, as a command, is a `ProcessOwner`.
        doubt: to be called when a call has failed as if the engine was down, so that it is checked at once.
    """

    settings: Any = None
    owner: str = ""
    doubt: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEngine:
    """An engine that a plugin brings; see the hook ``step_engines``.

    Args:
        name: what handlers and backends ask for: ``docker``. Also the name of its table in ``delegate.toml``.
        open: makes the engine of one runner. Entering must not need the engine to be there: `OpenEngine.check` says
            whether it is. Leaving closes connections; all places are closed before.
        settings: the model of its settings: flags, variables and its table; None: it has none.
    """

    name: str
    open: Callable[[EngineSetup], AbstractAsyncContextManager[OpenEngine]]
    settings: type[Settings] | None = None

    def default_settings(self) -> Settings | None:
        """Its settings where nobody gives any."""
        return None if self.settings is None else self.settings()
