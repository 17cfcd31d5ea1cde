"""The command line put together. What a command does is imported when it runs, so that ``--help`` stays quick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer

from delegate_core.cli.commands import cache, config, development, outbox, plugins, service, steering, tasks, watching
from delegate_core.cli.contributed import add_commands

__all__ = ["build"]

_COMMANDS = (development, watching, steering, tasks, outbox, plugins, config, cache, service)

_RUN = """Run a runner against a control plane.

\b
    delegate run --backend harness --endpoint https://manager.example --account-id ACCOUNT \\
        --account-secret-file secret.txt --handlers my_handlers.py

Every setting may also come from the environment (DELEGATE_ENDPOINT) or from delegate.toml. Ctrl-C or SIGTERM drains,
a second one cancels the running tasks, a third leaves at once. `delegate run --backend NAME --help` shows the
backend's own settings too.
"""

_DEV = """Serve an embedded control plane on loopback, with a runner beside it.

\b
    delegate dev --backend harness --handlers my_handlers.py
    delegate submit task.json --wait

The server's state is gone when it ends.
"""


def build(arguments: Sequence[str]) -> Callable[..., Any]:
    """The command line for these arguments: the settings of ``run`` and ``dev`` depend on the backend they name."""
    app = typer.Typer(
        name="delegate",
        help="An extensible runner for CI control planes.",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    command = next((each for each in arguments if not each.startswith("-")), "")
    app.command("run", help=_RUN)(_with_settings(command == "run", arguments, "run"))
    app.command("dev", help=_DEV)(_with_settings(command == "dev", arguments, "dev"))
    app.command("version")(version)
    for commands in _COMMANDS:
        commands.add_to(app)
    own = {*(each.name or "" for each in app.registered_commands), *(each.name or "" for each in app.registered_groups)}
    add_commands(app, command, frozenset(own))
    return typer.main.get_command(app)


def _with_settings(chosen: bool, arguments: Sequence[str], name: str) -> Callable[..., None]:  # noqa: FBT001 - private
    if not chosen:
        return lambda: None  # listed by name only
    from delegate_core.cli import signature  # noqa: PLC0415 - imports the settings

    return signature.command(name, _run if name == "run" else _dev, arguments)


def _run(**given: Any) -> None:
    from delegate_core.cli.running import run  # noqa: PLC0415 - a runner needs no server

    run(**given)


def _dev(**given: Any) -> None:
    from delegate_core.cli.developing import develop  # noqa: PLC0415 - imports the servers

    develop(**given)


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    typer.echo(installed("delegate-core"))
