"""The file of the runner's own log: rotated by size, and by whoever else moves it away."""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["LogFile"]

_log = logging.getLogger(__name__)

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_ONLY_OURS: Final = 0o600


class LogFile:
    """A stream of whole lines into a file that is kept within a size.

    A file over its size becomes ``NAME.1``, that one ``NAME.2``, and so on; the oldest goes. A new file is its owner's
    alone; one that another has made keeps its mode, through rotation too. Where the file was moved or removed, as
    logrotate does it, the next line begins a new one. What is no regular file, such as a pipe, is never rotated.

    Several processes may write into the same file: each line is written whole, and one of them rotates it while the
    others follow. Any thread may write.

    Args:
        path: the file; links are followed, so that it is not the link that is rotated.
        size: bytes that it may have; 0: any number. One longer line is written all the same.
        kept: how many old files to keep.

    Raises:
        OSError: it cannot be opened.
    """

    encoding = "utf-8"

    def __init__(self, path: Path, *, size: int, kept: int) -> None:
        self._path = Path(os.path.realpath(path))
        self._size = size
        self._kept = kept
        self._lock = threading.Lock()
        self._torn = False
        self._failing = False
        self._open(_ONLY_OURS)

    def write(self, text: str, /) -> None:
        """Append whole lines.

        Raises:
            OSError: not all of them found room. What follows begins on a line of its own.
        """
        try:
            with self._lock:
                self._write(text.encode(self.encoding, "backslashreplace"))
        except OSError as error:
            self._complain(error)
            raise
        self._failing = False

    def _complain(self, error: OSError) -> None:
        """Once, until it goes well again; those who see the log elsewhere learn it."""
        if not self._failing:
            self._failing = True
            _log.warning("log_file: %s: %s: lines are left out of it until it has room", self._path, error.strerror)

    def _write(self, data: bytes) -> None:
        self._follow()
        while data:
            end = self._fitting(data)
            self._append(data[:end])
            data = data[end:]

    def flush(self) -> None:
        """Nothing waits here."""

    def reopen(self) -> None:
        """Begin a new file if this one was moved away.

        Raises:
            OSError: it cannot be opened. What is written goes where it went before.
        """
        with self._lock:
            self._follow()

    # ------------------------------------------------------------------ the file

    def _open(self, mode: int) -> None:
        descriptor = os.open(self._path, _FLAGS, mode)
        found = os.fstat(descriptor)
        if mode != _ONLY_OURS and found.st_size == 0 and found.st_uid == os.geteuid():
            with suppress(OSError):
                os.fchmod(descriptor, mode)
        before, self._descriptor = getattr(self, "_descriptor", None), descriptor
        self._identity = found.st_dev, found.st_ino
        self._rotates = self._size > 0 and stat.S_ISREG(found.st_mode)
        self._torn = False
        if before is not None:
            os.close(before)

    def _follow(self, mode: int = _ONLY_OURS) -> None:
        """Open it again where the name leads to another file now, or to none."""
        if not self._still_there():
            self._open(mode)

    def _still_there(self) -> bool:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _append(self, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        while data:
            written = os.write(self._descriptor, data)
            self._torn = not data[:written].endswith(b"\n")
            data = data[written:]

    # ------------------------------------------------------------------ its size

    def _fitting(self, data: bytes) -> int:
        """How many bytes of it, in whole lines, go into the file as it is now; rotates it where none do."""
        while self._rotates:
            present = os.fstat(self._descriptor).st_size
            room = self._size - present
            if len(data) <= room:
                break
            end = data.rfind(b"\n", 0, max(room, 0)) + 1
            if end:
                return end
            if not present:
                return data.find(b"\n") + 1 or len(data)
            if not self._rotate():
                break
        return len(data)

    def _rotate(self) -> bool:
        """Make room by moving it away, unless another process is at that. False: it stays as it is for now."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        mode = stat.S_IMODE(os.fstat(self._descriptor).st_mode)
        try:
            if self._still_there():
                self._shift()
            self._follow(mode)
        except OSError:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            return False
        return True

    def _shift(self) -> None:
        """Number it and those before it; where no number is left, the oldest goes."""
        if not self._kept:
            self._path.unlink()
            return
        names = [self._path]
        while len(names) <= self._kept and names[-1].exists():
            names.append(Path(f"{self._path}.{len(names)}"))
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            newer.replace(older)
