"""The workspaces of failed stages, kept for a while for whoever wants to know why."""

from __future__ import annotations

import errno
import logging
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from delegate_core import removal
from delegate_core.engines.host.layout import slug

__all__ = ["KeptWorkspaces"]

_log = logging.getLogger(__name__)

_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(\d{8}T\d{6}Z)-.+")


@dataclass(frozen=True, slots=True)
class KeptWorkspaces:
    """A folder with one folder for each, named by time (UTC) and stage. What has another name is not touched.

    Attributes:
        folder: where they are.
        keep_for: seconds after which one is removed.
        keep_most: how many are kept; the oldest go first.
        clock: seconds since 1970.
    """

    folder: Path
    keep_for: float
    keep_most: int
    clock: Callable[[], float]

    def keep(self, workspace: Path, stage: str) -> Path | None:
        """Move a workspace here, and remove what need not be kept any longer. Blocks; no failure is raised.

        Returns:
            Where it is now; None if it could not be kept.
        """
        target: Path | None = None
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = self._new_folder(stage)
            _move(workspace, target)
        except (OSError, RecursionError) as error:
            _log.warning("could not keep the workspace of the failed stage %r: %s", stage, error)
            target = None
        else:
            _log.info("the workspace of the failed stage %r is kept in %s", stage, target)
        self.sweep()
        return target

    def sweep(self) -> None:
        """Remove those that are too old or too many. Blocks; no failure is raised."""
        try:
            found = sorted(self._all(), reverse=True)
        except OSError as error:
            _log.warning("could not look for kept workspaces in %s: %s", self.folder, error.strerror)
            return
        oldest = self.clock() - self.keep_for
        for place, (kept_at, path) in enumerate(found):
            if place >= self.keep_most or kept_at < oldest:
                removal.remove(path)

    def _new_folder(self, stage: str) -> Path:
        name = f"{datetime.fromtimestamp(self.clock(), UTC).strftime(_TIME)}-{slug(stage)}"
        for number in count(1):
            path = self.folder / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                return path
        raise AssertionError  # for the type checker: numbers do not end

    def _all(self) -> Iterator[tuple[float, Path]]:
        """Each with the time of its keeping, as its name says."""
        if not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if (named := _NAME.fullmatch(path.name)) and stat.S_ISDIR(path.lstat().st_mode):
                yield datetime.strptime(named[1], _TIME).replace(tzinfo=UTC).timestamp(), path


def _move(workspace: Path, target: Path) -> None:
    """Put a folder in the place of an empty one; as a copy, where that is on another file system."""
    try:
        _rename(workspace, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            target.rmdir()
            raise
        _copy(workspace, target)


def _rename(workspace: Path, target: Path) -> None:
    if not stat.S_ISDIR(workspace.lstat().st_mode):
        raise OSError("a step has put something else in its place")
    workspace.chmod(0o700)  # without the right to write in it, it could not be moved
    workspace.rename(target)


def _copy(workspace: Path, target: Path) -> None:
    try:
        shutil.copytree(workspace, target, symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        faults: list[object] = error.args[0]
        _log.warning("%d files could not be copied to %s", len(faults), target)
