"""One file of a spool: a run of log lines, one JSON array a line."""

import json
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import Final, Self

__all__ = ["LogLine", "Segment"]

_quoted = json.encoder.encode_basestring  # what `json.dumps` calls, without the encoder that it makes for each call

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
        return text_size((self.text,))


@dataclass(frozen=True, slots=True)
class Run:
    """Lines that go into one file together, never none of them, and each as the file holds it."""

    lines: Sequence[LogLine]
    encoded: Sequence[bytes]

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return sum(map(len, self.encoded))

    @property
    def text_bytes(self) -> int:
        """Bytes of their texts, counted as `LogLine.size` does."""
        return text_size([line.text for line in self.lines])


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
            segment._count([line], [length], line.size)
        return segment

    def append(self, file: int, run: Run) -> None:
        """Write lines behind the last whole one in the open file, all or none.

        Raises:
            OSError: nothing was stored.
        """
        try:
            _write_all(file, b"".join(run.encoded), self.size)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, self.size)
            raise
        self._count(run.lines, list(map(len, run.encoded)), run.text_bytes)

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

    def _count(self, lines: Sequence[LogLine], lengths: Sequence[int], text_bytes: int) -> None:
        *offsets, end = accumulate(lengths, initial=self.size)
        at = 0 if not self._marks else self._next_mark(offsets)
        while at < len(lines):
            self._marks.append((lines[at].position, offsets[at]))
            at = self._next_mark(offsets)
        self.size = end
        self.lines += len(lines)
        self.text_bytes += text_bytes
        self.end = lines[-1].position + 1

    def _next_mark(self, offsets: Sequence[int]) -> int:
        return bisect_left(offsets, self._marks[-1][1] + _MARK_EVERY)


def text_size(texts: Sequence[str]) -> int:
    """Bytes of these texts in UTF-8, and one for the line end of each."""
    whole = "\n".join(texts)
    return bool(texts) + (len(whole) if whole.isascii() else len(whole.encode("utf-8", "surrogatepass")))


def encode(line: LogLine) -> bytes:
    """The line as a spool file holds it."""
    text = f"[{line.position}, {line.time!r}, {_quoted(line.level)}, {_quoted(line.text)}]\n"
    return text.encode("utf-8", "surrogatepass")


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
