"""The running runner that a command means."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from delegate_core.cli.folders import folder_of, several
from delegate_core.errors import DelegateError, SettingsError
from delegate_core.settings import RunnerSettings, find_file, load
from delegate_core.statefolder import DEVELOPMENT, state_folders
from delegate_core.status import StatusAddress

__all__ = ["running_runner"]


def running_runner(state_dir: Path | None, backend: str | None, name: str | None) -> Path:
    """State folder of the runner that is named, by options or settings; else of the only one of this user here.

    Raises:
        DelegateError: there is none, or there are several.
    """
    if state_dir is None and backend is None and name is None and not _is_configured():
        return _only_one()
    return folder_of(state_dir, backend, name)


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
    for folder in (*state_folders(), *_of_development_servers()):
        with suppress(DelegateError):
            StatusAddress.of(folder)
            yield folder


def _of_development_servers() -> list[Path]:
    """State folders of runners beside a `delegate dev` of this user."""
    places = Path(tempfile.gettempdir()).glob(f"{DEVELOPMENT}*")
    return [place for place in places if place.is_dir() and place.stat().st_uid == os.getuid()]
