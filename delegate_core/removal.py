"""Delete a tree whatever a step has made of it: folders without permissions, a depth beyond any path's length, links.

The tree is renamed into a *pit* beside it, at once and as a whole. In the pit, a folder's subfolders are moved up next
to it before it is deleted. So nothing is ever deeper than two levels, no recursion is needed, and a pit that was left
half cleared is cleared in the same way. Links are deleted and never followed; a mounted file system is not entered.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

__all__ = ["PIT", "clear", "put_aside", "remove"]

_log = logging.getLogger(__name__)

PIT = ".gone-"
"""What the names of pits begin with."""

_TRIES = 3
"""How often a folder is emptied that somebody fills at the same time."""

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(path: Path) -> None:
    """Delete a folder or file with all in it. What cannot be deleted is logged, and not an error; blocks meanwhile."""
    try:
        pit = put_aside(path)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("could not remove %s: %s; remove it by hand", path, error.strerror)
        return
    clear(pit)


def put_aside(path: Path) -> Path:
    """Move it into a new pit beside it: from now on, its name is free. Returns the pit.

    Raises:
        OSError: it is not there, or cannot be moved.
    """
    pit = path.with_name(PIT + uuid4().hex)
    pit.mkdir(mode=0o700)
    try:
        _move_in(path, pit)
    except OSError:
        pit.rmdir()
        raise
    return pit


def clear(pit: Path) -> None:
    """Delete a pit and all in it. What cannot be deleted is logged, and not an error; blocks meanwhile."""
    try:
        with _opened(pit) as descriptor:
            fault = _Clearing(descriptor).run()
        if fault is None:
            pit.rmdir()
    except FileNotFoundError:
        return  # somebody else has cleared it
    except OSError as error:
        fault = error
    if fault is not None:
        _log.warning("could not remove all of %s: %s; remove it by hand", pit, fault.strerror)


class _Clearing:
    """Empties one pit."""

    def __init__(self, pit: int) -> None:
        self._pit = pit
        self._tries: Counter[str] = Counter()
        self._fault: OSError | None = None

    def run(self) -> OSError | None:
        """Delete what can be deleted; returns why something is left, if it is."""
        while names := [name for name in self._names() if self._tries[name] < _TRIES]:
            for name in names:
                self._tries[name] += 1
                with self._noted():
                    self._delete(name)
        return self._fault if self._names() else None

    def _names(self) -> list[str]:
        with os.scandir(self._pit) as entries:
            return [entry.name for entry in entries]

    def _delete(self, name: str) -> None:
        if not stat.S_ISDIR(os.stat(name, dir_fd=self._pit, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=self._pit)
            return
        _permit(name, self._pit)
        with _opened(name, self._pit) as folder:
            self._empty(folder)
        os.rmdir(name, dir_fd=self._pit)

    def _empty(self, folder: int) -> None:
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            with self._noted():
                if entry.is_dir(follow_symlinks=False):
                    _permit(entry.name, folder)
                    os.rename(entry.name, uuid4().hex, src_dir_fd=folder, dst_dir_fd=self._pit)
                else:
                    os.unlink(entry.name, dir_fd=folder)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Go on after an error; what is gone already is none."""
        try:
            yield
        except FileNotFoundError:
            pass
        except OSError as error:
            self._fault = error


def _move_in(path: Path, pit: Path) -> None:
    with suppress(OSError):
        _permit(path)  # a folder can be moved elsewhere only by those who may write in it
    path.rename(pit / "0")


def _permit(name: str | Path, parent: int | None = None) -> None:
    """Give its owner every right on a folder: on this very one, also where somebody puts a link in its place."""
    descriptor = os.open(name, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{descriptor}", 0o700)  # noqa: PTH101 - a descriptor opened only as a path has no fchmod
    finally:
        os.close(descriptor)


@contextmanager
def _opened(name: str | Path, parent: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, _FOLDER | os.O_RDONLY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
