"""The command line put together. What a command does is imported when it runs, so that ``--help`` stays quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from delegate_core.cli.commands import cache, config, development, outbox, plugins, service, steering, tasks, watching
from delegate_core.cli.contributed import add_commands
from delegate_core.cli.sections import Sections

__all__ = ["build"]

_COMMANDS = (development, watching, steering, tasks, outbox, plugins, config, cache, service)

_DELEGATE = """An extensible runner for CI control planes.

\b
    delegate demo                                   # see it work, without an account
    delegate run --backend drone --help             # every setting of a backend
    delegate COMMAND --help                         # examples of each command
"""

_RUN = """Run a runner against a control plane.

\b
    delegate run --backend harness --endpoint https://manager.example --account-id ACCOUNT \\
        --account-secret-file secret.txt --handlers my_handlers.py

Every setting may also come from the environment (DELEGATE_ENDPOINT) or from delegate.toml. Ctrl-C or SIGTERM drains,
a second one cancels the running tasks, a third leaves at once. `delegate run --backend NAME --help` shows the
backend's own settings too.
"""

_DOCTOR = """Find out why a runner does nothing, and what to do.

\b
    delegate doctor --backend drone                 # with the settings of `delegate run`
    delegate doctor --backend harness --json

Looks at settings, plugins, state folder, disk, memory, programs and engines, and at the server: name, connection, TLS,
token, clock, and what the backend adds. Works beside a running runner, changes nothing, and takes no task.

The exit status: 0 nothing is in the way, 1 something is; 2 to 6 where `delegate run` would end with that.
"""

_DEV = """Serve a control plane on loopback, with a runner beside it.

\b
    delegate dev --backend harness --handlers my_handlers.py
    delegate submit task.json --wait

The server's state is gone when it ends.
"""


def build(arguments: Sequence[str]) -> Callable[..., Any]:
    """The command line for these arguments: the settings of ``run`` and ``dev`` depend on the backend they name."""
    app = typer.Typer(
        name="delegate",
        cls=Sections,
        help=_DELEGATE,
        context_settings={"help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    command = next((each for each in arguments if not each.startswith("-")), "")
    for name, (text, function) in _WITH_SETTINGS.items():
        app.command(name, help=text)(_with_settings(command == name, arguments, name, function))
    app.callback()(_whole)
    app.command("version", hidden=True)(version)
    for commands in _COMMANDS:
        commands.add_to(app)
    own = {*(each.name or "" for each in app.registered_commands), *(each.name or "" for each in app.registered_groups)}
    add_commands(app, command, frozenset(own))
    return typer.main.get_command(app)


def _whole(
    version: Annotated[  # noqa: FBT002 - a flag, which has acted when this is called
        bool, typer.Option("--version", "-V", is_eager=True, callback=_tell_version, help="Print the version.")
    ] = False,
) -> None:
    """The options of the program as a whole."""


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - called by typer
    if asked:
        typer.echo(f"delegate {_installed()}")
        raise typer.Exit


def _with_settings(
    chosen: bool,  # noqa: FBT001 - private
    arguments: Sequence[str],
    name: str,
    function: Callable[..., None],
) -> Callable[..., None]:
    if not chosen:
        return lambda: None  # listed by name only
    from delegate_core.cli import signature  # noqa: PLC0415 - imports the settings

    return signature.command(name, function, arguments)


def _run(**given: Any) -> None:
    from delegate_core.cli.running import run  # noqa: PLC0415 - a runner needs no server

    run(**given)


def _dev(**given: Any) -> None:
    from delegate_core.cli.developing import develop  # noqa: PLC0415 - imports the servers

    develop(**given)


def _doctor(**given: Any) -> None:
    from delegate_core.cli.doctor.command import doctor  # noqa: PLC0415 - imports half of everything

    raise typer.Exit(doctor(**given))


_WITH_SETTINGS: Mapping[str, tuple[str, Callable[..., None]]] = {
    "run": (_RUN, _run),
    "doctor": (_DOCTOR, _doctor),
    "dev": (_DEV, _dev),
}
"""Commands that have an option for each setting: their help, and what they do."""


def version() -> None:
    """Print the version, and nothing else."""
    typer.echo(_installed())


def _installed() -> str:
    from importlib.metadata import version as installed  # noqa: PLC0415 - only needed here

    return installed("delegate-core")
