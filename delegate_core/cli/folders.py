"""The state folder that a command means: of the runner that these settings would start."""

from __future__ import annotations

import os
from pathlib import Path

from delegate_core.errors import SettingsError
from delegate_core.plugins import backend_module, settings_model_of
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.statefolder import state_folder

__all__ = ["folder_of"]


def folder_of(state_dir: Path | None, backend: str | None, name: str | None) -> Path:
    """The folder that is named, or that of the runner with this backend and name.

    Raises:
        SettingsError: neither says which.
    """
    if state_dir is not None:
        return state_dir
    file = find_file(None, os.environ, Path.cwd())
    flags = {"backend": backend, "name": name}
    settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file).values
    if settings.state_dir is not None:
        return settings.state_dir
    if settings.backend is None:
        raise SettingsError("which runner? name its folder with --state-dir, or the runner with --backend and --name")
    model = settings_model_of(backend_module(settings.backend))
    if model is not None:
        aliases = model.runner_environment
        settings = load(RunnerSettings, flags=flags, environ=os.environ, file=file, aliases=aliases).values
    return settings.state_dir or state_folder(settings.backend or "", settings.name)
