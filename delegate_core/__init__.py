"""An extensible runner for CI control planes.

The names below are the library: a runner is built from a backend and handlers, and run inside an asyncio program.
They are imported at their first use, so that ``import delegate_core`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delegate_core.artifacts import Download, GitRepository, PlatformDownload
    from delegate_core.errors import DelegateError
    from delegate_core.handlers import Handler, Middleware, TaskContext, TaskHandler, handler
    from delegate_core.handlers.asgi import asgi
    from delegate_core.handlers.executable import executable
    from delegate_core.handlers.forwarding import forward
    from delegate_core.handlers.request import request
    from delegate_core.markers import hookimpl
    from delegate_core.model import CancelCause, Offer, Outcome, Task, TaskResult
    from delegate_core.processes import ProcessExit, ProcessSpec
    from delegate_core.runner import Runner, Snapshot
    from delegate_core.settings import RunnerSettings
    from delegate_core.settings.secretfrom import SecretFrom

__all__ = [
    "CancelCause",
    "DelegateError",
    "Download",
    "GitRepository",
    "Handler",
    "Middleware",
    "Offer",
    "Outcome",
    "PlatformDownload",
    "ProcessExit",
    "ProcessSpec",
    "Runner",
    "RunnerSettings",
    "SecretFrom",
    "Snapshot",
    "Task",
    "TaskContext",
    "TaskHandler",
    "TaskResult",
    "asgi",
    "executable",
    "forward",
    "handler",
    "hookimpl",
    "request",
]

_HOMES = {
    "CancelCause": "model",
    "DelegateError": "errors",
    "Download": "artifacts",
    "GitRepository": "artifacts",
    "Handler": "handlers",
    "Middleware": "handlers",
    "Offer": "model",
    "PlatformDownload": "artifacts",
    "Outcome": "model",
    "ProcessExit": "processes",
    "ProcessSpec": "processes",
    "Runner": "runner",
    "RunnerSettings": "settings",
    "SecretFrom": "settings.secretfrom",
    "Snapshot": "runner",
    "Task": "model",
    "TaskContext": "handlers",
    "TaskHandler": "handlers",
    "TaskResult": "model",
    "asgi": "handlers.asgi",
    "executable": "handlers.executable",
    "forward": "handlers.forwarding",
    "handler": "handlers",
    "hookimpl": "markers",
    "request": "handlers.request",
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
