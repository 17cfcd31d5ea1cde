"""Read what a process prints, as it prints it."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Literal, Self

import anyio

__all__ = ["OnOutput", "Output", "Stream"]

Stream = Literal["stdout", "stderr"]
"""Where a piece of output came from; with `merge_stderr` all is "stdout"."""

OnOutput = Callable[[bytes, Stream], None]
"""Takes up to 64 KiB of output at a time, in order. Runs in the event loop, so it must be quick."""

_CHUNK = 64 * 1024


class Output:
    """The reading ends of a process's output pipes, read by the event loop while the context is entered.

    Error handling: when `on_output` raises, the error is kept in `failure`, `on_failure` is called, and the
    rest of the output is read and dropped: the process can clean up without blocking on a full pipe.

    Attributes:
        ended: set when all writers have closed their ends.
        failure: what `on_output` raised.
    """

    def __init__(self, pipes: Mapping[Stream, IO[bytes]], on_output: OnOutput, on_failure: Callable[[], None]) -> None:
        self.ended = anyio.Event()
        self.failure: Exception | None = None
        self._open = dict(pipes)
        self._on_output = on_output
        self._on_failure = on_failure

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for stream, pipe in self._open.items():
            os.set_blocking(pipe.fileno(), False)
            loop.add_reader(pipe.fileno(), self._read, stream)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take what is in the pipes at this moment, and close them, whoever still holds the other ends."""
        for stream in list(self._open):
            self._drain(stream)
            self._close(stream)

    def _drain(self, stream: Stream) -> None:
        """Bounded by what a pipe can hold: a writer that goes on for ever must not keep us here."""
        rest = fcntl.fcntl(self._open[stream], fcntl.F_GETPIPE_SZ)
        while stream in self._open and rest > 0 and (size := self._read(stream)):
            rest -= size

    def _read(self, stream: Stream) -> int:
        """Read once; the number of bytes, 0 when there is nothing now or never again."""
        try:
            chunk = os.read(self._open[stream].fileno(), _CHUNK)
        except BlockingIOError:
            return 0
        if chunk:
            self._deliver(chunk, stream)
        else:
            self._close(stream)
        return len(chunk)

    def _deliver(self, chunk: bytes, stream: Stream) -> None:
        if self.failure is not None:
            return
        try:
            self._on_output(chunk, stream)
        except Exception as error:  # noqa: BLE001 - the caller's, whatever it is; `run` raises it
            self.failure = error
            self._on_failure()

    def _close(self, stream: Stream) -> None:
        pipe = self._open.pop(stream)
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        pipe.close()
        if not self._open:
            self.ended.set()
