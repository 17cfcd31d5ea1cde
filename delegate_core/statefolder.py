"""The folder in which a runner keeps its state: one process owns it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote

import platformdirs

from delegate_core import removal, workfolder
from delegate_core.errors import StateError

__all__ = [
    "DEVELOPMENT",
    "JOURNAL_FILE",
    "LOG_FOLDERS",
    "FileIdentity",
    "StateFolder",
    "default_place",
    "default_state_folder",
    "development_folders",
    "state_folder",
    "state_folders",
]

DEVELOPMENT = "delegate-dev-"
"""Beginning of the names of state folders of runners beside a development server, among the temporary files."""
JOURNAL_FILE = "journal.sqlite"
TASK_FOLDERS = "tasks"
LOG_FOLDERS = "logs"
"""In it a folder for each journal entry, by its number."""
STREAM_FOLDERS = "steps"
"""In a log's folder, one folder for each step that has a log of its own."""

_WORK_RECORD = "work-folders"
"""In it, a line each, where tasks' folders are or were."""

_MOMENT = 1.0
"""Seconds that a command may have the folder which no runner has: to look, or to write to its journal."""

_LOOK = 0.02
"""Seconds between two tries to lock it."""

_LONGEST_NAME = 200
"""Bytes of a folder's name that a step's name may take; file systems allow 255."""


class StateFolder:
    """A folder that one process owns: the journal, the tasks' folders and their logs.

    Use as a context manager: entering creates and locks it.

    Args:
        path: of it.
        work: the folder within which this runner has one for its tasks' folders; None: they are in the state folder.
    """

    def __init__(self, path: Path, work: Path | None = None) -> None:
        self.path = path.absolute()
        self.work = self.path / TASK_FOLDERS
        if work is not None:
            unique = hashlib.sha256(bytes(self.path)).hexdigest()[:8]
            self.work = work.resolve() / f"{self.path.name}-{unique}"
        self._works = {self.work}
        """All places where tasks' folders may be: an earlier life may have had other settings."""
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Create and lock the folder.

        Raises:
            StateError: another process has it, or it cannot be created.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._is_ours():
                self.path.chmod(0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                f"cannot use the state folder {self.path}: {error.strerror}; choose another with --state-dir"
            ) from error
        self._take_lock(self._lock)
        return self

    def _is_ours(self) -> bool:
        """Not a folder that holds other things, whose mode is none of our business."""
        return (self.path / JOURNAL_FILE).exists() or not any(self.path.iterdir())

    def owner(self) -> str | None:
        """The id of the process that has it; None if nobody has.

        Raises:
            StateError: it cannot be looked at.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"cannot look at the state folder {self.path}: {error.strerror}; "
                "call as the user whose runner it is, or choose another with --state-dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named(descriptor)
        finally:
            os.close(descriptor)
        return None

    def _take_lock(self, descriptor: int) -> None:
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            owner = _named(descriptor)
            self.__exit__()
            raise StateError(
                f"the state folder {self.path} is in use by process {owner}; "
                "stop that runner, have this one take over with --takeover, or give it another --name or --state-dir"
            ) from None
        except OSError as error:
            self.__exit__()
            raise StateError(
                f"cannot lock the state folder {self.path}: {error.strerror}; choose another with --state-dir"
            ) from error

    def make_work(self, *, shared: bool) -> None:
        """Make the folder of the tasks' folders; what was left of earlier removals goes. Blocks.

        Args:
            shared: other users get through it, to folders of their own.

        Raises:
            StateError: it cannot be made, or somebody else could put another in its place.
        """
        record, own = self.path / _WORK_RECORD, self.path / TASK_FOLDERS
        try:
            workfolder.make(self.work, shared=shared)
            self._works |= {place for place in (own, *map(Path, _lines(record))) if place.exists()}
            if self._works != {own}:
                record.touch(0o600)
                record.write_text("".join(f"{place}\n" for place in sorted(self._works)), "utf-8")
        except OSError as error:
            raise StateError(
                f"cannot use the folder {self.work} for tasks: {error.strerror}; choose another with --work-dir"
            ) from error
        for pit in (pit for work in self._works for pit in work.glob(f"{removal.PIT}*")):
            removal.clear(pit)

    def __exit__(self, *exception: object) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            if not self.work.is_relative_to(self.path):
                with suppress(OSError):  # it holds tasks for the next start, or was never made
                    self.work.rmdir()
            os.close(self._lock)
            self._lock = None

    def task_folder(self, number: int) -> Path:
        """Where the task of a journal entry may work. Not created here."""
        return self.work / str(number)

    def log_folder(self, number: int) -> Path:
        """Where the log of a journal entry is spooled. Not created here."""
        return self.path / LOG_FOLDERS / str(number)

    def stream_folder(self, number: int, stream: str) -> Path:
        """Where the log of one of its steps is spooled. Not created here."""
        return self.log_folder(number) / STREAM_FOLDERS / _folder_name(stream)

    def streams(self, number: int) -> dict[str, Path]:
        """The spool folders of the steps of a journal entry, by the steps' names."""
        folders = (self.log_folder(number) / STREAM_FOLDERS).glob("*")
        return {_stream_name(folder.name): folder for folder in folders}

    def remove_task(self, number: int) -> None:
        """Delete a task's folder, whatever the task has made of it."""
        for work in self._works:
            removal.remove(work / str(number))

    def remove_log(self, number: int) -> None:
        """Delete a task's spooled log."""
        shutil.rmtree(self.log_folder(number), ignore_errors=True)


def _lock(descriptor: int) -> None:
    """Lock a file for this process alone. What only looks who has it, or drops a result, is gone in a moment.

    Raises:
        BlockingIOError: another process keeps it.
    """
    deadline = time.monotonic() + _MOMENT
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK)


class FileIdentity:
    """Which file it is that lies at a path now: a state folder may be removed, and be made anew by another process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._found()

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self._path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino

    def is_there(self) -> bool:
        """Whether it still does. What cannot be looked at counts as there."""
        try:
            return self._known is not None and self._found() == self._known
        except OSError:
            return True

    def remove(self) -> None:
        """Remove it, if it still does."""
        if self.is_there():
            self._path.unlink(missing_ok=True)


def _lines(file: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return file.read_text("utf-8").splitlines()
    return []


def _named(descriptor: int) -> str:
    """The process that a lock file names."""
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"


def default_state_folder(backend: object, name: str) -> Path:
    """Where the runner of this backend object keeps its state."""
    return state_folder(str(getattr(backend, "name", type(backend).__name__.lower())), name)


def state_folder(backend: str, name: str) -> Path:
    """``$XDG_STATE_HOME/delegate/<backend>/<name>``."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "runner"
    return default_place() / backend / safe


def default_place() -> Path:
    """Where runners of this user have their state folders, if nothing else is said: one per backend and name."""
    return platformdirs.user_state_path("delegate")


def state_folders() -> list[Path]:
    """The folders in that place that there are, of whatever backend and name."""
    return sorted(folder for folder in default_place().glob("*/*") if folder.is_dir())


def development_folders() -> list[Path]:
    """State folders of runners beside a `delegate dev` of this user."""
    places = Path(tempfile.gettempdir()).glob(f"{DEVELOPMENT}*")
    return [place for place in places if place.is_dir() and place.stat().st_uid == os.getuid()]


def _folder_name(stream: str) -> str:
    """A step's name as the name of a folder; a long one is cut, and ends with its hash instead."""
    name = quote(stream.encode("utf-8", "surrogatepass"), safe=" ").replace("~", "%7E").replace(".", "%2E")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _stream_name(folder: str) -> str:
    """The step's name, or as much of it as the folder's name holds."""
    return unquote(folder.partition("~")[0])
