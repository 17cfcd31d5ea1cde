"""The way to standard output of a command that must lose no line."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable
from typing import Final, TextIO

__all__ = ["Writer"]

_SLICE: Final = 0.2
"""Seconds after which a blocked write looks whether somebody wants to leave."""


class Writer:
    """Writes to a stream and waits for its reader, so that steps print no faster than somebody reads.

    This stops the event loop meanwhile, which is what is wanted: a full pipe then stops the steps too, nothing is
    dropped and nothing piles up. A run waits for no server, so nobody misses it. Whoever is blocked still leaves at a
    signal, and a reader that has gone ends the run.

    Args:
        stream: where to; it stays open.
        impatient: whether a write that is blocked is to be given up.
    """

    def __init__(self, stream: TextIO, impatient: Callable[[], bool] = lambda: False) -> None:
        self._stream = stream
        self._impatient = impatient
        self._descriptor = _descriptor_of(stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self.on_gone: Callable[[str], None] = lambda _: None
        self.gone = False

    def write(self, text: str) -> None:
        """Write all of it now. Never raises: where nobody reads any more, `on_gone` is called: with the
        reason, unless it is that the reader has left.
        """
        if self.gone:
            return
        try:
            self._put(text)
        except (OSError, ValueError) as error:
            self.gone = True
            self.on_gone("" if isinstance(error, BrokenPipeError) else str(error))

    def _put(self, text: str) -> None:
        if self._descriptor is None:
            self._stream.write(text)
            self._stream.flush()
            return
        rest = memoryview(text.encode(self._encoding, "backslashreplace"))
        while rest:
            if select.select([], [self._descriptor], [], _SLICE)[1]:
                # No more than fits for sure into a pipe that takes anything.
                rest = rest[self._write_some(self._descriptor, rest) :]
            elif self._impatient():
                return

    def _write_some(self, descriptor: int, data: memoryview) -> int:
        try:
            return os.write(descriptor, data[: select.PIPE_BUF])
        except BlockingIOError:  # somebody else made a shared terminal non-blocking, and was quicker
            return 0


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return None
