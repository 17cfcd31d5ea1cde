"""A bounded log on disk that keeps the end: what a task printed, until the control plane has it."""

import errno
import os
import shutil
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from operator import attrgetter
from pathlib import Path
from typing import Final, NamedTuple, Self

from delegate_core.logs.segment import LogLine, Run, Segment, encode

__all__ = ["CUT_OFF", "Dropped", "Spool"]

CUT_OFF: Final = "[the runner was restarted: what came after this is lost]"
"""The last line of a log whose task died with its runner."""

_SEGMENTS: Final = 8
"""Files of a full spool. The oldest goes as a whole, so at least three quarters of the limit are kept."""


_ON_DISK: Final = 8
"""How much larger than the limit the files may grow: lines of a few characters take mostly what stands beside them."""


_RESERVE: Final = 4 * 1024 * 1024
"""Bytes of its disk that logs leave to others: losing lines is a pity, a journal without room is an outage."""


class Dropped(NamedTuple):
    """What was printed but is not in the spool."""

    lines: int
    bytes: int
    """Of the lines' text in UTF-8, with one for each line end."""


class Spool:
    """The log of one stream, in a folder of its own. Safe for threads.

    Files appear with the first line (mode 0600, in a folder of mode 0700). When the limit is passed, the
    oldest lines go, and `dropped` counts them. A disk that takes no more hurts nobody: the lines are counted
    as dropped and `error` says why. The last 4 MiB of a disk are taken as a full one.

    Args:
        folder: absent or empty; `Spool.open` is for one that an earlier process left.
        limit: bytes of the lines' texts. Only a single line longer than it is kept beyond it. On disk, where each line
            has its position and time besides, it is eight times as much at most.
    """

    def __init__(self, folder: Path, *, limit: int = 5 * 1024 * 1024) -> None:
        self.folder = folder
        self._limit = limit
        self._segment_limit = max(1, limit // _SEGMENTS)
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._file: int | None = None
        self._lines = 0
        self._bytes = 0
        self._unstored = 0
        self._reason = ""

    @classmethod
    def open(cls, folder: Path, *, limit: int = 5 * 1024 * 1024) -> Self:
        """The spool that an earlier process left in `folder`, or a new one. A torn last line is dropped.

        Raises:
            OSError: its files cannot be read.
        """
        spool = cls(folder, limit=limit)
        for path in sorted(folder.glob("*.jsonl")):
            with suppress(ValueError):  # a file of another name is not ours
                spool._segments.append(Segment.found(path))
        if spool._segments:
            last = spool._segments[-1]
            spool._lines, spool._bytes = last.end, last.bytes_before + last.text_bytes
        return spool

    @property
    def lines(self) -> int:
        """Lines printed so far, dropped ones included: the position of the next."""
        return self._lines

    @property
    def first(self) -> int:
        """The first position still there; `lines` if there is none."""
        with self._lock:
            return next((segment.first_line for segment in self._segments if segment.lines), self._lines)

    @property
    def dropped(self) -> Dropped:
        """What is missing, because of the limit or of a disk that took no more."""
        with self._lock:
            lines = sum(segment.lines for segment in self._segments)
            size = sum(segment.text_bytes for segment in self._segments)
            return Dropped(self._lines - lines, self._bytes - size)

    @property
    def error(self) -> str | None:
        """How many lines could not be stored, and why the last of them; None if all could."""
        if not self._unstored:
            return None
        noun = "line" if self._unstored == 1 else "lines"
        return f"{self._unstored} {noun} could not be stored in {self.folder}: {self._reason}"

    @property
    def shortfall(self) -> str:
        """Why lines are missing, if any are, for whoever reads the log; names nothing of this machine."""
        if self._unstored:
            return f"the runner's disk did not take them: {self._reason}"
        return "the log is larger than its limit"

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add lines; never raises for the disk's sake.

        Raises:
            ValueError: the first line's position is not that of the next line.
        """
        if not lines:
            return
        with self._lock:
            if lines[0].position != self._lines:
                raise ValueError(f"the spool goes on at line {self._lines}, not {lines[0].position}")
            for run in self._runs(Run(lines, list(map(encode, lines)))):
                if not self._segments or not self._fits(run):
                    self._begin_segment()
                self._store(run)

    def read(self, start: int = 0, max_lines: int = 1000, max_bytes: int = 512 * 1024) -> list[LogLine]:
        """Lines in order from position `start` on (or the first after it that is still there).

        At least one line comes if there is any, even if its text is longer than `max_bytes`.

        Raises:
            OSError: the files cannot be read.
        """
        lines: list[LogLine] = []
        with self._lock:
            for line in self._from(start):
                max_bytes -= line.size
                if lines and (max_bytes < 0 or len(lines) >= max_lines):
                    break
                lines.append(line)
        return lines

    def close(self) -> None:
        """Let go of the open file. The spool stays usable: the next append opens it again."""
        with self._lock:
            self._close_file()

    def remove(self) -> None:
        """Delete the folder; the spool then has no lines any more.

        Raises:
            OSError: it could not be deleted.
        """
        with self._lock:
            self._close_file()
            self._segments.clear()
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder)

    def _from(self, start: int) -> Iterator[LogLine]:
        index = max(0, bisect_right(self._segments, start, key=attrgetter("first")) - 1)
        for segment in self._segments[index:]:
            yield from segment.read(start)

    def _runs(self, run: Run) -> Iterator[Run]:
        """Cut the lines where a segment is full: what fits into the last one, and a run for each new one."""
        room = self._segment_limit - (_weight(self._segments[-1]) if self._segments else 0)
        while run.lines:
            cut = len(run.lines) if _weight(run) <= room else bisect_right(list(accumulate(_weights(run))), room)
            if not cut and room == self._segment_limit:
                cut = 1  # one line larger than a segment has one for itself
            if cut:
                yield Run(run.lines[:cut], run.encoded[:cut])
            run, room = Run(run.lines[cut:], run.encoded[cut:]), self._segment_limit

    def _fits(self, run: Run) -> bool:
        taken = _weight(self._segments[-1])
        return not taken or taken + _weight(run) <= self._segment_limit

    def _begin_segment(self) -> None:
        self._close_file()
        self._segments.append(Segment.new(self.folder, self._lines, self._bytes))

    def _store(self, run: Run) -> None:
        self._make_room(_weight(run))
        self._lines += len(run.lines)
        self._bytes += run.text_bytes
        try:
            file = self._open_file()
            _leave_reserve(file, run.size)
            self._segments[-1].append(file, run)
        except OSError as error:
            self._unstored += len(run.lines)
            self._reason = error.strerror or type(error).__name__

    def _make_room(self, weight: int) -> None:
        while len(self._segments) > 1 and weight + sum(map(_weight, self._segments)) > self._limit:
            oldest = self._segments.pop(0)
            with suppress(OSError):
                oldest.path.unlink()

    def _open_file(self) -> int:
        """The last segment's file, open for writing behind its last whole line."""
        if self._file is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            segment = self._segments[-1]
            self._file = os.open(segment.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, segment.size)
        return self._file

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)


def _leave_reserve(file: int, size: int) -> None:
    disk = os.fstatvfs(file)
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < size + _RESERVE:  # some file systems do not say
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _weight(part: Segment | Run) -> int:
    """What counts against the limit: the texts, or their share of the files where that is more."""
    return max(part.text_bytes, part.size // _ON_DISK)


def _weights(run: Run) -> Iterator[int]:
    """The same of each line."""
    return (max(line.size, len(data) // _ON_DISK) for line, data in zip(run.lines, run.encoded, strict=True))
