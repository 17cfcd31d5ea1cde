"""``delegate config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import Config, Wanted

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate config`` and its commands."""
    group = typer.Typer(help="Look at a runner's settings.", no_args_is_help=True, rich_markup_mode=None)
    group.command("show")(config_show)
    group.command("check")(config_check)
    group.command("init")(config_init)
    group.command("schema")(config_schema)
    app.add_typer(group, name="config")


def config_show(
    config: Config = None,
    backend: Wanted = None,
    given: Annotated[bool, typer.Option("--given", help="Only what is not left to its default.")] = False,  # noqa: FBT002 - a flag
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Show each setting, its value, and the flag, variable or line of the file that it came from. Secrets are hidden.

    \b
        delegate config show --backend drone --given

    What is missing or wrong is marked, with how to mend it; the exit status is 2 then.
    """
    from delegate_core.cli import shown_settings  # noqa: PLC0415

    raise typer.Exit(shown_settings.show(config, backend, given=given, as_json=json_))


def config_check(config: Config = None, backend: Wanted = None) -> None:
    """Say whether a runner could be started with the settings file and the environment.

    \b
        delegate config check --config /etc/delegate/delegate.toml
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.check(config, backend))


def config_init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("delegate.toml"),
    backend: Wanted = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a settings file in which every setting is explained, and commented out, with the JSON schema of it beside.

    \b
        delegate config init --backend harness
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.init(file, backend, force=force))


def config_schema() -> None:
    """Print the JSON schema of the settings file, for editors.

    \b
        delegate config schema > delegate.schema.json
    """
    from delegate_core.cli import config as settings  # noqa: PLC0415

    raise typer.Exit(settings.schema())
