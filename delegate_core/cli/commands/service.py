"""``delegate service``."""

from __future__ import annotations

from typing import Annotated

import typer

from delegate_core.cli.commands.arguments import Config, RunnerName, ServiceUser, UserService, Wanted

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add ``delegate service`` and its commands."""
    group = typer.Typer(help="Make a runner a service of systemd.", no_args_is_help=True, rich_markup_mode=None)
    group.command("show")(service_show)
    group.command("install")(service_install)
    app.add_typer(group, name="service")


def service_show(
    config: Config = None,
    backend: Wanted = None,
    name: RunnerName = None,
    user: ServiceUser = None,
    user_service: UserService = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the unit that would be installed.

    \b
        delegate service show --config /etc/delegate/delegate.toml --user delegate
    """
    from delegate_core.cli import service  # noqa: PLC0415

    raise typer.Exit(service.show(service.make_unit(config, backend, name, user, system=not user_service)))


def service_install(
    config: Config = None,
    backend: Wanted = None,
    name: RunnerName = None,
    user: ServiceUser = None,
    user_service: UserService = False,  # noqa: FBT002 - a flag
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Write the unit of a runner with these settings, and say how to start it.

    \b
        delegate service install --config /etc/delegate/delegate.toml --user delegate
        delegate service install --backend drone --user-service
    """
    from delegate_core.cli import service  # noqa: PLC0415

    unit = service.make_unit(config, backend, name, user, system=not user_service)
    raise typer.Exit(service.install(unit, force=force))
