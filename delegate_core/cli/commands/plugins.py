"""``delegate plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate plugins`` and its commands."""
    group = typer.Typer(help="Look at the installed plugins.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(plugins_list)
    group.command("show")(plugins_show)
    group.command("check")(plugins_check)
    group.command("new")(plugins_new)
    app.add_typer(group, name="plugins")


def plugins_list(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:  # noqa: FBT002 - a flag
    """List the installed backends and plugins, and what is broken.

    \b
        delegate plugins list
    """
    from delegate_core.cli.listing import list_plugins  # noqa: PLC0415

    raise typer.Exit(list_plugins(as_json=json_))


def plugins_show(
    name: Annotated[str, typer.Argument(help="The plugin's name, as `delegate plugins list` shows it.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show one backend or plugin: where it comes from, its hooks, task types, engines and commands, what is broken.

    \b
        delegate plugins show harness
    """
    from delegate_core.cli.inspecting import show_plugin  # noqa: PLC0415

    raise typer.Exit(show_plugin(name, as_json=json_))


def plugins_check(json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:  # noqa: FBT002 - a flag
    """Find what is broken: imports, hooks, handlers, task types that two claim, handlers of the settings file.

    \b
        delegate plugins check
    """
    from delegate_core.cli.inspecting import check_plugins  # noqa: PLC0415

    raise typer.Exit(check_plugins(as_json=json_))


def plugins_new(
    name: Annotated[str, typer.Argument(help="The distribution's name: my-handlers.")],
    folder: Annotated[Path | None, typer.Option("--folder", help="Where to write it; default: ./NAME.")] = None,
    task_type: Annotated[str, typer.Option("--task-type", help="The task type that its handler serves.")] = "greet",
) -> None:
    """Write a package with a handler, its test and a README, to begin with.

    \b
        delegate plugins new my-handlers
    """
    from delegate_core.cli.scaffold import new_plugin  # noqa: PLC0415

    raise typer.Exit(new_plugin(name, folder or Path(name), task_type))
