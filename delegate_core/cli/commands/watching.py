"""``delegate top``, ``dashboard`` and ``health``: looking at a running runner."""

from __future__ import annotations

from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import BackendName, RunnerName, StateDir

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add them."""
    for function in (
        top,
        dashboard,
        health,
    ):
        app.command(function.__name__)(function)


def top(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Where a status is served.")] = None,
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
) -> None:
    """Show the live view of a runner that runs elsewhere.

    On this machine, or at an address. Press ? for the keys.

    Without anything named it is the one that runs here. Piped, the view is printed once. A runner on another machine
    wants a token in DELEGATE_STATUS_TOKEN, or a password.

    \b
        delegate top
        delegate top --backend drone
        delegate top http://admin:PASSWORD@builder-7.example:9210
    """
    from delegate_core.cli.top import show_top  # noqa: PLC0415

    raise typer.Exit(show_top(url, state_dir, backend, name))


def dashboard(state_dir: StateDir = None, backend: BackendName = None, name: RunnerName = None) -> None:
    """Print the address of a running runner's web page.

    It has the token that opens the page in it.

    \b
        xdg-open "$(delegate dashboard --backend drone)"
    """
    from delegate_core.cli.finding import running_runner  # noqa: PLC0415
    from delegate_core.status.address import StatusAddress  # noqa: PLC0415

    found = StatusAddress.of(running_runner(state_dir, backend, name))
    typer.echo(f"{found.url}/?token={found.token}")


def health(
    url: Annotated[str | None, typer.Argument(metavar="URL", help="Where a status is served.")] = None,
    *,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether it takes tasks, not only whether it lives.")
    ] = False,
    state_dir: StateDir = None,
    backend: BackendName = None,
    name: RunnerName = None,
) -> None:
    """Ask a running runner whether it is alive: exit status 0 or 1.

    For a container's health check, or a probe.

    It lives while its event loop goes round, also when the server is away. It is ready while it could take a task.

    \b
        delegate health --backend drone
        delegate health --ready http://builder-7.example:9210
    """
    from delegate_core.cli.health import ask_health  # noqa: PLC0415

    raise typer.Exit(ask_health(url, state_dir, backend, name, page="readyz" if ready else "healthz"))
