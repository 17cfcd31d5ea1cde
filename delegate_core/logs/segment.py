"""One file of a spool: a run of log lines, one JSON array a line."""

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Final, Self

__all__ = ["LogLine", "Segment"]

_MARK_EVERY: Final = 16 * 1024
"""Bytes of a file between two remembered places: what a read skips at most."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, masked, without its line end."""

    position: int
    """Its number within the log, from 0."""
    time: float
    """When it was printed, in seconds since 1970."""
    level: str
    """`info`, `warn` or `error`; backends may know more."""
    text: str

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8, and one for the line end."""
        characters = len(self.text)
        return 1 + (characters if self.text.isascii() else len(self.text.encode("utf-8", "surrogatepass")))


@dataclass(slots=True)
class Segment:
    """One file, and what is known of it without reading it. Not safe for threads: the spool has the lock.

    Args:
        path: names the first position, and the bytes of text printed before it, so that a log whose beginning
            is gone still knows how much is missing.
        first: position of the first line that may be in it.
        bytes_before: bytes of text printed before that position.
    """

    path: Path
    first: int
    bytes_before: int
    size: int = 0
    """Bytes of the file that hold whole lines; what stands behind is torn."""
    lines: int = 0
    text_bytes: int = 0
    end: int = 0
    """The position behind its last line."""
    _marks: list[tuple[int, int]] = field(default_factory=list)
    """Places in the file, as position and offset, to start reading at."""

    @property
    def first_line(self) -> int:
        """The position of its first line: `first`, unless the disk did not take that one."""
        return self._marks[0][0] if self._marks else self.end

    @classmethod
    def new(cls, folder: Path, first: int, bytes_before: int) -> Self:
        """A segment whose file does not exist yet."""
        return cls(folder / f"{first:012}-{bytes_before:015}.jsonl", first, bytes_before, end=first)

    @classmethod
    def found(cls, path: Path) -> Self:
        """The segment in a file of an earlier process. A torn or spoiled end is left out.

        Raises:
            ValueError: the file's name is not one of ours.
            OSError: it cannot be read.
        """
        first, _, bytes_before = path.stem.partition("-")
        segment = cls(path, int(first), int(bytes_before), end=int(first))
        for line, length in segment._stored(0, path.stat().st_size):
            segment._count(line, length)
        return segment

    def append(self, file: int, lines: Iterable[tuple[LogLine, bytes]]) -> None:
        """Write lines behind the last whole one in the open file, all or none; each comes with its `encode`.

        Raises:
            OSError: nothing was stored.
        """
        pairs = list(lines)
        try:
            _write_all(file, b"".join(map(itemgetter(1), pairs)), self.size)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, self.size)
            raise
        for line, data in pairs:
            self._count(line, len(data))

    def read(self, start: int) -> Iterator[LogLine]:
        """The lines from position `start` on."""
        index = bisect_right(self._marks, start, key=itemgetter(0)) - 1
        offset = self._marks[index][1] if index >= 0 else 0
        return (line for line, _ in self._stored(offset, self.size) if line.position >= start)

    def _stored(self, offset: int, end: int) -> Iterator[tuple[LogLine, int]]:
        """Lines between two offsets, each with its length in the file, up to the first that is not whole."""
        if offset >= end:
            return
        with self.path.open("rb") as file:
            file.seek(offset)
            while offset < end and (line := _decode(data := file.readline())):
                yield line, len(data)
                offset += len(data)

    def _count(self, line: LogLine, length: int) -> None:
        if not self._marks or self.size - self._marks[-1][1] >= _MARK_EVERY:
            self._marks.append((line.position, self.size))
        self.size += length
        self.lines += 1
        self.text_bytes += line.size
        self.end = line.position + 1


def encode(line: LogLine) -> bytes:
    """The line as a spool file holds it."""
    text = json.dumps([line.position, line.time, line.level, line.text], ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _decode(data: bytes) -> LogLine | None:
    """The line in `data`, or None if it is torn."""
    if not data.endswith(b"\n"):
        return None
    with suppress(ValueError):
        match json.loads(data.decode("utf-8", "surrogatepass")):
            case [int(position), int() | float() as time, str(level), str(text)]:
                return LogLine(position, time, level, text)
    return None


def _write_all(file: int, data: bytes, offset: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(file, data[written:], offset + written)
