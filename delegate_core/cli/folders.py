"""The state folder that a command means: of the runner that these settings would start, or of the only one here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from delegate_core.errors import SettingsError
from delegate_core.plugins import backend_module, settings_model_of
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.statefolder import StateFolder, default_place, development_folders, state_folder, state_folders

__all__ = ["folder_of", "several"]


def folder_of(state_dir: Path | None, backend: str | None, name: str | None) -> Path:
    """The folder that is named; that of the runner with this backend and name; or that of this user's only runner.

    Raises:
        SettingsError: nothing says which.
    """
    if state_dir is not None:
        return state_dir
    file = find_file(None, os.environ, Path.cwd())
    flags = {"backend": backend, "name": name}
    settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
    if settings.state_dir is not None:
        return settings.state_dir
    if settings.backend is None:
        if name is not None:
            raise SettingsError(f"of which backend is {name!r}? name it with --backend, or the folder with --state-dir")
        return _only_one()
    model = settings_model_of(backend_module(settings.backend))
    if model is not None:
        aliases = model.runner_environment
        settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file, aliases=aliases).values
    return settings.state_dir or state_folder(settings.backend or "", settings.name)


def _only_one() -> Path:
    """That of the only runner that runs, be it beside a development server; where none does, the only one there is."""
    there = state_folders()
    found = [folder for folder in (*there, *development_folders()) if StateFolder(folder).owner() is not None] or there
    if len(found) == 1:
        return found[0]
    if not found:
        raise SettingsError(
            f"there is no runner in {default_place()}; name its folder with --state-dir, "
            "or its backend with --backend (and --name)"
        )
    raise several(found)


def several(folders: Sequence[Path]) -> SettingsError:
    """The error that more than one runner could be meant, with how to name each."""
    named = "\n".join(f"  --state-dir {folder}" for folder in folders)
    return SettingsError(f"which of {len(folders)} runners? say:\n{named}")
