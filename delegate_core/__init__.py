"""An extensible runner for CI control planes.

The names below are the library: a runner is built from a backend and handlers, and run inside an asyncio program.
They are imported at their first use, so that ``import delegate_core`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delegate_core.errors import DelegateError
    from delegate_core.handlers import Handler, TaskContext, handler
    from delegate_core.markers import hookimpl
    from delegate_core.model import CancelCause, Offer, Outcome, Task, TaskResult
    from delegate_core.processes import ProcessExit, ProcessSpec
    from delegate_core.runner import Runner, Snapshot
    from delegate_core.settings import RunnerSettings

__all__ = [
    "CancelCause",
    "DelegateError",
    "Handler",
    "Offer",
    "Outcome",
    "ProcessExit",
    "ProcessSpec",
    "Runner",
    "RunnerSettings",
    "Snapshot",
    "Task",
    "TaskContext",
    "TaskResult",
    "handler",
    "hookimpl",
]

_HOMES = {
    "CancelCause": "model",
    "DelegateError": "errors",
    "Handler": "handlers",
    "Offer": "model",
    "Outcome": "model",
    "ProcessExit": "processes",
    "ProcessSpec": "processes",
    "Runner": "runner",
    "RunnerSettings": "settings",
    "Snapshot": "runner",
    "Task": "model",
    "TaskContext": "handlers",
    "TaskResult": "model",
    "handler": "handlers",
    "hookimpl": "markers",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
