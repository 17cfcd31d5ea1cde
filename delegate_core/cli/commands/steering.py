"""``delegate pause``, ``resume``, ``drain``, ``stop`` and ``reload``: orders to a running runner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from delegate_core.cli.commands.arguments import BackendName, RunnerName, StateDir

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add them."""
    for function in (
        pause,
        resume,
        drain,
        stop,
        reload,
    ):
        app.command(function.__name__)(function)


Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever looks at it meanwhile.", show_default=False)]


def pause(
    state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None, reason: Reason = ""
) -> None:
    """Have a running runner take no new task; what runs goes on.

    \b
        delegate pause --backend drone --reason "new disk"
    """
    _give("pause", state_dir, backend, name, reason=reason)


def resume(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a paused runner take tasks again.

    \b
        delegate resume --backend drone
    """
    _give("resume", state_dir, backend, name)


def drain(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has left.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have a running runner take no new task, finish what runs, deliver, and leave: as a first SIGTERM.

    \b
        delegate drain --backend drone --wait
    """
    _give("drain", state_dir, backend, name, wait=wait)


def stop(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has left.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Have a running runner cancel what runs, deliver, and leave: as a second SIGTERM.

    \b
        delegate stop --backend drone --wait
    """
    _give("stop", state_dir, backend, name, wait=wait)


def reload(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a running runner read its settings again, and say what that has changed: as SIGHUP.

    \b
        delegate reload --backend drone
    """
    _give("reload", state_dir, backend, name)


def _give(
    what: Literal["pause", "resume", "drain", "stop", "reload"],
    state_dir: Path | None,
    backend: str | None,
    name: str | None,
    *,
    wait: bool = False,
    reason: str = "",
) -> None:
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.steering import give  # noqa: PLC0415
    from delegate_core.control import Order  # noqa: PLC0415

    raise typer.Exit(give(folder_of(state_dir, backend, name), Order(do=what, reason=reason), wait=wait))
