"""The way to a stream that may be slow, stopped or gone."""

from __future__ import annotations

import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

__all__ = ["Outlet", "Stream"]

_WAITING_LIMIT: Final = 1_000_000
"""Characters that may wait for a slow reader."""

_LINGER: Final = 5.0
"""Seconds that the thread waits for more to write."""


class Stream(Protocol):
    """What is written to: a text stream, or what behaves like one."""

    def write(self, text: str, /) -> object:
        """Take a text; raises OSError where it has no room."""

    def flush(self) -> object:
        """Pass it on."""


class Outlet:
    """Writes whole texts to a stream, in order, in a thread of its own.

    A terminal that was stopped with Ctrl-S, or a full pipe, blocks who writes to it. That must not be the event loop:
    the runner would miss its heartbeats. So `write` never waits; what finds too much waiting before it is dropped and
    counted. A stream whose reader has left takes no more, silently: a runner outlives who looks at it.

    A real file is written by its descriptor, below the stream's own buffer, which at the end of the program nobody
    then needs to flush into a broken pipe.

    Args:
        stream: where to; it stays open.
        limit: characters that may wait.
        lost: makes a line that says how many lines the stream had no room for; written when it has room again.
    """

    def __init__(
        self, stream: Stream, *, limit: int = _WAITING_LIMIT, lost: Callable[[int], str] | None = None
    ) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._descriptor = _descriptor_of(stream)
        self._limit = limit
        self._lost_line = lost
        self._lost = 0
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._dropped = 0
        self._busy = False
        self._thread: threading.Thread | None = None
        self._gone = False

    @property
    def idle(self) -> bool:
        """Whether all that was given is written."""
        return not self._waiting and not self._busy

    def write(self, text: str) -> None:
        """Write a text after those before it, without anything between its parts. Never waits, never raises."""
        with self._changed:
            if self._gone or not text:
                return
            if self._characters and self._characters + len(text) > self._limit:
                self._dropped += 1
                return
            self._waiting.append(text)
            self._characters += len(text)
            self._start()
            self._changed.notify_all()

    def take_dropped(self) -> int:
        """How many texts were dropped since the last call, for a word about it once there is room again."""
        if not self._dropped or self._characters > self._limit // 2:
            return 0
        with self._changed:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def settle(self, seconds: float) -> bool:
        """Wait until all is written, at most so long; True if it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.idle, seconds)

    def _start(self) -> None:
        if self._thread is None:
            # A daemon: a terminal that stays stopped must not keep the program from ending.
            self._thread = threading.Thread(target=self._work, name="console", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while text := self._take():
            self._put(text)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _take(self) -> str:
        """All that waits, as soon as something does; nothing, and the thread is over, after a quiet while."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, _LINGER)
            text = "".join(self._waiting)
            self._waiting.clear()
            self._characters = 0
            self._busy = bool(text)
            if not text:
                self._thread = None
            return text

    def _put(self, text: str) -> None:
        try:
            if self._lost and self._lost_line is not None:
                self._write_out(self._lost_line(self._lost))
                self._lost = 0
            self._write_out(text)
        except (BrokenPipeError, ValueError):
            # The reader has left, or the stream was closed.
            self._gone = True
        except OSError:
            # A full disk may have room again later.
            self._lost += max(1, text.count("\n"))

    def _write_out(self, text: str) -> None:
        self._put_bytes(text) if self._descriptor is not None else self._put_text(text)

    def _put_bytes(self, text: str) -> None:
        rest = memoryview(text.encode(self._encoding, "backslashreplace"))
        while rest and self._descriptor is not None:
            if getattr(self._stream, "closed", False):
                raise ValueError("the stream was closed")  # and its descriptor's number may be another file's by now
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another program has made the shared terminal non-blocking
                select.select([], [self._descriptor], [], 1.0)

    def _put_text(self, text: str) -> None:
        self._stream.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding))
        self._stream.flush()


def _descriptor_of(stream: Stream) -> int | None:
    """The stream's descriptor, with what was written before flushed to it."""
    with suppress(OSError, ValueError):
        stream.flush()
    try:
        return int(stream.fileno())  # type: ignore[attr-defined]  # not every stream has one
    except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
        return None
