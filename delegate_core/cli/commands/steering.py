"""``delegate pause``, ``resume``, ``drain``, ``stop``, ``reload``, ``maintenance``: orders to a runner."""

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
    group = typer.Typer(
        help="Keep a runner from taking tasks, whatever restarts.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("on")(maintenance_on)
    group.command("off")(maintenance_off)
    group.command("show")(maintenance_show)
    app.add_typer(group, name="maintenance")


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
    """Have a running runner finish what runs, deliver, and leave.

    It takes no new task from now on: as after a first SIGTERM.

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
    """Have a running runner cancel what runs, deliver, and leave.

    As after a second SIGTERM.

    \b
        delegate stop --backend drone --wait
    """
    _give("stop", state_dir, backend, name, wait=wait)


def reload(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a running runner read its settings again.

    It says what that has changed, and what wants a restart: as after SIGHUP.

    \b
        delegate reload --backend drone
    """
    _give("reload", state_dir, backend, name)


def maintenance_on(
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
    message: Annotated[
        str, typer.Option("--message", help="Why, for whoever looks at it meanwhile.", show_default=False)
    ] = "",
    seconds: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="It ends by itself after that: 30m, 2h.")
    ] = None,
) -> None:
    """Have a runner take no new task until that is ended; what runs goes on. Also one that does not run at present.

    It differs from a pause: it outlives the process, has a message, and may end by itself.

    \b
        delegate maintenance on --backend drone --message "new disk" --for 2h
    """
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.maintenance import begin  # noqa: PLC0415

    raise typer.Exit(begin(folder_of(state_dir, backend, name), message, seconds))


def maintenance_off(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Have a runner in maintenance take tasks again.

    \b
        delegate maintenance off --backend drone
    """
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.maintenance import end  # noqa: PLC0415

    raise typer.Exit(end(folder_of(state_dir, backend, name)))


def maintenance_show(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Say whether a runner is in maintenance: by whom, why, until when. 1 if it is.

    \b
        delegate maintenance show --backend drone
    """
    from delegate_core.cli.folders import folder_of  # noqa: PLC0415
    from delegate_core.cli.maintenance import show  # noqa: PLC0415

    raise typer.Exit(show(folder_of(state_dir, backend, name)))


def _give(
    what: Literal["pause", "resume", "drain", "stop", "reload"],
    state_dir: Path | None,
    backend: str | None,
    name: str | None,
    *,
    wait: bool = False,
    reason: str = "",
) -> None:
    from delegate_core.cli.finding import steered_runner  # noqa: PLC0415
    from delegate_core.cli.steering import give  # noqa: PLC0415
    from delegate_core.control import Order  # noqa: PLC0415

    raise typer.Exit(give(steered_runner(state_dir, backend, name), Order(do=what, reason=reason), wait=wait))
