"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "All",
    "AsJson",
    "BackendName",
    "CacheDir",
    "Config",
    "Options",
    "RunnerName",
    "ServiceUser",
    "StateDir",
    "TaskId",
    "TaskIds",
    "UserService",
    "Wanted",
]

Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of the embedded server, name=value. Repeatable.")
]
StateDir = Annotated[Path | None, typer.Option("--state-dir", help="The runner's state folder.")]
BackendName = Annotated[str | None, typer.Option("--backend", help="The runner's backend, for its default folder.")]
RunnerName = Annotated[str | None, typer.Option("--name", help="The runner's name, for its default folder.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="The settings file; default: ./delegate.toml, or the user's.")
]
Wanted = Annotated[str | None, typer.Option("--backend", help="The backend, where the settings do not name it.")]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="The cache's folder; default: the settings'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
TaskIds = Annotated[list[str] | None, typer.Argument(help="Ids of tasks, or how they begin.")]
ServiceUser = Annotated[str | None, typer.Option("--user", help="Who runs it; default: root, or the unit's owner.")]
UserService = Annotated[bool, typer.Option("--user-service", help="A unit of this user's own manager.")]
TaskId = Annotated[str, typer.Argument(help="The task's id, or how it begins.")]
