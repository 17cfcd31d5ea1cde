"""The running runner that a command means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from delegate_core.cli.folders import folder_of, several
from delegate_core.errors import DelegateError, SettingsError
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.statefolder import StateFolder, development_folders, state_folders
from delegate_core.status import StatusAddress

__all__ = ["running_runner", "steered_runner"]


def running_runner(state_dir: Path | None, backend: str | None, name: str | None) -> Path:
    """State folder of the runner that is named, by options or settings; else of the only one of this user here.

    Raises:
        DelegateError: there is none, or there are several.
    """
    if state_dir is None and backend is None and name is None and not _is_configured():
        return _only_one()
    return folder_of(state_dir, backend, name)


def steered_runner(state_dir: Path | None, backend: str | None, name: str | None) -> Path:
    """State folder of the runner that an order is for.

    Where the settings mean one that does not run, and one beside a development server does, it is that one.

    Raises:
        DelegateError: nothing says which.
    """
    meant = folder_of(state_dir, backend, name)
    if state_dir is not None or backend is not None or name is not None or StateFolder(meant).owner() is not None:
        return meant
    beside = [folder for folder in development_folders() if StateFolder(folder).owner() is not None]
    return beside[0] if len(beside) == 1 else meant


def _is_configured() -> bool:
    file = find_file(None, os.environ, Path.cwd())
    return load(RunnerSettings, flags={}, environ=os.environ, file=file).values.backend is not None


def _only_one() -> Path:
    found = sorted(_running())
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(
            "no runner of yours with its state in the usual place serves its status here; "
            "name its address, or its folder with --state-dir"
        )
    raise several(found)


def _running() -> Iterator[Path]:
    for folder in (*state_folders(), *development_folders()):
        with suppress(DelegateError):
            StatusAddress.of(folder)
            yield folder
